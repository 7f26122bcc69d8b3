"""Request headers people type: `Name: value`, checked so that none can smuggle a second one. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from ferryman.core.errors import Invalid

OWN: Final = frozenset(
    {
        "accept-encoding", "connection", "content-length", "expect", "host", "if-range", "keep-alive",
        "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers the engine sets itself: a foreign value would break ranges, framing or resuming."""
LONGEST: Final = 16 * 1024

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def parse_header(text: str) -> tuple[str, str]:
    """Read `Name: value`. Raises `Invalid` (`header_invalid`, `header_reserved`) without repeating the value."""
    name, colon, value = text.partition(":")
    name, value = name.strip(" \t"), value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name):
        raise Invalid(
            "header_invalid",
            f"{name[:80]!r} is not a header.",
            advice="Write 'Name: value', such as 'X-Team: storage'.",
        )
    return check_header(name, value)


def check_header(name: str, value: str) -> tuple[str, str]:
    """Check a header that is already in two parts. Raises `Invalid` as `parse_header`."""
    if not _TOKEN.fullmatch(name):
        raise Invalid(
            "header_invalid", f"{name[:80]!r} is not a header name.", advice="Use letters, digits and '-'."
        )
    if name.lower() in OWN:
        raise Invalid(
            "header_reserved",
            f"The header '{name}' is set by Ferryman itself.",
            advice="Leave it out: it belongs to the connection, not to the request.",
        )
    if len(value) > LONGEST or any(
        not (c == "\t" or " " <= c <= "~" or "\xa0" <= c <= "\xff") for c in value
    ):
        # The value may be a secret, so it is not repeated.
        raise Invalid(
            "header_invalid",
            f"The value of the header '{name}' has characters that headers may not have.",
            advice="Use one line of Latin-1 text without control characters.",
        )
    return name, value


def parse_headers(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read several headers, in order. Raises as `parse_header`."""
    return tuple(parse_header(line) for line in lines)

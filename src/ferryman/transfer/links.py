"""Links other programs hand over: `ferry://add?url=…&checksum=…&out=…`, `ferry:https://…`, `web+ferry:…`. Pure; hostile.

A link only says what could be fetched: it carries no credentials, no folder and no way to start anything.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ferryman.core.errors import Invalid

SCHEMES: Final = ("ferry", "web+ferry")
LONGEST: Final = 16 * 1024
_MOST_MIRRORS: Final = 50


@dataclass(frozen=True, slots=True)
class Link:
    """What a link names: addresses of one file, and what the link says about it. Nothing is checked yet."""

    urls: tuple[str, ...]
    checksum: str | None = None
    out: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The link as words of a line of a list; `out` is left out, because a name may have spaces."""
        return (*self.urls, *((self.checksum,) if self.checksum else ()))


def is_link(text: str) -> bool:
    """Whether `text` begins as one of our links."""
    return text.partition(":")[0].lower() in SCHEMES and ":" in text


def read_link(text: str) -> Link:
    """Read a link. Raises `Invalid` (`link_invalid`)."""
    scheme, _, rest = text.strip().partition(":")
    if scheme.lower() not in SCHEMES or not rest or len(text) > LONGEST:
        raise _invalid(text, "names nothing")
    if not rest.startswith("//"):
        return Link((unquote(rest) if "://" not in rest else rest,))
    try:
        parts = urlsplit(rest)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_MIRRORS)
    except ValueError as error:
        raise _invalid(text, "cannot be understood") from error
    if parts.netloc.lower() != "add" or parts.path not in {"", "/"}:
        raise _invalid(text, f"asks for '{(parts.netloc + parts.path)[:40]}', which is not known")
    unknown = [name for name, _ in pairs if name not in {"url", "checksum", "out"}]
    if unknown:
        raise _invalid(text, f"has '{unknown[0][:40]}', which is not known")
    urls = tuple(value for name, value in pairs if name == "url" and value)
    if not urls:
        raise _invalid(text, "has no url")
    if any(is_link(url) for url in urls):
        raise _invalid(text, "leads to another link")
    said = {name: value for name, value in pairs if name != "url" and value}
    return Link(urls, said.get("checksum"), said.get("out"))


def _invalid(text: str, what: str) -> Invalid:
    return Invalid(
        "link_invalid",
        f"The link '{text.strip()[:100].rpartition('@')[2]}' {what}.",
        advice="Write ferry:https://host/file, or ferry://add?url=…&checksum=…&out=….",
    )

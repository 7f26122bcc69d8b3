"""The `Link` header of paginated answers (RFC 8288). Pure; hostile."""

import re
from typing import Final

_LINK: Final = re.compile(r'\s*,?\s*<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^\s",;]*))?)*)')
_REL: Final = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]*))', re.IGNORECASE)


def next_link(value: str | None) -> str | None:
    """Return the address of the next page; None when this is the last."""
    at = 0
    text = value or ""
    while found := _LINK.match(text, at):
        rel = _REL.search(found[2])
        if rel and "next" in (rel[1] or rel[2] or "").lower().split():
            return found[1]
        at = found.end()
    return None

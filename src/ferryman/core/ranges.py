"""Which bytes a request wants (RFC 9110 section 14), and whether entity tags match. Pure."""

import re
from typing import Final

_ONE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,19})-([0-9]{0,19})[ \t]*")


class Unsatisfiable(Exception):
    """The range lies outside of the content."""


def wanted(header: str, size: int) -> tuple[int, int] | None:
    """Return (first, length) of the one range a `Range` header asks for; None means the whole content.

    Other units, several ranges and wrong syntax are ignored, as RFC 9110 permits. Raises `Unsatisfiable`.
    """
    found = _ONE.fullmatch(header.strip())
    if found is None or found.group(0).endswith("=-"):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size) if last else 0
        if not last:
            return None
        if length == 0:
            raise Unsatisfiable
        return size - length, length
    begin = int(first)
    if begin >= size or (last and int(last) < begin):
        raise Unsatisfiable
    end = min(int(last), size - 1) if last else size - 1
    return begin, end - begin + 1


def tags_match(header: str, tag: str) -> bool:
    """Tell whether an `If-None-Match` header names the entity tag `tag` (with its quotes), weakly compared."""
    listed = [part.strip().removeprefix("W/") for part in header.split(",")]
    return "*" in listed or tag in listed

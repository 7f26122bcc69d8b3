"""Where a chunk of an upload belongs; with `core.ranges`, which bytes a request wants. Pure."""

import re
from typing import Final

from ferryman.core.ranges import Unsatisfiable, tags_match, wanted

__all__ = ["Unsatisfiable", "chunk", "tags_match", "wanted"]

_CHUNK: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


def chunk(header: str) -> tuple[int, int] | None:
    """Return (first, length) of a `Content-Range: FIRST-LAST` of an upload, None when it is not of this form."""
    found = _CHUNK.fullmatch(header.strip().removeprefix("bytes ").partition("/")[0])
    if found is None:
        return None
    first, last = int(found.group(1)), int(found.group(2))
    return (first, last - first + 1) if last >= first else None

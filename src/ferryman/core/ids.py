"""Sortable ids: UUIDv7 (RFC 9562, section 5.7)."""

import os
import re
import time

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(now: float | None = None) -> str:
    """Return a new UUIDv7; `now` is UNIX seconds. Ids of later milliseconds sort later. Thread-safe."""
    millis = int((time.time() if now is None else now) * 1000)
    value = (millis & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_id(text: str) -> bool:
    """Tell whether `text` has the form of an id made here."""
    return _ID.fullmatch(text) is not None

"""Values as every database takes them: JSON without numbers that are none, text without NUL and lone surrogates."""

import json
import math
import re
import unicodedata
from typing import Any


def dump(value: Any) -> str:
    """JSON text (RFC 8259) of a value; infinities and NaN, which JSON does not have, become null."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False, separators=(",", ":"))


def clean(text: str) -> str:
    """Text that every database stores: what UTF-8 cannot carry is escaped, and so is NUL."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def fold(text: str) -> str:
    """Text in which case and accents make no difference, as SQLite's tokenizer unicode61 sees it."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFD", text.lower())
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))


def matches(pattern: str, text: str) -> bool:
    """Whether a regular expression fits the beginning of folded text; SQLite calls it as `matches(pattern, text)`."""
    return re.match(pattern, fold(text), re.DOTALL) is not None


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value

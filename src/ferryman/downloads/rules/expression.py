"""Regular expressions that people write, in linear time whatever they write: RE2, which never goes back."""

from functools import lru_cache
from typing import Any, Final

import re2

from ferryman.core.errors import Invalid

LONGEST: Final = 500
_MEMORY: Final = 1 << 20
"""Bytes one compiled expression may take: `(a{1000}){1000}` is refused."""


def check_expression(text: str) -> None:
    """Raise `Invalid` (`expression_invalid`) when `text` is no expression."""
    try:
        _compiled(text)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise Invalid(
            "expression_invalid",
            f"'{text[:80]}' is no regular expression: {said[:120]}.",
            advice="Write it as RE2 has it; references back and looking ahead do not exist there.",
        ) from error


def found(text: str, where: str) -> bool:
    """Tell whether the checked expression `text` is found in `where`. Takes linear time."""
    return _compiled(text).search(where) is not None


@lru_cache(maxsize=512)
def _compiled(text: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    return re2.compile(text[: LONGEST + 1], options)

"""Joining paths from outside to a root they may not leave."""

from pathlib import Path

from ferryman.core.errors import Invalid


def join_within(root: Path, outside: str) -> Path:
    """Join a relative path from outside to `root` and return the absolute result.

    Raises `Invalid` (`path_escapes`) for absolute paths, `..`, NUL, and links that lead
    out of `root` or in a circle.
    """
    if "\0" in outside or not outside or Path(outside).is_absolute() or ".." in Path(outside).parts:
        raise _escapes(outside, root)
    base = root.resolve()
    try:
        joined = (base / outside).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise _escapes(outside, root) from error
    if not joined.is_relative_to(base):
        raise _escapes(outside, root)
    return joined


def _escapes(outside: str, root: Path) -> Invalid:
    return Invalid(
        "path_escapes",
        f"The path {outside[:200]!r} leads out of {root}.",
        advice="Give a relative path below that folder, without '..'.",
    )

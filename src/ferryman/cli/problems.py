"""From errors to exit codes and words: the one table of the command line."""

import sys
from typing import Any, Final, TextIO

from ferryman.core.errors import Conflict, Denied, FerryError, Invalid, NotFound, Unavailable

EXIT_CODES: Final[tuple[tuple[type[FerryError], int], ...]] = (
    (Invalid, 2),
    (NotFound, 3),
    (Denied, 4),
    (Unavailable, 5),
    (Conflict, 1),
)
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130


def exit_code(error: BaseException) -> int:
    """Return the exit code for `error`: 1 failed, 2 usage, 3 not found, 4 denied, 5 unreachable."""
    return next((code for branch, code in EXIT_CODES if isinstance(error, branch)), FAILED)


def problem(error: FerryError) -> dict[str, Any]:
    """Return `error` as `--json` prints it; the members are those of the API's problem documents."""
    return {
        "code": error.code,
        "detail": mask(error.message),
        "advice": error.advice,
        "errors": {name: mask(text) for name, text in error.fields.items()},
        "exit_code": exit_code(error),
    }


def say(error: FerryError, stream: TextIO | None = None, *, subject: str = "") -> None:
    """Print `error` for people on standard error: what happened, then what to do."""
    out = stream or sys.stderr
    about = f"{subject}: " if subject else ""
    out.write(f"error: {about}{plain(mask(error.message))}\n")
    for name, text in error.fields.items():
        if text not in error.message:
            out.write(f"  {plain(name)}: {plain(mask(text))}\n")
    if error.advice:
        out.write(f"  {plain(error.advice)}\n")


def report(error: FerryError, *, json: bool) -> int:
    """Say `error`, as one JSON document on standard output with `json`, and return its exit code."""
    if json:
        from ferryman.cli.output import print_json  # noqa: PLC0415 - it imports this module

        print_json(problem(error))
    else:
        say(error)
    return exit_code(error)


def mask(text: str) -> str:
    """Return `text` without secrets, as `core.secrets.mask` does it; its patterns are only made when something is wrong."""
    from ferryman.core.secrets import mask as masked  # noqa: PLC0415 - see above

    return masked(text)


def plain(text: str) -> str:
    """Return `text` without anything that could steer a terminal; line ends become visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

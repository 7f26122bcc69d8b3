"""Runs a command line: `ferry get` and `ferry copy` on their own short way, everything else through the command tree."""

import sys
from collections.abc import Sequence

from ferryman.cli.problems import FAILED, INTERRUPTED, USAGE, report
from ferryman.core.errors import FerryError, Invalid

HELP = frozenset({"--help", "-h"})
QUICK = frozenset({"copy", "push", "inspect", "tags"})
"""Commands that need no command tree, beside `get`."""


def run(arguments: Sequence[str]) -> int:
    """Run `arguments`, say what goes wrong, and return the exit code."""
    json = "--json" in arguments
    try:
        if arguments[:1] == ["get"] and not HELP.intersection(arguments):
            from ferryman.cli.get import get  # noqa: PLC0415 - the short way loads no command tree

            return get(arguments[1:])
        if arguments[:1] and arguments[0] in QUICK and not HELP.intersection(arguments):
            from ferryman.cli.copy import run_command  # noqa: PLC0415 - see above

            return run_command(arguments[0], arguments[1:])
        return _run_tree(list(arguments))
    except FerryError as error:
        return report(error, json=json)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone, as with `ferry jobs list | head`: nobody is left to tell.
        sys.stdout = None  # keeps the interpreter from flushing into the closed pipe
        return FAILED


def _run_tree(arguments: list[str]) -> int:
    import typer  # noqa: PLC0415 - slow to import
    from typer.main import get_command  # noqa: PLC0415 - slow to import

    from ferryman.cli.app import app  # noqa: PLC0415 - slow to import

    try:
        code = get_command(app).main(arguments, prog_name="ferry", standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        sys.stderr.write("\nerror: stopped, nothing was done\n")
        return FAILED
    except (typer.TyperException, typer.BadParameter) as error:
        if not str(error):  # the help was shown because nothing was asked
            return USAGE
        return report(_usage(error), json="--json" in arguments)
    return code if isinstance(code, int) else 0


def _usage(error: Exception) -> FerryError:
    """Say what was wrong with the words typed, and where the help is."""
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "ferry"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return Invalid("usage", message, advice=f"See '{command} --help' for what can be typed.")

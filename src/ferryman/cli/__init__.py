"""The `ferry` command: puts the commands of the features together, says errors the same way everywhere, starts fast.

Words: the *root* is the command tree; a *problem* is an error as `--json` prints it; the *client* talks to the daemon of
this home. This room decides nothing about jobs or files, and imports late: what a command does not need is not loaded.
"""

import os
import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from ferryman import __version__  # noqa: PLC0415 - nothing else is loaded for this

        sys.stdout.write(f"ferry {__version__}\n")
        return 0
    from ferryman.cli.start import run  # noqa: PLC0415 - see above

    code = run(arguments)
    if "threading" not in sys.modules:
        _leave(code)
    return code


def command() -> int:
    """Run this process's command line; `ferry get`, too, leaves at once, for its threads have ended or are waited for by nobody.

    Returns the exit code where something may still have to happen at the end: executors, event loops, log handlers.
    """
    code = main()
    threads = sys.modules.get("threading")
    ends = {"asyncio", "concurrent.futures", "logging", "multiprocessing"} & sys.modules.keys()
    if threads and not ends and all(one.daemon for one in threads.enumerate()[1:]):
        _leave(code)
    return code


def _leave(code: int) -> None:
    """End the process without taking the interpreter apart, which takes longer than a quick command's answer.

    Only where no thread has work left and nothing waits for the end.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, AttributeError):  # the reader has gone; the interpreter knows what to do then
        return
    os._exit(code)

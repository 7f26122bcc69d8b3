"""The `ferry` command: puts the commands of the features together, says errors the same way everywhere, starts fast.

Words: the *root* is the command tree; a *problem* is an error as `--json` prints it; the *client* talks to the daemon of
this home. This room decides nothing about jobs or files, and imports late: what a command does not need is not loaded.
"""

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        from ferryman import __version__  # noqa: PLC0415 - nothing else is loaded for this

        sys.stdout.write(f"ferry {__version__}\n")
        return 0
    from ferryman.cli.start import run  # noqa: PLC0415 - see above

    return run(arguments)

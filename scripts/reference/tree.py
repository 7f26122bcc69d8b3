"""The one place that knows how to get the command tree and the application without starting anything."""

from typing import Any


def command_tree() -> Any:
    """The root command of `ferry`."""
    from typer.main import get_command

    from ferryman.cli.app import app

    return get_command(app)

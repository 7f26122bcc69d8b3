"""The one place that knows how to get the command tree and the application without starting anything."""

from typing import Any

from ferryman.cli.app import app
from typer.main import get_command


def command_tree() -> Any:
    """Return the root command of `ferry`."""
    return get_command(app)

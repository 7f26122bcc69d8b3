"""The one place that knows how to get the command tree and the application without starting anything."""

from typing import Any

from typer.main import get_command

from ferryman.cli.app import app


def command_tree() -> Any:
    """Return the root command of `ferry`."""
    return get_command(app)


def openapi() -> Any:
    """Return the OpenAPI document of the application with all its parts."""
    raise NotImplementedError

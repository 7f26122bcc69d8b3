"""The one place that knows how to get the command tree and the application without starting anything."""

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from ferryman.cli.app import app
from ferryman.core.settings import Settings
from ferryman.daemon.compose import compose


def command_tree() -> Any:
    """Return the root command of `ferry`."""
    return get_command(app)


@cache
def openapi() -> Any:
    """Return the OpenAPI document of the application with all its parts."""
    with tempfile.TemporaryDirectory() as folder:
        daemon = compose(Settings(home=Path(folder)))
        try:
            return daemon.app.openapi()
        finally:
            asyncio.run(daemon.database.close())

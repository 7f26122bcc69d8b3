"""`ferry up`: start the daemon in this terminal."""

from typing import Annotated

import typer

_EXAMPLES = """Examples:

ferry up

ferry up --host 0.0.0.0 --port 8000

ferry up --sample"""


def add_up(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command("up", epilog=_EXAMPLES)(start_daemon)


def start_daemon(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; loopback only unless you say otherwise.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    sample: Annotated[
        bool,
        typer.Option("--sample", help="Also serve a few sample files on loopback to try downloads with."),
    ] = False,
) -> None:
    """Start Ferryman: console, API and the worker that runs jobs, until Ctrl-C.

    The first start prints the one-time password of 'admin'. Running jobs go on after any stop, even kill -9.
    """
    from ferryman.core.layers import load_settings  # noqa: PLC0415 - slow to import
    from ferryman.daemon.up import up  # noqa: PLC0415 - loads everything

    up(load_settings({"host": host, "port": port}), sample=sample)

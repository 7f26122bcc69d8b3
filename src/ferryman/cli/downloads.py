"""`ferry downloads`: the downloads of the daemon, by tab as on the page."""

from typing import Annotated

import typer

from ferryman.cli.client import connect
from ferryman.cli.downloads_adding import add_adding
from ferryman.cli.downloads_change import add_change
from ferryman.cli.downloads_history import add_history
from ferryman.cli.downloads_hooks import hooks_app
from ferryman.cli.downloads_rules import rules_app
from ferryman.cli.output import line, print_json
from ferryman.core.units import format_rate

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def downloads_app() -> typer.Typer:
    """Return the commands of `ferry downloads`."""
    app = typer.Typer(
        help="Downloads of the daemon. Add them with 'ferry get --detach'.", no_args_is_help=True
    )
    add_history(app)
    add_adding(app)
    app.command(
        "limit",
        epilog="Examples:\n\nferry downloads limit\n\nferry downloads limit 2MB/s\n\nferry downloads limit 0",
    )(limit_speed)
    add_change(app)
    app.add_typer(rules_app(), name="rules")
    app.add_typer(hooks_app(), name="hooks")
    return app


def limit_speed(
    rate: Annotated[
        str | None, typer.Argument(metavar="RATE", help="The new limit, such as 2MB/s; 0 takes it away.")
    ] = None,
    json: _Json = False,
) -> None:
    """Show the speed limit of all downloads together, or change it: at once, and after a restart too."""
    client = connect()
    path = "/api/v1/downloads/speed"
    found = client.get(path) if rate is None else client.put(path, {"rate_limit": rate})
    if json:
        print_json(found)
        return
    limit = format_rate(found["rate_limit"]) if found["rate_limit"] else "none"
    line(f"Speed limit: {limit}{', by time of day' if found['scheduled'] else ''}")

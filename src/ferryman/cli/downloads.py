"""`ferry downloads`: the downloads of the daemon, by tab as on the page."""

from enum import StrEnum
from typing import Annotated

import typer

from ferryman.cli.client import connect
from ferryman.cli.downloads_change import add_change
from ferryman.cli.jobs import print_jobs
from ferryman.cli.output import line, print_json, table
from ferryman.core.units import format_rate, format_size

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class Tab(StrEnum):
    """A tab of the page."""

    ALL = "all"
    ACTIVE = "active"
    QUEUE = "queue"
    COMPLETED = "completed"
    HISTORY = "history"


def downloads_app() -> typer.Typer:
    """Return the commands of `ferry downloads`."""
    app = typer.Typer(
        help="Downloads of the daemon. Add them with 'ferry get --detach'.", no_args_is_help=True
    )
    app.command(
        "list",
        epilog="Examples:\n\nferry downloads list\n\nferry downloads list --tab completed --search iso",
    )(list_downloads)
    app.command("preview", epilog="Example:\n\nferry downloads preview https://example.org/image.iso")(
        preview
    )
    app.command(
        "limit",
        epilog="Examples:\n\nferry downloads limit\n\nferry downloads limit 2MB/s\n\nferry downloads limit 0",
    )(limit_speed)
    add_change(app)
    return app


def list_downloads(
    tab: Annotated[Tab, typer.Option(help="Which of them.")] = Tab.ALL,
    search: Annotated[
        str,
        typer.Option(
            "--search", "-s", metavar="WORDS", help="Only those whose name, source or error has these."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most of them to print.")] = 50,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on after this page.")] = "",
    json: _Json = False,
) -> None:
    """List downloads."""
    query = {"tab": tab.value, "q": search, "limit": limit, "cursor": cursor}
    print_jobs(connect().get("/api/v1/downloads", query), json=json)


def preview(
    urls: Annotated[list[str], typer.Argument(metavar="URL…", help="Addresses to look at.")],
    json: _Json = False,
) -> None:
    """Look at what addresses lead to, without fetching: name, size, whether it can be resumed."""
    found = connect().post("/api/v1/downloads/preview", {"urls": urls})
    if json:
        print_json(found)
        return
    rows = [
        {**item, "size": None if item["size"] is None else format_size(item["size"])}
        for item in found["items"]
    ]
    columns = {"name": "NAME", "size": "SIZE", "resumable": "RESUMABLE", "mime": "TYPE", "error": "ERROR"}
    table(rows, columns, right=("size",))


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

"""`ferry downloads change`: change one download after it was added, also while it runs."""

from typing import Annotated, Any

import typer

from ferryman.cli.client import connect
from ferryman.cli.jobs_act import full_id
from ferryman.cli.output import line, print_json
from ferryman.core.errors import Invalid
from ferryman.core.units import format_rate


def add_change(app: typer.Typer) -> None:
    """Add the command to `ferry downloads`."""
    app.command(
        "change",
        epilog="Examples:\n\nferry downloads change 5f6b7a81 --limit 500K\n\n"
        "ferry downloads change 5f6b7a81 --limit 0 --connections 16\n\n"
        "ferry downloads change 5f6b7a81 --folder images --name disk.iso",
    )(change)


_Name = Annotated[str | None, typer.Option(metavar="NAME", help="Another name, before it begins.")]
_Folder = Annotated[str | None, typer.Option(metavar="FOLDER", help="Another folder, before it begins.")]
_Checksum = Annotated[
    str | None, typer.Option(metavar="ALGO:HEX", help="Another checksum, before it begins.")
]
_Category = Annotated[
    str | None, typer.Option(metavar="NAME", help="File it under this category; '' takes it away.")
]


def change(
    job: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the download; its end is enough when only one has it.")
    ],
    limit: Annotated[
        str | None, typer.Option(metavar="RATE", help="Speed limit, such as 2MB/s; 0 takes it away.")
    ] = None,
    connections: Annotated[
        int | None, typer.Option(min=1, max=32, help="Most connections it may use.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="0 runs first, 9 last.")] = None,
    category: _Category = None,
    folder: _Folder = None,
    name: _Name = None,
    checksum: _Checksum = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Change one download: limit and connections at once, folder, name and checksum before it begins."""
    asked = {
        "rate_limit": limit,
        "connections": connections,
        "priority": priority,
        "category": category,
        "folder": folder,
        "name": name,
        "checksum": checksum,
    }
    body: dict[str, object] = {key: value for key, value in asked.items() if value is not None}
    if not body:
        raise Invalid("usage", "Nothing to change was named.", advice="Name it, such as --limit 2MB/s.")
    client = connect()
    found = client.patch(f"/api/v1/downloads/{full_id(client, job)}", body)
    if json:
        print_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    spec = found["spec"]
    rate = format_rate(spec["rate_limit"]) if spec["rate_limit"] else "none"
    line(
        f"{found['id']}  {found['state']}  {found['title']}  "
        f"limit {rate}, {spec['connections']} connections, priority {found['priority']}"
    )

"""`ferry status` and `ferry settings`: what is happening, and what is in force."""

from typing import Annotated, Any

import typer

from ferryman.cli.client import connect
from ferryman.cli.describe import JOB_COLUMNS, job_row
from ferryman.cli.output import line, note, pairs, print_json, table
from ferryman.core.units import format_rate, format_size

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_status(app: typer.Typer) -> None:
    """Add both commands to the tree."""
    app.command("status", epilog="Example:\n\nferry status --json")(status)
    app.command("settings", epilog="Examples:\n\nferry settings\n\nferry settings --json")(settings)


def status(json: _Json = False) -> None:
    """Say what is happening: jobs by state, speed, room on the disk, what runs now."""
    client = connect()
    found: dict[str, Any] = client.get("/api/v1/overview")
    if json:
        print_json({"address": client.address, **found})
        return
    counts = ", ".join(f"{number} {state}" for state, number in found["counts"].items() if number)
    space = found["space"]
    pairs(
        [
            ("Ferryman", client.address),
            ("Jobs", counts or "none yet"),
            ("Speed", format_rate(found["rate"])),
            (
                "Room",
                f"{format_size(space['free'])} free of {format_size(space['total'])}" if space else None,
            ),
            ("Downloads", space["path"] if space else None),
        ]
    )
    for title, jobs in (("Running", found["active"]), ("Failed last", found["failed"][:3])):
        if jobs:
            line()
            line(f"{title}:")
            table([job_row(job) for job in jobs], JOB_COLUMNS, right=("done", "speed"))


def settings(json: _Json = False) -> None:
    """List every setting with its value in force, and where it comes from.

    With a running daemon they are the daemon's; otherwise those it would start with.
    """
    items = _settings()
    if json:
        print_json({"items": items})
        return
    columns = {"variable": "SETTING", "value": "VALUE", "origin": "FROM", "description": "MEANING"}
    table(items, columns)


def _settings() -> list[dict[str, Any]]:
    from ferryman.core.errors import Unavailable  # noqa: PLC0415 - with the fallback below

    try:
        found: list[dict[str, Any]] = connect().get("/api/v1/settings")["items"]
    except Unavailable:
        import os  # noqa: PLC0415 - with the fallback only

        from ferryman.console.api_settings import read_file, settings_view  # noqa: PLC0415 - slow to import
        from ferryman.core.settings import load_settings  # noqa: PLC0415 - slow to import

        note("No daemon runs: this is what it would start with.")
        loaded = load_settings()
        shown = settings_view(loaded, os.environ, read_file(loaded.home / "ferry.toml"))
        return [item.model_dump(mode="json") for item in shown]
    return found

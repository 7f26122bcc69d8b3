"""`ferry status`: what is happening."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ferryman.cli.client import connect
from ferryman.cli.describe import JOB_COLUMNS, job_row
from ferryman.cli.output import line, pairs, print_json, table
from ferryman.core.units import format_rate, format_size

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_status(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command("status", epilog="Example:\n\nferry status --json")(status)


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
            ("Beware", _beware(space) if space and space["low"] else None),
            ("Downloads", space["path"] if space else None),
            (
                "Next due",
                f"{found['due'][0]['not_before']}, {found['due'][0]['title']}" if found["due"] else None,
            ),
        ]
    )
    parts = (
        ("Running", found["active"]),
        ("Waiting for you", found["stuck"]),
        (f"Failed in the last day ({found['failures']})", found["failed"][:3]),
    )
    for title, jobs in parts:
        if jobs:
            line()
            line(f"{title}:")
            table([job_row(job) for job in jobs], JOB_COLUMNS, right=("done", "speed"))


def _beware(space: Mapping[str, Any]) -> str:
    """Say that the disk is about to be full."""
    if space["free"] < space["coming"]:
        return f"the disk is too small: {format_size(space['coming'])} are still to come"
    return "the disk is nearly full"

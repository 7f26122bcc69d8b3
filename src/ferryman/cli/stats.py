"""`ferry stats`: what was done over some days, and how fast."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from ferryman.cli.client import connect
from ferryman.cli.output import line, pairs, print_json, table
from ferryman.core.units import format_duration, format_rate, format_size

HOSTS: Final = {"name": "HOST", "bytes": "FETCHED", "speed": "SPEED", "succeeded": "DONE", "failed": "FAILED"}
CATEGORIES: Final = {**HOSTS, "name": "CATEGORY"}
DAYS: Final = {"day": "DAY", "bytes": "FETCHED", "speed": "SPEED", "succeeded": "DONE", "failed": "FAILED"}
SHOWN_DAYS: Final = 14
"""Most days that are listed; more do not help on a screen."""
_NUMBERS: Final = ("bytes", "speed", "succeeded", "failed", "number")


def add_stats(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command("stats", epilog="Examples:\n\nferry stats\n\nferry stats --days 365 --json")(stats)


def stats(
    days: Annotated[
        int,
        typer.Option("--days", min=1, max=365, help="How many days, today included; days are those of UTC."),
    ] = 30,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell what was done and how fast: bytes, success, hosts, categories, failures, what resuming saved.

    Deleted history is still counted. Those who reach only their own jobs see the figures of these.
    """
    found: dict[str, Any] = connect().get("/api/v1/statistics", {"days": days})
    if json:
        print_json(found)
        return
    pairs(_summary(found))
    _list("By day", [day for day in found["by_day"] if _moved(day)][-SHOWN_DAYS:], DAYS)
    _list("Top hosts", found["hosts"], HOSTS)
    _list("Slowest hosts", found["slowest_hosts"], HOSTS)
    _list("Top categories", [one for one in found["categories"] if one["bytes"]], CATEGORIES)
    failures = [{"name": name, "number": number} for name, number in found["failures"].items()]
    _list("Why jobs failed", failures, {"name": "REASON", "number": "JOBS"})


def _summary(found: Mapping[str, Any]) -> list[tuple[str, object]]:
    success = found["success"]
    saved = f"{format_duration(found['saved_seconds'])}, {format_size(found['resumed'])} not fetched twice"
    return [
        ("Days", found["days"]),
        ("Fetched", format_size(found["bytes"])),
        ("Speed of a job", format_rate(found["speed"]) if found["speed"] else None),
        ("Jobs", f"{found['succeeded']} done, {found['failed']} failed, {found['cancelled']} cancelled"),
        ("Succeeded", f"{success:.1%}" if success is not None else None),
        ("Tried again", found["retries"]),
        ("Saved by resuming", saved if found["resumed"] else None),
    ]


def _moved(day: Mapping[str, Any]) -> bool:
    return any(day[name] for name in ("bytes", "succeeded", "failed", "cancelled"))


def _list(title: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    if rows:
        line()
        line(f"{title}:")
        table([_row(row) for row in rows], columns, right=_NUMBERS)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(row)
    if "bytes" in row:
        shown["bytes"] = format_size(row["bytes"])
        shown["speed"] = format_rate(row["speed"]) if row["speed"] else None
    if row.get("name") == "":
        shown["name"] = "(none)"
    return shown

"""`ferry depot gc|fsck|pin|unpin`: what stays, what goes, and whether it is well."""

from typing import Annotated, Any

import typer

from ferryman.cli.depot_home import by_hand, opened, repairing
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.clock import rfc3339
from ferryman.core.units import format_size, parse_duration
from ferryman.depot.model import CheckTotals, Trouble

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Target = Annotated[str, typer.Argument(metavar="REF", help="REPOSITORY:TAG, or a digest.")]


def add_keeping(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("gc", epilog="Examples:\n\nferry depot gc --dry-run\n\nferry depot gc --grace 0")(collect)
    app.command("fsck", epilog="Examples:\n\nferry depot fsck\n\nferry depot fsck --repair")(check)
    app.command("pin", epilog="Examples:\n\nferry depot pin quay.io/team/app:1.2\n\nferry depot pin")(pin)
    app.command("unpin", epilog="Examples:\n\nferry depot unpin quay.io/team/app:1.2")(unpin)


def collect(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    grace: Annotated[
        str,
        typer.Option("--grace", metavar="TIME", help="Keep what came within this time, such as 1h or 2d."),
    ] = "1d",
    json: _Json = False,
) -> None:
    """Apply the rules for tags, and remove what nothing refers to; may run beside everything else."""
    seconds = parse_duration(grace)
    with opened() as depot:
        report = depot.gc(grace=seconds, dry_run=dry_run)
    if json:
        print_json(report.to_dict())
        return
    verb = "would be removed" if dry_run else "removed"
    for name in report.tags:
        line(f"tag {name} {verb}: no rule of depot_retention lets it stay")
    line(f"{report.blobs} blobs, {format_size(report.size)} {verb}")
    if report.strays:
        line(f"{report.strays} unfinished or unknown files, {format_size(report.stray_size)} {verb}")
    if report.kept_by_hold:
        line(f"{report.kept_by_hold} blobs are kept for what runs now")
    if report.kept_for_undo:
        line(
            f"{report.kept_for_undo} blobs, {format_size(report.kept_for_undo_size)} of what was removed lately are kept, so "
            "that 'ferry depot restore' can put it back; 'ferry depot gc --grace 0' takes them too"
        )


def check(
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at names and sizes, not at every byte.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Fetch damaged and missing content again from where it came.")
    ] = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Repair from registries without TLS.")
    ] = False,
    json: _Json = False,
) -> None:
    """Read everything and compare it with its digest; damaged content is set aside. Exits 1 when something stays wrong."""
    totals, rows = CheckTotals(), []
    with opened() as depot, repairing(depot, plain_http=plain_http) as mend:
        for one in depot.fsck(not quick, mend if repair else None, totals=totals):
            row: dict[str, Any] = {
                "trouble": str(one.trouble),
                "what": one.what,
                "size": one.size,
                "source": one.origin.source if one.origin else None,
                "detail": one.detail,
                "repaired": one.repaired,
                "set_aside": one.set_aside,
                "used_by": list(one.used_by),
            }
            rows.append(row)
            if not json:
                _tell(row)
    left = [row for row in rows if not row["repaired"] and row["trouble"] != Trouble.STRAY]
    if json:
        print_json({"blobs": totals.done, "size": totals.done_size, "findings": rows, "left": len(left)})
    else:
        line(
            f"{totals.done} blobs, {format_size(totals.done_size)}: "
            + (_summed(rows, len(left)) if rows else "all well")
        )
        if left and not repair:
            line("'ferry depot fsck --repair' fetches again what it can.")
    if left:
        raise typer.Exit(1)


def _summed(rows: list[dict[str, Any]], left: int) -> str:
    mended = sum(bool(row["repaired"]) for row in rows)
    strays = sum(row["trouble"] == Trouble.STRAY for row in rows)
    told = [f"{left} damaged or missing", f"{mended} repaired"]
    return ", ".join([*told, f"{strays} unknown files, which gc removes"] if strays else told)


def _tell(row: dict[str, Any]) -> None:
    state = "repaired" if row["repaired"] else row["trouble"]
    needed = f" needed by {', '.join(row['used_by'])}" if row["used_by"] else ""
    line(f"{state}: {row['what']} ({format_size(row['size'])}){needed}. {row['detail']}")
    if row["set_aside"]:
        line(f"  set aside: {row['set_aside']}")


def pin(
    ref: Annotated[
        str | None, typer.Argument(metavar="REF", help="REPOSITORY:TAG, or a digest; without, list the pins.")
    ] = None,
    json: _Json = False,
) -> None:
    """Let a reference or a digest stay, whatever rules and people say; without one, list what is pinned."""
    with opened() as depot:
        made = [depot.pin(ref, by_hand(depot).source)] if ref else depot.pins()
    rows = [{"target": one.target, "by": one.by, "at": rfc3339(one.at)} for one in made]
    if json:
        print_json(rows)
    elif ref:
        line(f"{ref} stays.")
    elif rows:
        table(rows, {"target": "PINNED", "by": "BY", "at": "SINCE"})
    else:
        note("Nothing is pinned.")


def unpin(ref: _Target, json: _Json = False) -> None:
    """Take a pin away."""
    with opened() as depot:
        depot.unpin(ref)
    if json:
        print_json({"target": ref, "pinned": False})
    else:
        line(f"{ref} is not pinned any more.")

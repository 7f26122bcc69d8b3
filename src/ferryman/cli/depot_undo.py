"""`ferry depot history|restore`: what names were for, and putting them back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.cli.depot_home import by_hand, opened
from ferryman.cli.depot_show import split
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.clock import rfc3339
from ferryman.oci.reference import parse_digest, parse_local

if TYPE_CHECKING:
    from ferryman.depot.model import Change

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_undo(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(
        "history", epilog="Examples:\n\nferry depot history quay.io/team/app:1.2\n\nferry depot history a/b"
    )(history)
    app.command(
        "restore",
        epilog="Examples:\n\nferry depot restore quay.io/team/app:1.2\n\n"
        "ferry depot restore quay.io/team/app:1.2 --to sha256:HEX",
    )(restore)


def history(
    ref: Annotated[
        str, typer.Argument(metavar="REF", help="REPOSITORY:TAG, or REPOSITORY for all its tags.")
    ],
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Changes at most.")] = 50,
    json: _Json = False,
) -> None:
    """List what a name was for, the newest first: when, which digest, by whom, and whether it can come back."""
    found = parse_local(ref.removeprefix("depot:"))
    with opened() as depot:
        changes = depot.history(found.repository, found.tag, limit)
    rows = [_row(one) for one in changes]
    if json:
        print_json(rows)
    elif not rows:
        note(f"Nothing is known of {ref}.")
    else:
        columns = {"at": "WHEN", "name": "NAME", "digest": "DIGEST", "source": "FROM", "state": "CONTENT"}
        table([{**row, "digest": row["digest"] or "removed"} for row in rows], columns)


def _row(change: "Change") -> dict[str, Any]:
    kept = "there" if change.there else "gone"
    return {
        "name": f"{change.repository}:{change.tag}",
        "at": rfc3339(change.at),
        "digest": str(change.digest) if change.digest else None,
        "source": change.origin.source,
        "state": kept if change.digest else None,
        "restores": change.restores,
    }


def restore(
    ref: Annotated[
        str,
        typer.Argument(metavar="REF", help="REPOSITORY:TAG or REPOSITORY@DIGEST that was removed or moved."),
    ],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="DIGEST", help="What the tag named: see 'ferry depot history'."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come back.")] = False,
    json: _Json = False,
) -> None:
    """Undo: let a name be for what it was for before it was removed or moved. Works until a clean-up took the content."""
    repository, wanted = split(ref)
    with opened() as depot:
        back = depot.restore(
            repository, wanted, by_hand(depot), to=parse_digest(to) if to else None, dry_run=dry_run
        )
    if json:
        document = {
            "name": ref,
            "digest": str(back.digest),
            "changed": back.changed,
            "tags": [f"{repository}:{tag}" for tag in back.tags],
            "manifests": [str(digest) for digest in back.manifests],
            "dry_run": dry_run,
        }
        print_json(document)
        return
    if not back.changed:
        line(f"{ref} is {back.digest} already; nothing changed.")
        return
    verb = "would be" if dry_run else "is"
    line(f"{ref} {verb} {back.digest} again.")
    for text in [*(f"{repository}:{tag}" for tag in back.tags), *map(str, back.manifests)]:
        line(f"  {text}")

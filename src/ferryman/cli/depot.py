"""`ferry depot`: what the depot holds, and keeping it; works with and without a running daemon."""

import shlex
from typing import Annotated

import typer

from ferryman.cli.bundle_keys import inventory
from ferryman.cli.depot_home import by_hand, noted, opened
from ferryman.cli.depot_keep import add_keeping
from ferryman.cli.depot_show import kind_of, removal_of, show_one, sizes_of, split, told
from ferryman.cli.depot_undo import add_undo
from ferryman.cli.local import confirm
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.clock import rfc3339
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Ref = Annotated[str, typer.Argument(metavar="REF", help="REPOSITORY:TAG or REPOSITORY@sha256:HEX.")]


def depot_app() -> typer.Typer:
    """Return the commands of `ferry depot`."""
    app = typer.Typer(
        help="Content that is kept: images, models and what belongs to them.", no_args_is_help=True
    )
    app.command("ls", epilog="Examples:\n\nferry depot ls\n\nferry depot ls quay.io/team")(list_refs)
    app.command("show", epilog="Examples:\n\nferry depot show quay.io/team/app:1.2")(show)
    app.command("rm", epilog="Examples:\n\nferry depot rm quay.io/team/app:1.2 --dry-run")(remove)
    app.command("tag", epilog="Examples:\n\nferry depot tag quay.io/team/app:1.2 stable")(tag)
    app.command("du", epilog="Examples:\n\nferry depot du\n\nferry depot du quay.io/team --json")(usage)
    app.command("inventory", epilog="Examples:\n\nferry depot inventory -o here.inventory")(inventory)
    add_undo(app)
    add_keeping(app)
    return app


def list_refs(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only repositories that begin with this.")
    ] = "",
    digests: Annotated[bool, typer.Option("--digests", help="Show whole digests.")] = False,
    untagged: Annotated[bool, typer.Option("--all", help="Manifests without a tag too.")] = False,
    json: _Json = False,
) -> None:
    """List what is kept, by name."""
    rows: list[dict[str, object]] = []
    with opened() as depot:
        after = ""
        while page := depot.refs(prefix, after, 1000):
            rows += [_row(str(ref), str(ref.digest), ref.media_type, ref.updated_at) for ref in page]
            after = str(page[-1])
        last = ""
        while untagged and (names := depot.repositories(last, 1000, prefix)):
            last = names[-1]
            for name in names:
                digest = ""
                while manifests := depot.manifests(name, digest, 1000):
                    digest = str(manifests[-1].digest)
                    rows += [
                        _row(f"{name}@{one.digest}", str(one.digest), one.media_type, one.created_at)
                        for one in manifests
                        if not one.tags
                    ]
        sizes = sizes_of(depot, [str(row["digest"]) for row in rows])
    for row in rows:
        row["size"] = sizes.get(str(row["digest"]))
    if json:
        print_json(rows)
        return
    if not rows:
        note("The depot has nothing of that name." if prefix else "The depot is empty.")
        return
    _print(rows, digests=digests)


def _print(rows: list[dict[str, object]], *, digests: bool) -> None:
    for row in rows:
        row["digest"] = row["digest"] if digests else str(row["digest"])[:19]
        row["size"] = format_size(row["size"]) if isinstance(row["size"], int) else None
        row["media_type"] = kind_of(str(row["media_type"]))
    columns = {"name": "NAME", "size": "SIZE", "media_type": "KIND", "digest": "DIGEST", "updated_at": "SET"}
    table(rows, columns, right=("size",))


def _row(name: str, digest: str, media_type: str, at: float) -> dict[str, object]:
    return {"name": name, "digest": digest, "media_type": media_type, "updated_at": rfc3339(at)}


def show(ref: _Ref, json: _Json = False) -> None:
    """Show one image: what it consists of, where it came from, what its tag named before."""
    with opened() as depot:
        document = show_one(depot, ref)
    if json:
        print_json(document)
        return
    for text in told(document):
        line(text)


def remove(
    refs: Annotated[list[str], typer.Argument(metavar="REF…", help="REPOSITORY:TAG or REPOSITORY@DIGEST.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: _Json = False,
) -> None:
    """Take names away, with the manifests and signatures that nothing else names; bytes go with the next gc."""
    with opened() as depot:
        told = [removal_of(depot, ref) for ref in refs]
        if not json:
            for one in told:
                _tell(one)
        if not dry_run:
            if not yes:
                confirm(f"Remove {len(refs)} from the depot")
            for ref in refs:
                repository, wanted = split(ref)
                depot.remove(repository, wanted, by_hand(depot), noted(depot, ref))
    if json:
        print_json([{**one, "dry_run": dry_run, "undo": undo_of(str(one["name"]))} for one in told])
    elif not dry_run:
        note("Removed. To undo it, until a clean-up takes the content:")
        for ref in refs:
            note(f"  {undo_of(ref)}")
        note("'ferry depot gc' frees the room after a day, 'ferry depot gc --grace 0' at once.")


def undo_of(ref: str) -> str:
    """Return the command that puts back what was removed."""
    return f"ferry depot restore {shlex.quote(ref)}"


def _tell(one: dict[str, object]) -> None:
    tags, manifests = one["tags"], one["manifests"]
    assert isinstance(tags, list)
    assert isinstance(manifests, list)
    freed = one["freed"]
    assert isinstance(freed, int)
    line(
        f"{one['name']}: {len(tags)} tags, {len(manifests)} manifests, {format_size(freed)} that nothing else needs"
    )
    for text in [*tags, *manifests]:
        line(f"  {text}")


def tag(
    ref: _Ref,
    new: Annotated[str, typer.Argument(metavar="TAG", help="The new tag, in the same repository.")],
    json: _Json = False,
) -> None:
    """Give an image another tag."""
    repository, wanted = split(ref)
    if "/" in new or ":" in new:
        raise Invalid(
            "tag_elsewhere",
            f"'{new[:200]}' is not a tag of '{repository}'.",
            advice=f"Write the tag alone; for another repository use: ferry copy depot:{ref} depot:{new}",
        )
    with opened() as depot:
        digest = depot.manifest(repository, wanted).digest
        depot.tag(repository, digest, new, by_hand(depot))
    if json:
        print_json({"name": f"{repository}:{new}", "digest": str(digest)})
    else:
        line(f"{repository}:{new} is {digest}")


def usage(
    prefix: Annotated[
        str, typer.Argument(metavar="PREFIX", help="Only repositories that begin with this.")
    ] = "",
    json: _Json = False,
) -> None:
    """Say what is used: by each reference alone, and shared with others."""
    with opened() as depot:
        found = depot.du(prefix)
    rows = [
        {"name": str(one.ref), "unique": one.unique, "shared": one.shared, "blobs": one.blobs}
        for one in found.refs
    ]
    if json:
        whole = ("size", "quota", "referenced", "unreferenced", "blobs", "repositories")
        print_json({**{name: getattr(found, name) for name in whole}, "references": rows})
        return
    shown = [
        {
            **row,
            "unique": format_size(int(str(row["unique"]))),
            "shared": format_size(int(str(row["shared"]))),
        }
        for row in rows
    ]
    if shown:  # what frees most stands first
        shown = [one for _, one in sorted(zip(rows, shown, strict=True), key=lambda both: -_unique(both[0]))]
        columns = {"name": "NAME", "unique": "ALONE", "shared": "SHARED", "blobs": "BLOBS"}
        table(shown, columns, right=("unique", "shared", "blobs"))
    limit = f" of {format_size(found.quota)}" if found.quota else ""
    line(
        f"{found.blobs} blobs in {found.repositories} repositories: {format_size(found.size)}{limit}, "
        f"{format_size(found.unreferenced)} that nothing refers to"
        + (", which 'ferry depot gc --grace 0' frees" if found.unreferenced else "")
    )


def _unique(row: dict[str, object]) -> int:
    return int(str(row["unique"]))

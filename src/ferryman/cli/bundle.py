"""`ferry bundle`: images of the depot in signed files that are carried to another site. Works without a daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferryman.cli.bundle_detach import detached
from ferryman.cli.bundle_keys import add_keys, site_keys
from ferryman.cli.depot_home import opened
from ferryman.cli.models_show import Bar
from ferryman.cli.output import line, pairs, print_json
from ferryman.core.clock import rfc3339
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size, parse_size

if TYPE_CHECKING:  # they need the depot, which help must not wait for
    from ferryman.depot.bundles.create import Created
    from ferryman.depot.bundles.volume import Volume

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Detach = Annotated[
    bool,
    typer.Option(
        "--detach", help="Let the daemon do it and print the id of the job; 'ferry jobs' follows it."
    ),
]
_Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", help="Volumes; FILE alone stands for FILE.001, FILE.002 and so on."),
]


def bundle_app() -> typer.Typer:
    """Return the commands of `ferry bundle`."""
    app = typer.Typer(
        help="Carry images to another site in signed files, whole or only what is missing there.",
        no_args_is_help=True,
    )
    app.command(
        "create",
        epilog="Examples:\n\nferry bundle create quay.io/team/app:1.2 -o app.bundle\n\n"
        "ferry bundle create quay.io/team/app:1.2 -o app.bundle --volume-size 4G --against there.inventory",
    )(create)
    app.command(
        "load", epilog="Examples:\n\nferry bundle load app.bundle\n\nferry bundle load app.bundle.002"
    )(load)
    app.command("ls", epilog="Examples:\n\nferry bundle ls app.bundle --json")(list_bundle)
    app.command("verify", epilog="Examples:\n\nferry bundle verify app.bundle")(verify_bundle)
    add_keys(app)
    return app


def create(
    refs: Annotated[
        list[str], typer.Argument(metavar="REF…", help="REPOSITORY:TAG or REPOSITORY@DIGEST of the depot.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    volume_size: Annotated[
        str | None,
        typer.Option(
            "--volume-size", metavar="SIZE", help="Split into FILE.001 … of at most this, such as 4G."
        ),
    ] = None,
    zstd: Annotated[bool, typer.Option("--zstd", help="Compress each file with Zstandard.")] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="INVENTORY",
            help="Leave out what the receiver has: its 'ferry depot inventory'.",
        ),
    ] = None,
    detach: _Detach = False,
    json: _Json = False,
) -> None:
    """Write images of the depot, with their signatures, into a bundle."""
    most = _most(volume_size)
    if detach:
        paths = {"output": output, "against": against}
        detached("create", paths, json=json, refs=refs, volume_size=most, zstd=zstd)
        return
    from ferryman.depot.bundles.create import Creation, Order  # noqa: PLC0415 - loads the database and cryptography
    from ferryman.depot.bundles.inventory import read_inventory  # noqa: PLC0415 - loads the database and cryptography

    keys = site_keys()
    with opened() as depot:
        there = read_inventory(against, keys) if against else None
        making = Creation(depot, keys, Order(tuple(refs), output, most, zstd, there))
        with Bar("Writing", making.total) as bar:
            made = making.run(bar.add)
    _told(made, json=json)


def _most(volume_size: str | None) -> int | None:
    """Return the bytes of a volume. Raises `Invalid` (`size_invalid`)."""
    most = parse_size(volume_size) if volume_size else None
    if most is not None and most <= 0:
        raise Invalid(
            "size_invalid", f"'{volume_size}' is no size of a volume.", advice="Write a size such as 4G."
        )
    return most


def _told(made: "Created", *, json: bool) -> None:
    if json:
        found = {"id": made.bundle.id, "key_id": made.bundle.key_id, "references": made.bundle.references}
        files = [{"file": str(path), "size": path.stat().st_size} for path in made.files]
        left_out = len(made.bundle.assumed)
        blobs = len(made.bundle.parts)
        sizes = {"size": made.bundle.size, "kept": made.kept}
        print_json({**found, "blobs": blobs, "left_out": left_out, **sizes, "files": files})
        return
    for path in made.files:
        line(f"{path}: {format_size(path.stat().st_size)}")
    if made.kept:
        line(f"{format_size(made.kept)} were written by an earlier attempt")
    left = f", {len(made.bundle.assumed)} are there already" if made.bundle.assumed else ""
    line(
        f"{len(made.bundle.parts)} blobs, {format_size(made.bundle.size)}{left}; signed with {made.bundle.key_id}"
    )


@contextmanager
def _volumes(files: list[Path], *, trusted: bool) -> "Iterator[tuple[list[Volume], list[tuple[str, str]]]]":
    """Open all volumes that are meant for the time of a block."""
    from ferryman.depot.bundles.volume import open_all, volumes_of  # noqa: PLC0415 - loads cryptography and zstandard

    found, broken = open_all(volumes_of(files), site_keys(), trusted=trusted)
    try:
        yield found, broken
    finally:
        for one in found:
            one.close()


def load(
    files: _Files,
    more: Annotated[
        bool, typer.Option("--more", help="Other volumes will follow: it is no error that some are missing.")
    ] = False,
    detach: _Detach = False,
    json: _Json = False,
) -> None:
    """Bring a bundle into the depot; volumes in any order, and again after an interruption."""
    if detach:
        detached("load", {"files": files}, json=json, more=more)
        return
    from ferryman.depot.bundles.load import Loading, demand_complete  # noqa: PLC0415 - loads the database and cryptography

    with opened(create=True) as depot, _volumes(files, trusted=True) as (found, broken):
        loading = Loading(depot, found)
        with Bar("Loading", loading.total) as bar:
            loaded = loading.run(bar.add, broken)
    if not more:
        demand_complete(loaded)
    missing = ", ".join(str(number) for number in loaded.missing)
    if json:
        print_json(
            {
                "id": loaded.bundle.id,
                "complete": loaded.complete,
                "missing": list(loaded.missing),
                "references": loaded.bundle.references,
                "brought": loaded.brought,
                "there": loaded.there,
                "read": loaded.read,
            }
        )
        return
    if loaded.complete:
        for ref in loaded.bundle.references:
            line(ref)
    line(f"{format_size(loaded.brought)} brought, {format_size(loaded.there)} there before")
    if missing:
        line(f"Volumes that are still missing: {missing}")


def list_bundle(files: _Files, json: _Json = False) -> None:
    """Show what is in a bundle; one volume is enough, and its key need not be trusted."""
    with _volumes(files, trusted=False) as (found, _):
        document = _document(found)
    if json:
        print_json(document)
        return
    trust = document["key_name"] or "not trusted here"
    pairs(
        [
            ("id", document["id"]),
            ("key", f"{document['key_id']} ({trust})"),
            ("created", document["created_at"]),
            ("volumes", f"{len(document['volumes'])}, here: {', '.join(map(str, document['here']))}"),
            ("size", format_size(document["size"])),
            ("left out", document["assumed"] or None),
        ]
    )
    for ref in document["references"]:
        line(f"{ref['name']}  {ref['digest']}")
    for blob in document["blobs"]:
        line(f"  {blob['digest']}  {format_size(blob['size'])}")


def _document(found: "list[Volume]") -> dict[str, Any]:
    bundle, key = found[0].bundle, found[0].key
    return {
        "id": bundle.id,
        "key_id": key.id,
        "key_name": key.name or None,
        "created_at": rfc3339(bundle.created_at),
        "size": bundle.size,
        "volumes": list(bundle.volumes),
        "here": sorted(one.number for one in found),
        "references": [
            {"name": f"{one.repository}:{tag}", "digest": str(one.digest), "media_type": one.media_type}
            for one in bundle.named
            for tag in one.tags
        ],
        "blobs": [
            {"digest": str(one.digest), "size": one.size, "volumes": [cut.volume for cut in one.segments]}
            for one in bundle.parts
        ],
        "assumed": [str(one) for one in bundle.assumed],
    }


def verify_bundle(files: _Files, json: _Json = False) -> None:
    """Check the signature and every byte, without loading anything. All volumes are needed."""
    from ferryman.depot.bundles.verify import verify  # noqa: PLC0415 - loads cryptography and zstandard

    with _volumes(files, trusted=True) as (found, broken):
        with Bar("Reading", found[0].bundle.size) as bar:
            checked = verify(found, bar.add, broken)
        key = found[0].key
    if json:
        sizes = {"blobs": checked.blobs, "size": checked.size, "volumes": len(checked.bundle.volumes)}
        print_json({"id": checked.bundle.id, "key_id": key.id, "key_name": key.name, **sizes})
    else:
        line(f"{checked.blobs} blobs, {format_size(checked.size)}: all well; signed by {key.name} ({key.id})")

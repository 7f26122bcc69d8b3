"""`ferry bundle key|trust|untrust|trusted` and `ferry depot inventory`: what sites show each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferryman.cli.depot_home import opened
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.layers import load_settings

if TYPE_CHECKING:
    from ferryman.depot.bundles.keys import Keys

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="What the other site is called here.")]
_LONGEST = 4096


def add_keys(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("key", epilog="Examples:\n\nferry bundle key > here.key")(show_key)
    app.command("trust", epilog="Examples:\n\nferry bundle trust hamburg hamburg.key")(trust)
    app.command("untrust", epilog="Examples:\n\nferry bundle untrust hamburg")(untrust)
    app.command("trusted", epilog="Examples:\n\nferry bundle trusted")(list_trusted)


def site_keys() -> "Keys":
    """Return the keys of this home."""
    from ferryman.depot.bundles.keys import Keys  # noqa: PLC0415 - loads cryptography

    return Keys(load_settings().home / "keys")


def show_key(json: _Json = False) -> None:
    """Print the public key of this site, which others have to trust; it is made at the first time."""
    key = site_keys().own()
    if json:
        print_json({"key_id": key.id, "key": str(key)})
        return
    line(str(key))
    note(f"Its id is {key.id}.")


def trust(
    name: _Name,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY|FILE", help="What 'ferry bundle key' printed there, or a file with it."),
    ],
    json: _Json = False,
) -> None:
    """Accept bundles and inventories that are signed with a key. Compare its id with the other site first."""
    file = Path(key)
    text = key
    if " " not in key.strip() and file.is_file():
        with file.open("rb") as stream:
            text = stream.read(_LONGEST).decode("utf-8", "replace")
    made = site_keys().trust(name, text)
    if json:
        print_json({"name": name, "key_id": made.id, "key": str(made)})
    else:
        line(f"{name} is trusted: {made.id}")


def untrust(name: _Name, json: _Json = False) -> None:
    """Accept no more what is signed with the key of that name."""
    site_keys().untrust(name)
    if json:
        print_json({"name": name, "trusted": False})
    else:
        line(f"{name} is not trusted any more.")


def list_trusted(json: _Json = False) -> None:
    """List the keys of others that are trusted here."""
    rows = [{"name": one.name, "key_id": one.id, "key": str(one)} for one in site_keys().trusted()]
    if json:
        print_json(rows)
    elif rows:
        table(rows, {"name": "NAME", "key_id": "KEY ID"})
    else:
        note("No key is trusted. 'ferry bundle trust' adds one.")


def inventory(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    json: _Json = False,
) -> None:
    """Write down, signed, what this depot holds: another site makes bundles without it."""
    from ferryman.depot.bundles.inventory import write_inventory  # noqa: PLC0415 - loads the database

    with opened(create=True) as depot:
        made = write_inventory(depot, site_keys(), output)
    if json:
        print_json({"file": str(output), "blobs": len(made.blobs), "key_id": made.key.id})
    else:
        line(f"{output}: {len(made.blobs)} blobs, signed with {made.key.id}")

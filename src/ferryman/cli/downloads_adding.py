"""`ferry downloads preview` and `decide`: what addresses lead to, and what becomes of files that are there."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from ferryman.cli.client import connect
from ferryman.cli.get_plan import read_list
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


class Choice(StrEnum):
    """What to do about a file that is there."""

    RENAME = "rename"
    OVERWRITE = "overwrite"
    SKIP = "skip"


def add_adding(app: typer.Typer) -> None:
    """Add the commands to those of `ferry downloads`."""
    app.command(
        "preview",
        epilog="Examples:\n\nferry downloads preview https://example.org/image.iso\n\n"
        "ferry downloads preview --input SHA256SUMS --base https://example.org/release/",
    )(preview)
    app.command(
        "decide", epilog="Example:\n\nferry downloads decide 01976c4e-7e0b-7c3a-9a52-2d6f1b0c9e11 rename"
    )(decide)


def preview(
    urls: Annotated[list[str] | None, typer.Argument(metavar="URL…", help="Addresses to look at.")] = None,
    listed: Annotated[
        str, typer.Option("--input", "-i", metavar="LIST|-", help="File with one source on each line.")
    ] = "",
    base: Annotated[
        str, typer.Option(metavar="URL", help="Where the files of checksum lines in the list are.")
    ] = "",
    json: _Json = False,
) -> None:
    """Look at what addresses lead to, without fetching: name, size, whether it can be resumed or is there already."""
    order: dict[str, Any] = {"urls": urls or [], "text": read_list(listed) if listed else "", "base": base}
    order = {name: value for name, value in order.items() if value}
    if not order.keys() & {"urls", "text"}:
        raise Invalid("nothing_to_fetch", "Nothing says what to look at.", advice="Give a URL, or --input.")
    found = connect().post("/api/v1/downloads/preview", order)
    if json:
        print_json(found)
        return
    rows = [
        {
            **item,
            "size": None if item["size"] is None else format_size(item["size"]),
            "note": item["error"] or ("is there already" if item["exists"] else "") or _earlier(item),
        }
        for item in found["items"]
    ]
    columns = {"name": "NAME", "size": "SIZE", "resumable": "RESUMABLE", "mime": "TYPE", "note": "NOTE"}
    table(rows, columns, right=("size",))
    if found["unseen"]:
        note(f"{found['unseen']} were not looked at.")


def decide(
    job: Annotated[str, typer.Argument(metavar="ID", help="A download that failed because its file exists.")],
    choice: Annotated[Choice, typer.Argument(help="Keep both, replace the old one, or keep the old one.")],
    json: _Json = False,
) -> None:
    """Decide what becomes of a download whose file is there already; it goes on then."""
    found = connect().post(f"/api/v1/downloads/{job}/conflict", {"overwrite": choice.value})
    if json:
        print_json(found)
    else:
        line(f"{found['id']}  {found['state']}  {found['title']}")


def _earlier(item: dict[str, Any]) -> str:
    return f"the same as job {item['duplicate_of']}" if item["duplicate_of"] else ""

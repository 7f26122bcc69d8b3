"""`ferry downloads list|export|import|filters|prune`: the history of downloads, narrowed in every way the page knows."""

import re
import sys
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ferryman.cli.client import Client, connect
from ferryman.cli.jobs import print_jobs
from ferryman.cli.jobs_choice import JsonOption, State
from ferryman.cli.output import line, note, print_json, table
from ferryman.core.errors import FerryError, Invalid, NotFound
from ferryman.core.units import format_size, parse_size

_Search = Annotated[
    str,
    typer.Option("--search", "-s", metavar="WORDS", help="Only those whose name, source or error has these."),
]
_States = Annotated[
    list[State] | None, typer.Option("--state", help="Only in this state; repeat for several.")
]
_Reasons = Annotated[
    list[str] | None, typer.Option("--reason", metavar="REASON", help="Only those that failed so: network.")
]
_Hosts = Annotated[list[str] | None, typer.Option("--host", metavar="HOST", help="Only from this host.")]
_Categories = Annotated[
    list[str] | None, typer.Option("--category", metavar="NAME", help="Only those filed under this category.")
]
_Owner = Annotated[str, typer.Option(metavar="ID", help="Only those of this user, for who sees all.")]
_Size = Annotated[str, typer.Option(metavar="FROM-TO", help="Only of this size: 10MB-4GB, 1GB- or -500K.")]
_Added = Annotated[
    str,
    typer.Option(
        metavar="FROM..TO", help="Only added in these days: 2026-01-01..2026-01-31, or one open end."
    ),
]
_Ended = Annotated[str, typer.Option(metavar="FROM..TO", help="Only ended in these days, in the same form.")]
_Sort = Annotated[
    str, typer.Option(metavar="ORDER", help="Such as title, size or finished_at; a dash before it turns it.")
]
_Saved = Annotated[str, typer.Option(metavar="NAME", help="Begin with this saved filter.")]


class Tab(StrEnum):
    """A tab of the page."""

    ALL = "all"
    ACTIVE = "active"
    QUEUE = "queue"
    COMPLETED = "completed"
    HISTORY = "history"


class Form(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON = "json"


class ListForm(StrEnum):
    """How a list to import is written."""

    AUTO = "auto"
    CSV = "csv"
    JSON = "json"
    TEXT = "text"


def add_history(app: typer.Typer) -> None:
    """Add the commands to `ferry downloads`."""
    app.command(
        "list",
        epilog="Examples:\n\nferry downloads list\n\nferry downloads list --tab completed --search iso\n\n"
        "ferry downloads list --host example.org --size 1GB- --sort=-size",
    )(list_downloads)
    app.command(
        "export",
        epilog="Examples:\n\nferry downloads export -o history.csv\n\n"
        "ferry downloads export --form json --state failed --ended 2026-01-01..",
    )(export)
    app.command(
        "import",
        epilog="Examples:\n\nferry downloads import history.csv\n\nferry downloads import list.txt --partial",
    )(import_list)
    app.command(
        "prune",
        epilog="Examples:\n\nferry downloads prune --days 90 --dry-run\n\nferry downloads prune --count 100000",
    )(prune)
    filters = typer.Typer(help="Filters you saved.", no_args_is_help=True)
    filters.command("list", epilog="Example:\n\nferry downloads filters list")(list_filters)
    filters.command(
        "save", epilog="Example:\n\nferry downloads filters save 'large ones' --size 1GB- --sort=-size"
    )(save_filter)
    filters.command("delete", epilog="Example:\n\nferry downloads filters delete 'large ones'")(delete_filter)
    app.add_typer(filters, name="filters")


def list_downloads(
    tab: Annotated[Tab, typer.Option(help="Which of them.")] = Tab.ALL,
    search: _Search = "",
    state: _States = None,
    reason: _Reasons = None,
    host: _Hosts = None,
    category: _Categories = None,
    owner: _Owner = "",
    size: _Size = "",
    added: _Added = "",
    ended: _Ended = "",
    sort: _Sort = "",
    saved: _Saved = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most of them to print.")] = 50,
    cursor: Annotated[str, typer.Option(metavar="CURSOR", help="Go on after this page.")] = "",
    sums: Annotated[
        bool, typer.Option("--sums", help="Only what they come to: number, bytes, states.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List downloads, narrowed and ordered, or add them up."""
    client = connect()
    query = _saved(client, saved) | _query(search, state, reason, host, category, owner, size, added, ended)
    if sums:
        query.pop("sort", None)
        _print_sums(client.get("/api/v1/downloads/summary", query), json=json)
        return
    query |= {"tab": tab.value, "limit": limit, "cursor": cursor} | ({"sort": sort} if sort else {})
    print_jobs(client.get("/api/v1/downloads", query), json=json)


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it here, not to the terminal."),
    ] = None,
    form: Annotated[
        Form | None, typer.Option(help="How it is written; without, as the file is called, else CSV.")
    ] = None,
    search: _Search = "",
    state: _States = None,
    reason: _Reasons = None,
    host: _Hosts = None,
    category: _Categories = None,
    owner: _Owner = "",
    size: _Size = "",
    added: _Added = "",
    ended: _Ended = "",
    sort: _Sort = "",
    saved: _Saved = "",
) -> None:
    """Write all downloads that fit as CSV or JSON; secrets are left out. `import` takes both."""
    client = connect()
    query = _saved(client, saved) | _query(search, state, reason, host, category, owner, size, added, ended)
    named = output is not None and output.suffix.lower() == ".json"
    query["format"] = (form or (Form.JSON if named else Form.CSV)).value
    query |= {"sort": sort} if sort else {}
    if output is None:
        for piece in client.pieces("/api/v1/downloads/export", query):
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        return
    _write(client, query, output)
    note(f"Wrote {output}.")


def import_list(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The list; - is standard input.")],
    form: Annotated[ListForm, typer.Option(help="How it is written; auto looks.")] = ListForm.AUTO,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave wrong lines out; otherwise all or none are added.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Add the downloads of an exported list, or of one address a line: up to 10,000 at a time."""
    text = _read(file)
    path = f"/api/v1/downloads/import{'?partial=true' if partial else ''}"
    try:
        done = connect().post(path, {"text": text, "format": form.value})
    except FerryError as error:
        if error.code == "list_invalid" and not json:
            error.advice = "Correct them, or take the rest with --partial; nothing was added."
        raise
    if json:
        print_json(done)
        return
    line(f"Added {done['number']:,} downloads.")
    for one in done["refused"]:
        note(f"line {one['line']}: {one['detail']}")
    if done["wrong"]:
        note(f"{done['wrong']:,} wrong lines were left out.")


def prune(
    days: Annotated[
        int, typer.Option(min=0, metavar="DAYS", help="Those that ended more than so many days ago.")
    ] = 0,
    count: Annotated[int, typer.Option(min=0, metavar="NUMBER", help="The oldest beyond so many.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many; nothing is removed.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Remove old entries from the history; files stay. The settings history_days and history_count do it by themselves."""
    if not days and not count:
        raise Invalid("usage", "What to remove was not said.", advice="Give --days, --count or both.")
    client, number, more = connect(), 0, True
    while more:
        body = {"days": days, "count": count, "dry_run": dry_run}
        done = client.post("/api/v1/downloads/prune", body)
        number += done["number"]
        more = done["more"] and not dry_run
    if json:
        print_json({"number": number, "more": dry_run and done["more"], "dry_run": dry_run})
        return
    at_least = "at least " if dry_run and done["more"] else ""
    line(f"{'Would remove' if dry_run else 'Removed'} {at_least}{number:,} entries.")


def list_filters(json: JsonOption = False) -> None:
    """List the filters you saved."""
    found = connect().get("/api/v1/downloads/filters")
    if json:
        print_json(found)
    elif not found["items"]:
        note("You saved no filter. Save one: ferry downloads filters save NAME --state failed")
    else:
        rows = [{**one, "filter": _words(one["query"])} for one in found["items"]]
        table(rows, {"id": "ID", "name": "NAME", "filter": "FILTER"})


def save_filter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name; one with this name is replaced.")],
    search: _Search = "",
    state: _States = None,
    reason: _Reasons = None,
    host: _Hosts = None,
    category: _Categories = None,
    owner: _Owner = "",
    size: _Size = "",
    added: _Added = "",
    ended: _Ended = "",
    sort: _Sort = "",
    json: JsonOption = False,
) -> None:
    """Save a filter for the page, for `list` and for `export`."""
    query = _query(search, state, reason, host, category, owner, size, added, ended)
    query |= {"sort": sort} if sort else {}
    done = connect().post("/api/v1/downloads/filters", {"name": name, "query": query})
    if json:
        print_json(done)
    else:
        line(f"Saved '{done['name']}': {_words(done['query'])}")


def delete_filter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the filter.")],
) -> None:
    """Delete a filter you saved; the downloads stay."""
    client = connect()
    found = _named(client, name)
    client.delete(f"/api/v1/downloads/filters/{found['id']}")
    note(f"Deleted '{found['name']}'.")


def _query(
    search: str,
    state: list[State] | None,
    reason: list[str] | None,
    host: list[str] | None,
    category: list[str] | None,
    owner: str,
    size: str,
    added: str,
    ended: str,
) -> dict[str, Any]:
    """Return what was typed as the API takes it. Raises `Invalid` that names what is wrong."""
    found: dict[str, Any] = {
        "q": search,
        "state": [one.value for one in state or ()],
        "reason": reason,
        "host": host,
        "category": category,
        "owner": owner,
    }
    low, dash, high = size.partition("-")
    if size:
        found["min_size"] = parse_size(low) if low else None
        found["max_size"] = parse_size(high) if high else None if dash else parse_size(low)
    for text, names in ((added, ("since", "until")), (ended, ("finished_since", "finished_until"))):
        first, dots, last = text.partition("..")
        found[names[0]] = _day(first, ended=False) if first else None
        last = last if dots else first
        found[names[1]] = _day(last, ended=True) if last else None
    return {name: value for name, value in found.items() if value not in (None, "", [])}


def _day(text: str, *, ended: bool) -> str:
    """Return when a day begins, or ends."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.+", text):
        return text
    try:
        day = date.fromisoformat(text.strip())
        day = date.fromordinal(day.toordinal() + int(ended))
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "day_invalid", f"'{text[:40]}' is no day.", advice="Write days as 2026-01-01..2026-01-31."
        ) from error
    return f"{day.isoformat()}T00:00:00Z"


def _named(client: Client, name: str) -> dict[str, Any]:
    for one in client.get("/api/v1/downloads/filters")["items"]:
        if name in {one["id"], one["name"]}:
            return dict(one)
    raise NotFound(
        "filter_not_found",
        f"There is no saved filter '{name[:80]}'.",
        advice="See 'ferry downloads filters list'.",
    )


def _saved(client: Client, name: str) -> dict[str, Any]:
    return dict(_named(client, name)["query"]) if name else {}


def _words(query: dict[str, Any]) -> str:
    parts = (
        f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in query.items()
    )
    return " ".join(parts) or "everything"


def _print_sums(sums: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(sums)
        return
    states = ", ".join(f"{number:,} {state}" for state, number in sums["states"].items() if number)
    success = "" if sums["success"] is None else f", {sums['success']:.1%} success"
    more = "at least " if sums["at_least"] else ""
    line(
        f"{more}{sums['number']:,} downloads, {format_size(sums['size'])}{': ' if states else ''}{states}{success}"
    )


def _write(client: Client, query: dict[str, Any], output: Path) -> None:
    """Write an export to a file, which is there whole or not at all."""
    half = output.with_name(f"{output.name}.part")
    try:
        with half.open("wb") as target:
            for piece in client.pieces("/api/v1/downloads/export", query):
                target.write(piece)
        half.replace(output)
    except OSError as error:
        raise Invalid(
            "file_unwritable",
            f"'{output}' cannot be written: {error.strerror}.",
            advice="Choose another file.",
        ) from error
    finally:
        half.unlink(missing_ok=True)


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(
            "list_unreadable", f"'{file[:200]}' cannot be read: {error.strerror}.", advice="Check the path."
        ) from error
    return data.decode("utf-8-sig", "replace")

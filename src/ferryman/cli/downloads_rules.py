"""`ferry downloads rules`: what the daemon does with downloads by what their addresses look like."""

import inspect
import json as json_text
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from ferryman.cli.client import connect
from ferryman.cli.get_plan import read_list
from ferryman.cli.local import confirm
from ferryman.cli.output import line, note, pairs, print_json, table
from ferryman.core.errors import Invalid

PATH = "/api/v1/downloads/rules"
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Rule = Annotated[str, typer.Argument(metavar="RULE", help="Name or id of the rule.")]
_Extensions = Annotated[
    list[str] | None,
    typer.Option("--extension", metavar="ENDING", help="Ending of the name, such as iso; repeat it."),
]
_Hosts = Annotated[
    list[str] | None, typer.Option("--host", metavar="HOST", help="Host, or *.example.org; repeat it.")
]
_Expression = Annotated[
    str | None, typer.Option(metavar="RE2", help="Regular expression found in the address.")
]
_MinSize = Annotated[str | None, typer.Option(metavar="SIZE", help="At least this large, such as 500MB.")]
_MaxSize = Annotated[str | None, typer.Option(metavar="SIZE", help="At most this large.")]
_Category = Annotated[str | None, typer.Option(metavar="NAME", help="What it is filed under.")]
_Folder = Annotated[
    str | None,
    typer.Option(metavar="FOLDER", help="Folder, which may hold {host}, {category}, {date} and others."),
]
_Priority = Annotated[int | None, typer.Option(min=0, max=9, help="0 runs first, 9 last.")]
_Limit = Annotated[
    str | None, typer.Option("--limit", metavar="RATE", help="Speed limit of each, such as 2MB/s.")
]
_Connections = Annotated[int | None, typer.Option(min=1, max=32, help="Most connections of each.")]
_Checksum = Annotated[
    str | None, typer.Option(metavar="WHAT", help="'required', or a checksum file such as {url}.sha256.")
]
_Unpack = Annotated[bool | None, typer.Option("--unpack/--no-unpack", help="Whether archives are unpacked.")]
_Hooks = Annotated[
    list[str] | None, typer.Option("--hook", metavar="ID", help="Id of a hook to call; repeat it.")
]
_Enabled = Annotated[bool | None, typer.Option("--on/--off", help="Whether the rule counts.")]
_FIELDS: Final[dict[str, tuple[str, Any]]] = {
    "extension": ("extensions", _Extensions),
    "host": ("hosts", _Hosts),
    "expression": ("expression", _Expression),
    "min_size": ("min_size", _MinSize),
    "max_size": ("max_size", _MaxSize),
    "category": ("category", _Category),
    "folder": ("folder", _Folder),
    "priority": ("priority", _Priority),
    "limit": ("rate_limit", _Limit),
    "connections": ("connections", _Connections),
    "checksum": ("checksum", _Checksum),
    "unpack": ("unpack", _Unpack),
    "hook": ("hooks", _Hooks),
    "enabled": ("enabled", _Enabled),
}
"""What can be said of a rule: the option, the field of the API, and how it is typed."""


def rules_app() -> typer.Typer:
    """Return the commands of `ferry downloads rules`."""
    app = typer.Typer(help="Rules: what an address looks like decides what follows.", no_args_is_help=True)
    app.command("list", epilog="Example:\n\nferry downloads rules list")(list_rules)
    app.command("show", epilog="Example:\n\nferry downloads rules show Images")(show_rule)
    app.command(
        "add",
        epilog="Example:\n\nferry downloads rules add Images --extension iso --category Images --folder 'images/{host}'",
    )(add_rule)
    app.command("edit", epilog="Example:\n\nferry downloads rules edit Images --limit 2MB/s --off")(edit_rule)
    app.command("remove", epilog="Example:\n\nferry downloads rules remove Images --yes")(remove_rule)
    app.command("move", epilog="Example:\n\nferry downloads rules move Images 1")(move_rule)
    app.command("test", epilog="Example:\n\nferry downloads rules test https://example.org/debian.iso")(
        try_rules
    )
    app.command("export", epilog="Example:\n\nferry downloads rules export > rules.json")(export_rules)
    app.command("import", epilog="Example:\n\nferry downloads rules import rules.json --replace")(
        import_rules
    )
    return app


def list_rules(json: _Json = False) -> None:
    """List the rules in their order; the first that matches a download counts."""
    found = connect().get(PATH)
    if json:
        print_json(found)
        return
    if not found["items"]:
        note("There are no rules. Add one: ferry downloads rules add NAME --extension iso --folder images")
    rows = [{**item, "place": place} for place, item in enumerate(found["items"], 1)]
    columns = {
        "place": "PLACE", "name": "NAME", "enabled": "ON", "extensions": "ENDINGS", "hosts": "HOSTS",
        "expression": "EXPRESSION", "category": "CATEGORY", "folder": "FOLDER", "unpack": "UNPACK",
    }  # fmt: skip
    table(rows, columns, right=("place",))


def show_rule(rule: _Rule, json: _Json = False) -> None:
    """Show a rule."""
    _print(connect().get(_at(rule)), json=json)


def _with_fields(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of `_FIELDS` before its own."""
    known = inspect.signature(command).parameters.values()
    kinds = inspect.Parameter
    fields = [
        inspect.Parameter(option, kinds.KEYWORD_ONLY, default=None, annotation=values)
        for option, (_, values) in _FIELDS.items()
    ]
    parameters = [
        *(one for one in known if one.kind is kinds.POSITIONAL_OR_KEYWORD),
        *fields,
        *(one for one in known if one.kind is kinds.KEYWORD_ONLY),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


@_with_fields
def add_rule(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the rule.")],
    *,
    json: _Json = False,
    **options: Any,
) -> None:
    """Add a rule after the others. Conditions that are given must all hold."""
    _print(connect().post(PATH, {"name": name, **_given(options)}), json=json)


@_with_fields
def edit_rule(
    rule: _Rule,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    *,
    json: _Json = False,
    **options: Any,
) -> None:
    """Change a rule; what is not given stays, an empty text takes it away."""
    client = connect()
    known = client.get(_at(rule))
    body = {key: value for key, value in known.items() if key not in {"id", "created_at", "updated_at"}}
    named = {} if name is None else {"name": name}
    _print(client.put(_at(known["id"]), body | named | _given(options)), json=json)


def remove_rule(
    rule: _Rule, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove a rule. Downloads it was applied to stay as they are."""
    if not yes:
        confirm(f"Remove the rule {rule}")
    connect().delete(_at(rule))
    line(f"Removed {rule}.")


def move_rule(
    rule: _Rule,
    place: Annotated[int, typer.Argument(metavar="PLACE", min=1, help="Its new place, from 1.")],
    json: _Json = False,
) -> None:
    """Put a rule at another place in the order."""
    client = connect()
    known = client.get(_at(rule))
    ids = [item["id"] for item in client.get(PATH)["items"] if item["id"] != known["id"]]
    ids.insert(place - 1, known["id"])
    found = client.post(f"{PATH}/order", {"ids": ids})
    if json:
        print_json(found)
        return
    for number, item in enumerate(found["items"], 1):
        line(f"{number}  {item['name']}")


def try_rules(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address to try the rules on.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of its file.")] = None,
    size: Annotated[int | None, typer.Option(min=0, help="Its size in bytes.")] = None,
    json: _Json = False,
) -> None:
    """Tell which rule counts for an address, and what follows. Fetches nothing."""
    question = {
        key: value for key, value in (("url", url), ("name", name), ("size", size)) if value is not None
    }
    answer = connect().post(f"{PATH}/test", question)
    if json:
        print_json(answer)
        return
    if not answer["matched"]:
        line("No rule matches.")
        return
    pairs(
        [
            ("Rule", answer["rule"]),
            *((key.replace("_", " ").capitalize(), value) for key, value in answer["effects"].items()),
        ]
    )


def export_rules() -> None:
    """Print all rules as JSON that 'import' takes."""
    print_json(connect().get(f"{PATH}/export"))


def import_rules(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Exported rules; - is standard input.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put them in place of all that are there.")
    ] = False,
    json: _Json = False,
) -> None:
    """Take rules in: all of them, or none when one is wrong."""
    try:
        document = json_text.loads(read_list(str(file)))
    except ValueError as error:
        raise Invalid(
            "list_unreadable", f"'{file}' is not JSON: {error}.", advice="Give what 'export' printed."
        ) from error
    rules = document.get("rules") if isinstance(document, dict) else document
    found = connect().post(f"{PATH}/import", {"rules": rules, "replace": replace})
    if json:
        print_json(found)
        return
    line(f"{len(found['items'])} rules taken in.")


def _at(rule: str) -> str:
    return f"{PATH}/{quote(rule, safe='')}"


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that were given; a list with one empty text is an empty list."""
    given = ((_FIELDS[option][0], value) for option, value in options.items() if value is not None)
    return {field: [] if value == [""] else value for field, value in given}


def _print(rule: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(rule)
        return
    pairs((key.replace("_", " ").capitalize(), value) for key, value in rule.items())

"""`ferry downloads hooks`: who is told, and what is run, when a download has ended."""

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from ferryman.cli.client import connect
from ferryman.cli.get_options import secret_from
from ferryman.cli.local import confirm
from ferryman.cli.output import line, note, pairs, print_json, table
from ferryman.core.errors import Invalid

PATH = "/api/v1/downloads/hooks"
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_Hook = Annotated[str, typer.Argument(metavar="HOOK", help="Name or id of the hook.")]
_Secret = Annotated[
    str | None,
    typer.Option(metavar="FROM", help="Key of the signature: env:NAME, or a file whose first line it is."),
]
_Failures = Annotated[
    bool, typer.Option("--failures/--no-failures", help="Also call it when a download failed.")
]
_Always = Annotated[bool, typer.Option("--always", help="For every download, not only where a rule says so.")]
_NO_PART: Final = frozenset({"id", "host", "created_at", "updated_at"})
"""Fields of an answer that are no part of a hook as it is sent."""
_Timeout = Annotated[int, typer.Option(min=1, max=3600, help="Seconds one call may take.")]


def hooks_app() -> typer.Typer:
    """Return the commands of `ferry downloads hooks`."""
    app = typer.Typer(help="Hooks: webhooks and commands when a download has ended.", no_args_is_help=True)
    app.command("list", epilog="Example:\n\nferry downloads hooks list")(list_hooks)
    app.command("show", epilog="Example:\n\nferry downloads hooks show chat")(show_hook)
    app.command(
        "webhook",
        epilog="Example:\n\nferry downloads hooks webhook chat https://hooks.example.org/ferryman --always",
    )(add_webhook)
    app.command(
        "command", epilog="Example:\n\nferry downloads hooks command scan /usr/local/bin/scan --quick"
    )(add_command)
    app.command(
        "edit",
        epilog="Examples:\n\nferry downloads hooks edit chat --failures --timeout 60\n\n"
        "ferry downloads hooks edit chat --off",
    )(edit_hook)
    app.command("test", epilog="Example:\n\nferry downloads hooks test chat")(send_test)
    app.command("remove", epilog="Example:\n\nferry downloads hooks remove chat --yes")(remove_hook)
    return app


def list_hooks(json: _Json = False) -> None:
    """List the hooks."""
    found = connect().get(PATH)
    if json:
        print_json(found)
        return
    rows = [{**item, "calls": item["host"] or " ".join(item["command"])} for item in found["items"]]
    columns = {
        "name": "NAME",
        "kind": "KIND",
        "enabled": "ON",
        "calls": "CALLS",
        "events": "EVENTS",
        "id": "ID",
    }
    table(rows, columns)


def show_hook(hook: _Hook, json: _Json = False) -> None:
    """Show a hook; its address and key are never shown again."""
    _print(connect().get(_at(hook)), json=json)


def add_webhook(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the hook.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where the signed request goes.")],
    secret: _Secret = None,
    failures: _Failures = False,
    always: _Always = False,
    timeout: _Timeout = 30,
    attempts: Annotated[int, typer.Option(min=1, max=20, help="How often it is tried in all.")] = 8,
    json: _Json = False,
) -> None:
    """Add a webhook. Without --secret a random key is made and printed once."""
    body: dict[str, Any] = {"url": url, "attempts": attempts}
    if secret is not None:
        body["secret"] = secret_from(secret, "--secret")
    _add(name, body | _common(timeout, failures=failures, always=always), json=json)


def add_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the hook.")],
    program: Annotated[
        list[str],
        typer.Argument(metavar="PROGRAM [ARGUMENT]…", help="Program by its whole path, and its arguments."),
    ],
    failures: _Failures = False,
    always: _Always = False,
    timeout: _Timeout = 30,
    json: _Json = False,
) -> None:
    """Add a command. It runs only where ferry.toml or the environment sets hook_commands."""
    body = {"kind": "command", "command": program}
    _add(name, body | _common(timeout, failures=failures, always=always), json=json)


def edit_hook(
    hook: _Hook,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the requests of a webhook go from now on.")
    ] = None,
    secret: _Secret = None,
    program: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="What a command runs; repeat it for each argument."),
    ] = None,
    failures: Annotated[
        bool | None,
        typer.Option("--failures/--no-failures", help="Whether it is called when a download failed."),
    ] = None,
    always: Annotated[
        bool | None, typer.Option("--always/--no-always", help="Whether it is called for every download.")
    ] = None,
    timeout: Annotated[int | None, typer.Option(min=1, max=3600, help="Seconds one call may take.")] = None,
    attempts: Annotated[
        int | None, typer.Option(min=1, max=20, help="How often a webhook is tried in all.")
    ] = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether it is called at all.")] = None,
    json: _Json = False,
) -> None:
    """Change a hook; what is not given stays, also its address and its key."""
    asked = {
        "name": name, "url": url, "secret": None if secret is None else secret_from(secret, "--secret"),
        "command": program, "events": None if failures is None else _events(failures=failures),
        "always": always, "timeout": timeout, "attempts": attempts, "enabled": enabled,
    }  # fmt: skip
    given = {field: value for field, value in asked.items() if value is not None}
    if not given:
        raise Invalid("usage", "Nothing to change was named.", advice="Name it, such as --timeout 60.")
    client = connect()
    known = client.get(_at(hook))
    kept = {field: value for field, value in known.items() if field not in _NO_PART}
    _print(client.put(_at(known["id"]), kept | given), json=json)


def send_test(hook: _Hook, json: _Json = False) -> None:
    """Send a test: an event 'ping' without a file."""
    job = connect().post(f"{_at(hook)}/test")
    if json:
        print_json(job)
        return
    line(f"{job['id']}  {job['state']}  {job['title']}")
    note(f"See how it went: ferry jobs show {job['id']}")


def remove_hook(
    hook: _Hook, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove a hook. Deliveries that wait fail."""
    if not yes:
        confirm(f"Remove the hook {hook}")
    connect().delete(_at(hook))
    line(f"Removed {hook}.")


def _common(timeout: int, *, failures: bool, always: bool) -> dict[str, Any]:
    return {"events": _events(failures=failures), "always": always, "timeout": timeout}


def _events(*, failures: bool) -> list[str]:
    return ["download.succeeded", *(["download.failed"] if failures else [])]


def _add(name: str, body: dict[str, Any], *, json: bool) -> None:
    made = connect().post(PATH, {"name": name, **body})
    if json:
        print_json(made)
        return
    line(f"Added {made['name']}.")
    if made["secret"]:
        line(made["secret"])
        note("This is the key of its signature. It is not shown again.")


def _at(hook: str) -> str:
    return f"{PATH}/{quote(hook, safe='')}"


def _print(hook: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(hook)
        return
    pairs((key.replace("_", " ").capitalize(), value) for key, value in hook.items())

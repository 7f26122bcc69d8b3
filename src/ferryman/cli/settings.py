"""`ferry settings`: what is in force, where it comes from, and changing it; with a running daemon or without."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ferryman.cli.client import Client, connect
from ferryman.cli.local import actor, on_settings
from ferryman.cli.output import cell, line, note, pairs, print_json, table
from ferryman.core.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:  # needs the database, which help must not wait for
    from ferryman.settings.service import SettingsService

T = TypeVar("T")
PATH = "/api/v1/settings"
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the setting, such as connections.")]


def settings_app() -> typer.Typer:
    """Return the commands of `ferry settings`."""
    app = typer.Typer(
        help="What is in force, where it comes from, and changing it; with a running daemon or without.",
        invoke_without_command=True,
        epilog="Examples:\n\nferry settings\n\nferry settings set rate_limit=5MB/s",
    )
    app.callback()(everything)
    app.command("list", epilog="Examples:\n\nferry settings list\n\nferry settings list --changed")(
        list_settings
    )
    app.command("get", epilog="Examples:\n\nferry settings get rate_limit\n\nferry settings get port --json")(
        get
    )
    app.command("set", epilog="Example:\n\nferry settings set rate_limit=5MB/s download_concurrency=4")(set_)
    app.command("reset", epilog="Example:\n\nferry settings reset rate_limit")(reset)
    app.command(
        "export", epilog="Examples:\n\nferry settings export > ferry.toml\n\nferry settings export --json"
    )(export)
    app.command(
        "import",
        epilog="Examples:\n\nferry settings import ferry.toml --dry-run\n\nferry settings import - < ferry.toml",
    )(import_)
    return app


def everything(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """What is in force, where it comes from, and changing it; with a running daemon or without."""
    if context.invoked_subcommand is None:
        list_settings(json=json)


def list_settings(
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are not the default.")] = False,
    json: _Json = False,
) -> None:
    """List every setting with its value and where it comes from.

    With a running daemon they are the daemon's; otherwise those it would start with.
    """
    items = [item for item in _items() if not changed or item["origin"] != "default"]
    if json:
        print_json({"items": items})
        return
    columns = {"name": "SETTING", "value": "VALUE", "origin": "FROM", "description": "MEANING"}
    table(items, columns)
    for item in items:
        if item["problem"]:
            note(f"{item['name']}: the stored value is left out. {item['problem']}")
        if item["pending"]:
            note(f"{item['name']} takes effect at the next start.")


def get(name: _Name, json: _Json = False) -> None:
    """Print the value of one setting."""
    item = next((item for item in _items() if item["name"] == name), None)
    if item is None:
        raise _unknown(name)
    if json:
        print_json(item)
    else:
        line("" if item["value"] is None else str(item["value"]))


def set_(
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE…", help="Settings and their new values.")
    ],
    dry_run: _DryRun = False,
    json: _Json = False,
) -> None:
    """Change settings, all or none: at once where possible, otherwise at the next start."""
    wanted: dict[str, Any] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals:
            raise Invalid(
                "usage",
                f"'{text[:80]}' has no value.",
                advice="Write it as NAME=VALUE, such as connections=4.",
            )
        wanted[name.strip()] = value
    _print(_change(wanted, dry_run=dry_run), json=json)


def reset(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Settings to take back.")],
    json: _Json = False,
) -> None:
    """Take back what was set here or on the page: what file or default say holds again."""
    _print(_change(dict.fromkeys(names), dry_run=False), json=json)


def export(json: _Json = False) -> None:
    """Print everything that is not a default as TOML, which a ferry.toml may hold; secrets are left out."""
    form = "json" if json else "toml"

    async def offline(service: "SettingsService") -> str:
        from ferryman.settings.exchange import Format, exported, written  # noqa: PLC0415 - slow to import

        return written(exported(service.live), Format(form))

    sys.stdout.write(_either(lambda client: client.text(f"{PATH}/export", {"format": form}), offline))


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What 'ferry settings export' printed; - is standard input.", allow_dash=True
        ),
    ],
    dry_run: _DryRun = False,
    json: _Json = False,
) -> None:
    """Take over settings from a file, all or none; others stay as they are. JSON when it begins with {."""
    text = _read(file)
    form = "json" if text.lstrip().startswith("{") else "toml"

    async def offline(service: "SettingsService") -> Any:
        from ferryman.settings.exchange import Format, differing, read  # noqa: PLC0415 - slow to import

        return await _changed(service, differing(service.live, read(text, Format(form))), dry_run=dry_run)

    query = "?dry_run=true" if dry_run else ""
    body = {"text": text, "format": form}
    _print(_either(lambda client: client.post(f"{PATH}/import{query}", body), offline), json=json)


def _items() -> list[dict[str, Any]]:
    async def offline(service: "SettingsService") -> list[dict[str, Any]]:
        from ferryman.console.api_settings import settings_view  # noqa: PLC0415 - slow to import

        note("No daemon runs: this is what it would start with.")
        shown = settings_view(service.live, await service.stored())
        return [item.model_dump(mode="json") for item in shown]

    return _either(lambda client: list(client.get(PATH)["items"]), offline)


def _change(wanted: Mapping[str, Any], *, dry_run: bool) -> Any:
    query = "?dry_run=true" if dry_run else ""
    return _either(
        lambda client: client.patch(f"{PATH}{query}", dict(wanted)),
        lambda service: _changed(service, wanted, dry_run=dry_run),
    )


async def _changed(service: "SettingsService", wanted: Mapping[str, Any], *, dry_run: bool) -> Any:
    from ferryman.console.api_settings import changed_view  # noqa: PLC0415 - slow to import

    changes = await service.preview(wanted) if dry_run else await service.change(wanted, actor())
    return changed_view(changes, dry_run=dry_run).model_dump(mode="json")


def _either(online: Callable[[Client], T], offline: "Callable[[SettingsService], Awaitable[T]]") -> T:
    """Ask the daemon; when none runs, do the same on its home."""
    try:
        client = connect()
    except Unavailable:
        return on_settings(offline)
    return online(client)


def _print(answer: Any, *, json: bool) -> None:
    if json:
        print_json(answer)
        return
    if not answer["changes"]:
        note("Nothing changes." if answer["dry_run"] else "Nothing changed.")
    pairs((item["name"], f"{cell(item['before'])} → {cell(item['after'])}") for item in answer["changes"])


def _read(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read(1_000_001) if str(file) == "-" else file.read_bytes()
        return data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise Invalid(
            "file_unreadable", f"'{file}' cannot be read: {error}.", advice="Name a text file of settings."
        ) from error


def _unknown(name: str) -> NotFound:
    return NotFound(
        "setting_not_found",
        f"There is no setting '{name[:80]}'.",
        advice="See 'ferry settings list' for the names.",
    )

"""`ferry link`: links of other programs (`ferry:https://…`) open the add dialog of the console."""

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

import typer

from ferryman.cli.client import connect
from ferryman.cli.output import line, note, print_json
from ferryman.core.errors import Denied
from ferryman.transfer.links import read_link

NAME: Final = "ferryman-link.desktop"
SCHEMES: Final = ("x-scheme-handler/ferry", "x-scheme-handler/web+ferry")
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def link_app() -> typer.Typer:
    """Return the commands of `ferry link`."""
    app = typer.Typer(
        help="Links that begin with ferry: open the add dialog; nothing starts by itself.",
        no_args_is_help=True,
    )
    app.command("open", epilog="Example:\n\nferry link open 'ferry:https://example.org/image.iso'")(open_link)
    app.command("install", epilog="Example:\n\nferry link install")(install)
    app.command("remove", epilog="Example:\n\nferry link remove")(remove)
    return app


def open_link(
    url: Annotated[str, typer.Argument(metavar="LINK", help="ferry:https://…, or ferry://add?url=…")],
    print_only: Annotated[bool, typer.Option("--print", help="Print the address of the page only.")] = False,
    json: _Json = False,
) -> None:
    """Open the add dialog in the browser, filled with what a link names."""
    found = read_link(url)
    given = [("url", one) for one in found.urls]
    given += [(name, text) for name, text in (("checksum", found.checksum), ("out", found.out)) if text]
    address = f"{connect().address}/downloads/add?{urlencode(given)}"
    if json:
        print_json({"address": address})
    elif print_only or not webbrowser.open(address):
        line(address)


def install(json: _Json = False) -> None:
    """Let the desktop open ferry: links with this command, for you alone."""
    place = _applications() / NAME
    command = f"{_quoted(_program())} link open %u"
    text = (
        "[Desktop Entry]\nType=Application\nName=Ferryman\nComment=Add a download\n"
        f"Exec={command}\nTerminal=false\nNoDisplay=true\nMimeType={';'.join(SCHEMES)};\n"
    )
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(place, error) from error
    told = [_quietly("xdg-mime", "default", NAME, scheme) for scheme in SCHEMES]
    _quietly("update-desktop-database", str(place.parent))
    if json:
        print_json({"file": str(place), "schemes": list(SCHEMES), "default": all(told)})
        return
    line(f"Written: {place}")
    if not all(told):
        note(
            "xdg-mime is not there or refused: choose Ferryman when the desktop asks who opens ferry: links."
        )


def remove(json: _Json = False) -> None:
    """Take the entry for ferry: links away."""
    place = _applications() / NAME
    there = place.exists()
    try:
        place.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(place, error) from error
    _quietly("update-desktop-database", str(place.parent))
    if json:
        print_json({"file": str(place), "removed": there})
    else:
        line(f"Removed: {place}" if there else f"It was not there: {place}")


def _applications() -> Path:
    """Where the entries of a user are (XDG Base Directory Specification)."""
    data = os.environ.get("XDG_DATA_HOME") or ""
    return (Path(data) if data.startswith("/") else Path.home() / ".local/share") / "applications"


def _program() -> str:
    """The command that runs now, by its whole path where it has one."""
    here = Path(sys.argv[0])
    if here.name == "ferry" and here.exists():
        return str(here.absolute())
    return shutil.which("ferry") or "ferry"


def _quoted(text: str) -> str:
    """Quote an argument of `Exec` (Desktop Entry Specification); a percent sign is doubled."""
    for char in '\\"`$':
        text = text.replace(char, f"\\{char}")
    return '"' + text.replace("\\", "\\\\").replace("%", "%%") + '"'


def _quietly(*command: str) -> bool:
    program = shutil.which(command[0])
    if program is None:
        return False
    done = subprocess.run(  # noqa: S603 - fixed programs of the desktop, fixed arguments
        [program, *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    return done.returncode == 0


def _unwritable(place: Path, error: OSError) -> Denied:
    return Denied(
        "link_unwritable",
        f"'{place}' cannot be written: {error.strerror}.",
        advice="Let your user write there, or set XDG_DATA_HOME.",
    )

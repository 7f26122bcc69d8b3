"""`ferry doctor`: says what is missing on this machine, and how to get it."""

import platform
import shutil
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from ferryman.cli.client import connect
from ferryman.cli.output import line, print_json
from ferryman.cli.problems import FAILED
from ferryman.core.errors import FerryError
from ferryman.core.layers import load_settings
from ferryman.core.settings import Settings
from ferryman.core.units import format_size

Grade = Literal["good", "warning", "bad"]
_LEAST_ROOM: Final = 1 << 30
_OLDEST_PYTHON: Final = (3, 11)
_OLDEST_CLOCK: Final = 1_764_000_000
"""A moment before which this program was not written: an earlier clock is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `advice` says how to get what is missing."""

    name: str
    grade: Grade
    text: str
    advice: str = ""


def add_doctor(app: typer.Typer) -> None:
    """Add the command to the tree."""
    app.command("doctor", epilog="Examples:\n\nferry doctor\n\nferry doctor --json")(doctor)


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is missing on this machine and how to get it. Exit code 1 when something does not work.

    It looks at Python, libcurl, the settings, the home folder, room, database, port, console assets and the clock.
    """
    findings = list(examine())
    if json:
        print_json({"findings": [asdict(one) for one in findings]})
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            line(f"{_SIGNS[one.grade]}  {one.name.ljust(width)}  {one.text}")
            if one.advice:
                line(f"   {' ' * width}   {one.advice}")
    if any(one.grade == "bad" for one in findings):
        raise typer.Exit(FAILED)


_SIGNS: Final = {"good": "ok", "warning": "! ", "bad": "NO"}


def examine() -> Iterator[Finding]:
    """Make every check; one that fails does not keep the others from being made."""
    yield _python()
    yield _libcurl()
    try:
        settings = load_settings()
    except FerryError as error:
        yield _bad("settings", error)
        return
    yield Finding("settings", "good", "can be read")
    checks: tuple[Callable[[Settings], Finding], ...] = (_home, _room, _database, _daemon, _assets)
    for check in checks:
        try:
            yield check(settings)
        except FerryError as error:
            yield _bad(check.__name__.strip("_"), error)
    yield _clock()


def _bad(name: str, error: FerryError) -> Finding:
    return Finding(name, "bad", error.message, error.advice)


def _python() -> Finding:
    version, found = platform.python_version(), tuple(sys.version_info[:2])
    if found < _OLDEST_PYTHON:  # the package may have been copied to a machine it was not installed for
        return Finding("python", "bad", f"{version} is too old", "Install Python 3.11 or newer.")
    return Finding("python", "good", f"{version}, SQLite {sqlite3.sqlite_version}")


def _libcurl() -> Finding:
    advice = "Install it again: pip install --force-reinstall pycurl (Debian: apt install libcurl4)."
    try:
        from ferryman.transfer.curl import libcurl  # noqa: PLC0415 - what cannot be loaded is the finding
    except ImportError as error:
        return Finding("libcurl", "bad", f"cannot be loaded: {error}", advice)
    version, protocols = libcurl()
    missing = [name for name in ("http", "https", "ftp", "ftps") if name not in protocols]
    if missing:
        return Finding("libcurl", "bad", f"{version} does not speak {', '.join(missing)}", advice)
    return Finding("libcurl", "good", f"{version}, speaks {', '.join(sorted(protocols))}")


def _home(settings: Settings) -> Finding:
    from ferryman.transfer.preflight import check_folder  # noqa: PLC0415 - slow to import

    home = settings.home
    if not home.exists():
        parent = next(path for path in home.parents if path.exists())
        check_folder(parent)
        return Finding("home", "good", f"{home} is made at the first start")
    check_folder(home)
    keys = home / "keys"
    exposed = [
        file
        for file in (keys, *(keys.glob("*") if keys.is_dir() else ()))
        if file.exists() and file.stat().st_mode & 0o077
    ]
    if exposed:
        named = " ".join(str(file) for file in exposed)
        return Finding("home", "bad", f"others may read {named}", f"Run: chmod go= {named}")
    return Finding("home", "good", f"{home} can be written")


def _room(settings: Settings) -> Finding:
    folder = settings.downloads
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < _LEAST_ROOM:
        return Finding(
            "room", "warning", f"{format_size(free)} free for {folder}",
            "Make room, or choose another disk with FERRY_DOWNLOAD_FOLDER.",
        )  # fmt: skip
    return Finding("room", "good", f"{format_size(free)} free for {folder}")


def _database(settings: Settings) -> Finding:
    from ferryman.db import Database, sqlite_url  # noqa: PLC0415 - slow to import

    file = settings.home / "ferry.db"
    if not settings.database_url and not file.exists():
        return Finding("database", "good", f"{file} is made at the first start")
    database = Database(settings.database_url or sqlite_url(file))
    try:
        database.migrate()
    finally:
        database.close_now()
    kind = "PostgreSQL" if settings.database_url else f"SQLite in {file}"
    return Finding("database", "good", f"{kind} answers and has the tables of this version")


def _daemon(settings: Settings) -> Finding:
    try:
        client = connect()
        client.get("/api/v1/overview")
    except FerryError as error:
        if error.code != "daemon_not_running":
            return _bad("daemon", error)
    else:
        return Finding("daemon", "good", f"runs at {client.address}")
    if settings.port and not _port_free(settings.host, settings.port):
        return Finding(
            "daemon", "bad", f"does not run, and {settings.host}:{settings.port} is taken by somebody else",
            "Choose another port with FERRY_PORT or --port, or stop what uses it.",
        )  # fmt: skip
    return Finding("daemon", "good", f"does not run; port {settings.port} is free. Start it with: ferry up")


def _port_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _assets(_settings: Settings) -> Finding:
    folder = Path(__file__).parents[1] / "web" / "static"
    if not any(folder.glob("**/*.js")) or not any(folder.glob("**/*.css")):
        return Finding(
            "console", "bad", f"{folder} has no built assets",
            "In a checkout run: make setup. Otherwise install the wheel again.",
        )  # fmt: skip
    return Finding("console", "good", "its assets are built")


def _clock() -> Finding:
    now = time.time()
    if now < _OLDEST_CLOCK:
        return Finding(
            "clock", "bad", f"says {time.strftime('%Y-%m-%d', time.gmtime(now))}",
            "Set it: certificates and schedules depend on it (Debian: timedatectl set-ntp true).",
        )  # fmt: skip
    return Finding("clock", "good", time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now)))

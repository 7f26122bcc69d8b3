"""The home opened without its daemon, and what a command asks the person at the terminal."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from ferryman.accounts.model import Principal, check_password, local_principal
from ferryman.core.clock import SystemClock
from ferryman.core.errors import Invalid, NotFound

if TYPE_CHECKING:  # the services need the database and Argon2, which help must not wait for
    from ferryman.accounts.audit import Audit
    from ferryman.accounts.service import Accounts
    from ferryman.core.settings import Settings
    from ferryman.db import Database
    from ferryman.settings.service import SettingsService

T = TypeVar("T")


def on_accounts(work: "Callable[[Accounts, Audit], Awaitable[T]]", *, create: bool = False) -> T:
    """Run `work` on the accounts of this home and return its result; a daemon may run at the same time.

    The home is made only when `create` says so. Raises `NotFound` (`home_not_found`), and what `work` raises.
    """

    async def opened(home: "_Home") -> T:
        return await work(home.accounts, home.audit)

    return _on_home(opened, create=create)


def on_settings(work: "Callable[[SettingsService], Awaitable[T]]") -> T:
    """Run `work` on the settings of this home and return its result; for a home without a running daemon."""

    async def opened(home: "_Home") -> T:
        return await work(home.settings())

    return _on_home(opened, create=True)


def _on_home(work: "Callable[[_Home], Awaitable[T]]", *, create: bool) -> T:
    from ferryman.core.layers import load_settings  # noqa: PLC0415 - slow to import
    from ferryman.db import Database, sqlite_url  # noqa: PLC0415 - slow to import

    settings = load_settings()
    file = settings.home / "ferry.db"
    if not settings.database_url and not file.exists():
        if not create:
            raise NotFound(
                "home_not_found",
                f"There is no Ferryman in {settings.home}.",
                advice="Start it once with 'ferry up', or point FERRY_HOME to where it is.",
            )
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = Database(settings.database_url or sqlite_url(file))

    async def opened() -> T:
        return await work(_Home(settings, db))

    try:
        db.migrate()
        return asyncio.run(opened())
    finally:
        db.close_now()


class _Home:
    """What commands use of a home."""

    def __init__(self, settings: "Settings", db: "Database") -> None:
        from ferryman.accounts.audit import Audit  # noqa: PLC0415 - slow to import
        from ferryman.accounts.service import Accounts  # noqa: PLC0415 - slow to import

        self._settings, self._db = settings, db
        self.audit = Audit(db, SystemClock())
        self.accounts = Accounts(db, SystemClock(), self.audit)

    def settings(self) -> "SettingsService":
        from ferryman.core.live import Live  # noqa: PLC0415 - slow to import
        from ferryman.core.secrets import SecretBox  # noqa: PLC0415 - slow to import
        from ferryman.settings.service import SettingsService  # noqa: PLC0415 - slow to import

        keys = self._settings.home / "keys"
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        box = SecretBox(keys / "secret.key")
        service = SettingsService(self._db, Live(self._settings), self.audit, SystemClock(), box)
        service.load_now()
        return service


def actor() -> Principal:
    """Return whoever sits at this machine."""
    try:
        return local_principal(f"local:{getpass.getuser()}")
    except (KeyError, OSError):  # an account without a name, as in containers
        return local_principal()


def new_password_for(name: str, *, read: bool, make: bool) -> str:
    """Return a new password for the user `name`: read from standard input, made, or asked for twice.

    Raises `Invalid` (`password_source`, `user_password`).
    """
    if read and make:
        raise Invalid(
            "password_source",
            "--password-stdin and --generate cannot be used together.",
            advice="Use one of them.",
        )
    if make:
        from ferryman.accounts.passwords import new_password  # noqa: PLC0415 - slow to import

        return new_password()
    if read:
        return check_password(sys.stdin.readline(10_000).rstrip("\r\n"), name)
    if not sys.stdin.isatty():
        raise Invalid(
            "password_source",
            "There is no terminal to ask for the password on.",
            advice="Use --password-stdin or --generate.",
        )
    typed: str = typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True)
    return check_password(typed, name)


def confirm(deed: str) -> None:
    """Ask whether to do `deed`; ends the command when the answer is no. Raises `Invalid` without a terminal."""
    if not sys.stdin.isatty():
        raise Invalid(
            "confirmation_needed", "There is no terminal to ask on.", advice="Repeat the command with --yes."
        )
    typer.confirm(f"{deed}?", abort=True, err=True)

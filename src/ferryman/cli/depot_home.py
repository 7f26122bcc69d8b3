"""The depot of this home for its commands; a daemon may use it at the same time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ferryman.cli.local import actor
from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import SystemClock
from ferryman.core.errors import NotFound
from ferryman.core.layers import load_settings
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.depot.model import Note, Origin

if TYPE_CHECKING:  # the depot needs the database, which help must not wait for
    from ferryman.core.settings import Settings
    from ferryman.db import Database
    from ferryman.depot.repair import Repair
    from ferryman.depot.service import Depot


class InForce:
    """The settings of the depot as the daemon has them: also those that were changed in the console. Read once, when asked."""

    def __init__(self, settings: "Settings", database: "Database") -> None:
        """Lay what `database` has over `settings`."""
        self._given, self._database = settings, database

    @property
    def bytes(self) -> int:
        """The quota."""
        return self.settings.depot_bytes

    @property
    def rules(self) -> str:
        """The rules for tags."""
        return self.settings.depot_retention

    @property
    def upstreams(self) -> list[str]:
        """The names of registries that images are pulled through."""
        return [one.name for one in parse_upstreams(self.settings.registry_upstreams)]

    @cached_property
    def settings(self) -> "Settings":
        """All settings."""
        from ferryman.accounts.audit import Audit  # noqa: PLC0415 - loads the database
        from ferryman.settings.service import SettingsService  # noqa: PLC0415 - loads the database

        keys = self._given.home / "keys"
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        clock, box = SystemClock(), SecretBox(keys / "secret.key")
        audit = Audit(self._database, clock)
        return SettingsService(self._database, Live(self._given), audit, clock, box).load_now()


@contextmanager
def opened(*, create: bool = False) -> "Iterator[Depot]":
    """Open the depot for the time of a block; `create` makes a home where none is. Raises `NotFound` (`home_not_found`)."""
    from ferryman.db import Database, sqlite_url  # noqa: PLC0415 - loads the database
    from ferryman.depot.service import Depot  # noqa: PLC0415 - loads the database

    settings = load_settings()
    file = settings.home / "ferry.db"
    if create:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not settings.database_url and not file.exists():
        raise NotFound(
            "home_not_found",
            f"There is no Ferryman in {settings.home}.",
            advice="Fetch something first, such as 'ferry copy docker://HOST/NAME depot:', or set FERRY_HOME.",
        )
    database = Database(settings.database_url or sqlite_url(file))
    try:
        database.migrate()
        force = InForce(settings, database)
        depot = Depot(
            settings.depot,
            database,
            SystemClock(),
            quota=lambda: force.bytes,
            rules=lambda: force.rules,
            lazy=lambda: force.upstreams,
        )
        try:
            yield depot
        finally:
            depot.close()
    finally:
        database.close_now()


@contextmanager
def repairing(depot: "Depot", *, plain_http: bool) -> "Iterator[Repair]":
    """Give what fetches lost content again, with the logins, mirrors and upstreams of this home and user."""
    import functools  # noqa: PLC0415 - with the rest
    from contextlib import closing  # noqa: PLC0415 - with the rest

    from ferryman.cli.copy_sides import mirrors_of  # noqa: PLC0415 - loads the registry client
    from ferryman.daemon.upkeep import through_of  # noqa: PLC0415 - loads the daemon
    from ferryman.depot.bundles.again import pieces_again  # noqa: PLC0415 - loads cryptography
    from ferryman.depot.bundles.keys import Keys  # noqa: PLC0415 - see above
    from ferryman.depot.reaching import (  # noqa: PLC0415 - loads the registry client
        Reaching,
        local_options,
        logins_of,
    )
    from ferryman.depot.repair import Repair  # noqa: PLC0415 - see above
    from ferryman.oci.options import RegistryOptions  # noqa: PLC0415 - see above

    settings = load_settings()
    home, live = settings.home, Live(InForce(settings, depot.database).settings)
    options = RegistryOptions(plain_http=plain_http, logins=logins_of(home), mirrors=mirrors_of(home))
    with closing(Reaching(options, through_of(home, live), local_options(options))) as reach:
        yield Repair(depot, reach, functools.partial(pieces_again, Keys(home / "keys")))


def by_hand(depot: "Depot") -> Origin:
    """Return the origin of what somebody at this machine does."""
    return Origin(actor().name, depot.clock.now())


def noted(depot: "Depot", target: str) -> Note:
    """Return what writes to the audit log that somebody at this machine took `target` away."""
    from ferryman.accounts.audit import Audit  # noqa: PLC0415 - loads the database

    audit, who = Audit(depot.database, depot.clock), actor()

    def note(connection: Any, detail: dict[str, Any]) -> None:
        audit.within(connection, who, "depot.remove", target, detail)

    return note

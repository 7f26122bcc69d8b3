"""The depot of this home, opened by a command; a daemon may use it at the same time."""

from ferryman.cli.depot_home import InForce
from ferryman.core.clock import SystemClock
from ferryman.core.layers import load_settings
from ferryman.db import Database, sqlite_url
from ferryman.depot.copying.ends import Kept
from ferryman.depot.copying.model import Place
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot, Hold


class OpenDepot:
    """A depot that is made when it is not there yet. For one thread; close it at the end."""

    def __init__(self, holder: str) -> None:
        """Open it. What arrives is held by `holder` until the end."""
        settings = load_settings()
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = SystemClock()
        self._database = Database(settings.database_url or sqlite_url(settings.home / "ferry.db"))
        self._hold: Hold | None = None
        try:
            self._database.migrate()
            force = InForce(settings, self._database)
            self.depot = Depot(
                settings.depot,
                self._database,
                self._clock,
                quota=lambda: force.bytes,
                rules=lambda: force.rules,
            )
            self._hold = self.depot.begin(holder)
        except BaseException:
            self.close()
            raise

    def kept(self) -> Kept:
        """Return the depot as one end of a copy."""
        assert self._hold is not None
        return Kept(self.depot, self._hold, self._origin)

    def _origin(self, place: Place | None) -> Origin:
        return Origin(str(place) if place else "copy", self._clock.now())

    def close(self) -> None:
        """Let go of what was held, and close the database. Repeatable."""
        if self._hold is not None:
            self._hold.release()
            self._hold = None
        self._database.close_now()

"""How fast a year of statistics is told: 365 days of 50 hosts and 10 categories, as a long history leaves them.

`python -m bench.days` makes the sums in a SQLite file, then asks the running daemon for the page and the API.
"""

import argparse
import contextlib
import dataclasses
import functools
import http.client
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Connection

from bench.daemon import Daemon
from bench.history import OWNERS
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import Desired, Job, Progress, Reason, State
from ferryman.jobs.statistics.model import DAY, Rollup, run_ended
from ferryman.jobs.statistics.sql import add_traffic, book_days

DAYS: Final = 365
HOSTS: Final = tuple(f"mirror{number}.example" for number in range(50))
CATEGORIES: Final = tuple(f"category {number}" for number in range(10))
STATES: Final = (State.SUCCEEDED, State.FAILED, State.WAITING)
PATHS: Final = tuple(
    f"{path}?days={days}" for path in ("/statistics", "/api/v1/statistics") for days in (30, 365)
)
_JOB: Final = Job(
    id="", kind="download", title="", spec={}, state=State.RUNNING, desired=Desired.RUN, priority=5, position=0.0,
    created_at=0.0, updated_at=0.0,
)  # fmt: skip


def fill_days(database: Database, now: float) -> None:
    """Put the sums of a year before `now` into a database: every host and category on every day, for some owners."""
    chance = random.Random(4)
    for back in range(DAYS):
        database.write_now(functools.partial(_day, at=now - back * DAY, chance=chance))
    database.write_now(lambda connection: _traffic(connection, now, chance))


def _day(connection: Connection, at: float, chance: random.Random) -> None:
    rollup: Rollup = {}
    for host in HOSTS:
        for category in CATEGORIES:
            job = dataclasses.replace(_JOB, owner=chance.choice(OWNERS[:3]), host=host, category=category)
            state = chance.choices(STATES, (90, 6, 4))[0]
            reason = None if state is State.SUCCEEDED else chance.choice(list(Reason))
            moved = int(chance.expovariate(1 / (1 << 28)))
            run_ended(rollup, job, state, reason, Progress(network=moved), moved / 5e6, at)
    book_days(connection, rollup)


def _traffic(connection: Connection, now: float, chance: random.Random) -> None:
    for minute in range(90 * 1440):
        if chance.random() < 0.3:
            add_traffic(connection, now - minute * 60, int(chance.expovariate(1 / (1 << 28))))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.days", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as name:
        database = Database(sqlite_url(Path(name) / "ferry.db"))
        database.migrate()
        began = time.monotonic()
        fill_days(database, time.time())
        rows = database.write_now(lambda c: c.exec_driver_sql("SELECT count(*) FROM job_days").scalar_one())
        database.close_now()
        print(f"{rows:,} rows of sums made in {time.monotonic() - began:.0f} s", flush=True)
        with contextlib.closing(_Asked(Path(name))) as asked:
            for path in PATHS:
                print(asked.row(path, 20 * options.rounds), flush=True)
    return 0


class _Asked:
    """A daemon, and one connection to it."""

    def __init__(self, home: Path) -> None:
        self._daemon = Daemon(home)
        self._connection = http.client.HTTPConnection(urlsplit(self._daemon.address).netloc, timeout=60)

    def close(self) -> None:
        """End the daemon."""
        self._connection.close()
        self._daemon.end()

    def row(self, path: str, times: int) -> str:
        """Ask `times` times and say how long it took."""
        taken = []
        for number in range(times + 1):
            began = time.perf_counter()
            self._connection.request("GET", path, headers=self._daemon.headers)
            answer = self._connection.getresponse()
            size = len(answer.read())
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
            if number:  # the first one compiles the template
                taken.append((time.perf_counter() - began) * 1000)
        slow = quantiles(taken, n=20)[-1]
        return f"GET {path:<36} p95 {slow:6.1f} ms, {size / 1000:.0f} KB  {'ok' if slow < 100 else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())

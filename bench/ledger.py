"""How fast the ledger is with a long history: accepting, leasing and completing, and every list of the history.

`python -m bench.ledger --jobs 1000000` makes a SQLite file with that many jobs, then measures in it.
"""

import argparse
import asyncio
import dataclasses
import functools
import itertools
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.history import CATEGORIES, HOSTS, KINDS, NOW, OWNERS, fill, past_job
from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import Query, Reason, State
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

WORKERS = 16
AT_ONCE = 8
ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
FILTERS: dict[str, Query] = {
    "all": Query(),
    "failed": Query(states=(State.FAILED,)),
    "running (few)": Query(states=(State.RUNNING,)),
    "ended": Query(states=ENDED),
    "kind": Query(kinds=(KINDS[1],)),
    "kinds and states": Query(kinds=KINDS[1:3], states=(State.FAILED, State.CANCELLED)),
    "reason": Query(reasons=(Reason.NETWORK,)),
    "owner of half": Query(owner=OWNERS[0]),
    "owner of half, failed": Query(owner=OWNERS[0], states=(State.FAILED,)),
    "owner of few": Query(owner=OWNERS[-1]),
    "a day long ago": Query(since=NOW - 300 * 86400, until=NOW - 299 * 86400),
    "older than half a year": Query(until=NOW - 183 * 86400),
    "category of a third": Query(categories=(CATEGORIES[0],)),
    "category of a thousandth": Query(categories=(CATEGORIES[-1],)),
    "host of many": Query(hosts=(HOSTS[0],)),
    "host of few": Query(hosts=(HOSTS[60],)),
    "category and host, failed": Query(
        categories=(CATEGORIES[1],), hosts=(HOSTS[3],), states=(State.FAILED,)
    ),
    "larger than 1 GB": Query(min_size=10**9),
    "between 1 and 2 MB": Query(min_size=10**6, max_size=2 * 10**6),
    "finished long ago": Query(finished_since=NOW - 300 * 86400, finished_until=NOW - 270 * 86400),
    "owner, category, size, half a year": Query(
        owner=OWNERS[1], categories=(CATEGORIES[2],), min_size=10**8, since=NOW - 183 * 86400
    ),
    "history of downloads": Query(kinds=(KINDS[0],), states=ENDED),
}
SEARCHES: dict[str, Query] = {
    "word of a tenth": Query(text="debian"),
    "two such words": Query(text="debian kernel"),
    "beginning": Query(text="ker"),
    "beginning of numbers": Query(text="12"),
    "one job": Query(text="file777777"),
    "nothing": Query(text="unheard"),
    "word in failed": Query(text="debian", states=(State.FAILED,)),
    "word of errors": Query(text="reset peer"),
    "word, few owner": Query(text="debian", owner=OWNERS[-1]),
    "word, long ago": Query(text="debian", until=NOW - 299 * 86400),
    "word, host": Query(text="debian", hosts=(HOSTS[3],)),
    "word, category, large": Query(text="kernel", categories=(CATEGORIES[3],), min_size=10**9),
    "two words, half a year": Query(text="debian kernel", until=NOW - 183 * 86400),
}
SORTS = ("-created_at", "created_at", "-finished_at", "-updated_at", "title", "run_order", "-size")
SORTS_OF_SEARCH = ("-created_at", "-finished_at", "-updated_at", "title", "-size")


async def accepting(store: SqlStore, rounds: int) -> float:
    """Jobs accepted per second, in batches of 500."""
    chance = random.Random(2)
    began = time.perf_counter()
    for batch in range(8 * rounds):
        now = time.time()
        await store.add([(new_id(now), past_job(batch * 500 + n, chance)) for n in range(500)], now)
    return 4000 * rounds / (time.perf_counter() - began)


async def working(store: SqlStore, rounds: int) -> float:
    """Leases and completions per second: 16 workers, each takes up to 8 jobs and ends them, each end by itself."""
    done, wanted = 0, 2000 * rounds

    async def work(name: str) -> None:
        nonlocal done
        while done < wanted:
            now = time.time()
            jobs = await store.lease(Claim(name, KINDS, AT_ONCE), now, now + 30)
            if not jobs:
                return
            end = Outcome(Cause.SUCCEED, result={"size": 1})
            await asyncio.gather(*[store.finish(job.id, job.epoch, end, now) for job in jobs])
            done += len(jobs)

    began = time.perf_counter()
    await asyncio.gather(*[work(f"w{n}") for n in range(WORKERS)])
    return done / (time.perf_counter() - began)


def lists() -> Iterator[tuple[str, Query]]:
    """Every filter in every order, and every search in the orders that the console offers for it."""
    for (name, query), sort in itertools.product(FILTERS.items(), SORTS):
        yield f"{name}, {sort}", dataclasses.replace(query, sort=sort)
    for (name, query), sort in itertools.product(SEARCHES.items(), SORTS_OF_SEARCH):
        yield f"search {name}, {sort}", dataclasses.replace(query, sort=sort)


async def asking(store: SqlStore, query: Query, times: int) -> list[float]:
    """Milliseconds of each of `times` first pages, and of up to three pages after each."""
    taken = []
    for _ in range(times):
        cursor: str | None = None
        for _page in range(4):
            began = time.perf_counter()
            page = await store.find(dataclasses.replace(query, cursor=cursor))
            taken.append((time.perf_counter() - began) * 1000)
            cursor = page.next_cursor
            if cursor is None:
                break
    return taken


def late(taken: list[float]) -> float:
    """The 95th percentile."""
    return sorted(taken)[min(len(taken) - 1, int(len(taken) * 0.95))]


async def measure(folder: Path, jobs: int, rounds: int) -> list[tuple[str, str, str, bool]]:
    """Rows of figure, measured, target, and whether it holds."""
    database = Database(sqlite_url(folder / "ferry.db"))
    database.migrate()
    if not await database.read(
        lambda connection: connection.exec_driver_sql("SELECT max(seq) FROM jobs").scalar()
    ):
        began = time.perf_counter()
        fill(database, jobs)
        print(f"made {jobs:,} jobs in {time.perf_counter() - began:.0f} s", flush=True)
    store = SqlStore(database)
    accepted, worked = await accepting(store, rounds), await working(store, rounds)
    rows = [
        ("jobs accepted per second", f"{accepted:,.0f}", "≥ 2,000", accepted >= 2000),
        ("leases and completions per second", f"{worked:,.0f}", "≥ 500", worked >= 500),
    ]
    everything: list[float] = []
    for name, query in lists():
        taken = await asking(store, query, 3 * rounds)
        everything += taken
        rows.append(_row(name, taken))
    for name, query in (FILTERS | SEARCHES).items():
        rows.append(
            _row(f"sums of {name}", await _timed(functools.partial(store.summary, query), 3 * rounds), 100)
        )
    rows.append(_row("counts by state", await _timed(lambda: store.counts((), None), 20 * rounds)))
    rows.append(_row("counts of an owner", await _timed(lambda: store.counts((), OWNERS[0]), 20 * rounds)))
    rows.append(_row(f"all lists together (median {statistics.median(everything):.1f})", everything))
    await database.close()
    return rows


def _row(name: str, taken: list[float], most: int = 50) -> tuple[str, str, str, bool]:
    slow = late(taken)
    return f"{name}: p95 ms", f"{slow:.1f}", f"< {most}", slow < most


async def _timed(ask: Callable[[], Any], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="length of the history")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured")
    parser.add_argument("--quick", action="store_true", help="20,000 jobs and one round")
    parser.add_argument("--folder", type=Path, help="where the file is made (default: the temporary folder)")
    parser.add_argument("--database", type=Path, help="measure in a copy of this one instead of a new one")
    options = parser.parse_args()
    jobs, rounds = (20_000, 1) if options.quick else (options.jobs, options.rounds)
    with tempfile.TemporaryDirectory(prefix="ferryman-bench-", dir=options.folder) as folder:
        if options.database:
            shutil.copy(options.database, Path(folder) / "ferry.db")
        rows = asyncio.run(measure(Path(folder), jobs, rounds))
    table = Table("figure", "measured", "target", "", title=f"Ledger on SQLite with {jobs:,} jobs")
    for name, value, target, holds in rows:
        table.add_row(name, value, target, "ok" if holds else "missed")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()

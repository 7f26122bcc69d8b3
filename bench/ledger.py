"""How fast the ledger is with a long history: accepting, leasing and completing, and every list of the history.

`python -m bench.ledger --jobs 1000000` makes a SQLite file with that many jobs, then measures rounds in it.
"""

import argparse
import asyncio
import dataclasses
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import NewJob, Query, Reason, State
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_760_000_000.0
WORDS = ("debian", "ubuntu", "alma", "kernel", "model", "layer", "image", "backup", "mirror", "index")
QUERIES = {
    "newest": Query(),
    "by state": Query(states=(State.FAILED,)),
    "finished last": Query(states=(State.SUCCEEDED,), sort="-finished_at"),
    "ended, finished last": Query(
        states=(State.SUCCEEDED, State.FAILED, State.CANCELLED), sort="-finished_at"
    ),
    "by reason": Query(reasons=(Reason.NETWORK,)),
    "by owner": Query(owner="owner-7"),
    "by owner and state": Query(owner="owner-7", states=(State.FAILED,)),
    "by time": Query(since=NOW + 300_000, until=NOW + 300_500),
    "by title": Query(sort="title"),
    "changed last": Query(sort="-updated_at"),
    "run order": Query(states=(State.QUEUED,), sort="run_order"),
    "search common word": Query(text="debian"),
    "search two words": Query(text="debian kernel"),
    "search rare word": Query(text="file777777"),
    "search beginning": Query(text="ker"),
    "search nothing": Query(text="unheard"),
    "search in failed": Query(text="debian", states=(State.FAILED,)),
}


def history(number: int, chance: random.Random) -> NewJob:
    """One job of the past."""
    words = " ".join(chance.sample(WORDS, 2))
    return NewJob("download", f"{words} file{number}.iso", {"urls": []}, owner=f"owner-{number % 50}")


async def fill(store: SqlStore, count: int) -> None:
    """Make the history: accepted, run and ended through the store itself, as in life."""
    chance = random.Random(1)
    for start in range(0, count, 2000):
        now = NOW + start
        await store.add(
            [(new_id(now), history(start + n, chance)) for n in range(min(2000, count - start))], now
        )
        jobs = await store.lease(Claim("past", ["download"], 2000), now + 1, now + 60)
        await asyncio.gather(
            *[store.finish(job.id, job.epoch, ending(job.title), now + 2 + n) for n, job in enumerate(jobs)]
        )


def ending(title: str) -> Outcome:
    """Nine in ten went well."""
    if title.endswith("7.iso"):
        return Outcome(Cause.FAIL, reason=Reason.NETWORK, error="The link was cut.")
    return Outcome(Cause.SUCCEED, result={"size": 1})


async def accepting(store: SqlStore) -> float:
    """Jobs accepted per second, in batches of 500."""
    chance = random.Random(2)
    began = time.perf_counter()
    for batch in range(8):
        now = time.time()
        await store.add([(new_id(now), history(batch * 500 + n, chance)) for n in range(500)], now)
    return 4000 / (time.perf_counter() - began)


async def working(store: SqlStore) -> float:
    """Leases and completions per second: 16 workers, each takes up to 8 jobs and ends them."""
    done = 0

    async def work(name: str) -> None:
        nonlocal done
        while done < 3000:
            now = time.time()
            jobs = await store.lease(Claim(name, ["download"], 8), now, now + 30)
            if not jobs:
                return
            await asyncio.gather(*[store.finish(job.id, job.epoch, ending(job.title), now) for job in jobs])
            done += len(jobs)

    began = time.perf_counter()
    await asyncio.gather(*[work(f"w{n}") for n in range(16)])
    return done / (time.perf_counter() - began)


async def asking(store: SqlStore, query: Query, times: int) -> list[float]:
    """Milliseconds of each of `times` runs of a query, counting the second page too."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        page = await store.find(query)
        taken.append((time.perf_counter() - began) * 1000)
        if page.next_cursor:
            began = time.perf_counter()
            await store.find(dataclasses.replace(query, cursor=page.next_cursor))
            taken.append((time.perf_counter() - began) * 1000)
    return taken


async def measure(folder: Path, jobs: int, rounds: int) -> list[tuple[str, str, str, bool]]:
    """Rows of figure, measured, target, and whether it holds."""
    database = Database(sqlite_url(folder / "ferry.db"))
    database.migrate()
    store = SqlStore(database)
    await fill(store, jobs)
    rates = [(await accepting(store), await working(store)) for _ in range(rounds)]
    accepted, worked = (statistics.median(column) for column in zip(*rates, strict=True))
    rows = [
        ("jobs accepted per second", f"{accepted:,.0f}", "≥ 2,000", accepted >= 2000),
        ("leases and completions per second", f"{worked:,.0f}", "≥ 500", worked >= 500),
    ]
    for name, query in QUERIES.items():
        taken = sorted(await asking(store, query, 20))
        slow = taken[int(len(taken) * 0.95) - 1]
        rows.append((f"list: {name}, p95 ms", f"{slow:.1f}", "< 50", slow < 50))
    counted = []
    for _ in range(40):
        began = time.perf_counter()
        await store.counts((), None)
        counted.append((time.perf_counter() - began) * 1000)
    rows.append(("counts by state, p95 ms", f"{sorted(counted)[37]:.1f}", "< 50", sorted(counted)[37] < 50))
    await database.close()
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="20,000 jobs and one round")
    options = parser.parse_args()
    jobs, rounds = (20_000, 1) if options.quick else (options.jobs, options.rounds)
    folder = Path(tempfile.mkdtemp(prefix="ferryman-bench-", dir=Path.cwd()))
    try:
        rows = asyncio.run(measure(folder, jobs, rounds))
    finally:
        shutil.rmtree(folder)
    table = Table("figure", "measured", "target", "", title=f"Ledger on SQLite with {jobs:,} jobs")
    for name, value, target, holds in rows:
        table.add_row(name, value, target, "ok" if holds else "missed")
    Console().print(table)


if __name__ == "__main__":
    main()

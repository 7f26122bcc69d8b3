"""Whatever runs how, the sums of the days are what the jobs say."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import TERMINAL, NewJob, Progress, Query, State
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.statistics.service import Statistics
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0

run = st.tuples(
    st.sampled_from([Cause.SUCCEED, Cause.FAIL, Cause.RETRY_LATER, Cause.RELEASE, Cause.CANCEL]),
    st.one_of(st.none(), st.integers(0, 1 << 50)),
    st.integers(0, 200_000),
)
job = st.tuples(st.sampled_from([None, "me"]), st.sampled_from([None, "a", "b"]), st.lists(run, max_size=4))


class Clock:
    at = NOW

    def now(self):
        return self.at


async def live(store, clock, jobs):
    """Run each job as told; return the bytes and seconds of all runs by owner."""
    moved, worked = Counter(), Counter()
    for owner, host, runs in jobs:
        (made,) = await store.add(
            [(new_id(clock.at), NewJob("toy", "t", {}, owner=owner, host=host))], clock.at
        )
        for cause, network, seconds in runs:
            await store.wake(clock.at)
            taken = [
                one
                for one in await store.lease(Claim("w", ["toy"], 9), clock.at, clock.at + 30)
                if one.id == made.id
            ]
            if not taken:
                break
            clock.at += seconds
            progress = None if network is None else Progress(network=network)
            await store.finish(made.id, taken[0].epoch, Outcome(cause), clock.at, progress)
            moved[owner] += network or 0
            worked[owner] += seconds
        await store.reclaim(clock.at, ["w"])
    return moved, worked


@settings(max_examples=25, deadline=None)
@given(st.lists(job, max_size=4))
def test_the_sums_are_what_the_jobs_say(jobs):
    with tempfile.TemporaryDirectory() as folder:
        database = Database(sqlite_url(Path(folder) / "ferry.db"))
        database.migrate()
        try:
            asyncio.run(_check(database, jobs))
        finally:
            database.close_now()


async def _check(database, jobs):
    store, clock = SqlStore(database), Clock()
    moved, worked = await live(store, clock, jobs)
    statistics = Statistics(database, clock)
    ended = (await store.find(Query(limit=100))).items
    for owner in (None, "me"):
        found = await statistics.period(365, owner)
        states = Counter(job.state for job in ended if owner in (None, job.owner))
        total = found.total
        assert {
            State.SUCCEEDED: total.succeeded,
            State.FAILED: total.failed,
            State.CANCELLED: total.cancelled,
        } == {state: states[state] for state in TERMINAL}
        assert total.bytes == (moved["me"] if owner else moved.total())
        assert abs(total.seconds - (worked["me"] if owner else worked.total())) < 1e-3
        assert sum(day.bytes for day in found.days) == total.bytes
        assert sum(one.bytes for one in found.categories) == total.bytes
    await store.delete([job.id for job in ended if job.state in TERMINAL], clock.at)
    assert (await statistics.period(365, None)).total.bytes == moved.total()

"""Days, hosts and categories are summed the same in every database, and stay when the history goes."""

import importlib.util
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select

from ferryman import db as database_room
from ferryman.core.ids import new_id
from ferryman.jobs.model import Desired, NewJob, Progress, Reason, State
from ferryman.jobs.ports import Claim, Outcome, Save
from ferryman.jobs.retry import MOST_LOSSES
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.statistics import sql
from ferryman.jobs.statistics.model import DAY, EVERYONE, Facet, day_of
from ferryman.jobs.statistics.service import Statistics, TrafficKeeper
from ferryman.jobs.statistics.tables import DAYS
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0 // DAY * DAY + 3600
TODAY = day_of(NOW)
MIB = 1 << 20


class Clock:
    def __init__(self, at=NOW):
        self.at = at

    def now(self):
        return self.at

    def monotonic(self):
        return self.at


@pytest.fixture
def store(db):
    return SqlStore(db)


@pytest.fixture
def run(store):
    """Accept a job, or take an accepted one, and run it once."""

    async def once(job=None, cause=Cause.SUCCEED, *, at=NOW, took=10.0, progress=None, reason=None, **new):
        if job is None:
            (job,) = await store.add([(new_id(at), NewJob("toy", "a", {}, **new))], at)
        (taken,) = await store.lease(Claim("w", ["toy"], 1), at, at + 30)
        assert taken.id == job.id
        due = at + took if cause is Cause.RETRY_LATER else None
        outcome = Outcome(cause, reason=reason, not_before=due)
        done = await store.finish(taken.id, taken.epoch, outcome, at + took, progress)
        await store.wake(at + took)
        return done

    return once


async def days(db, owner=EVERYONE, first=TODAY - 5, last=TODAY + 5):
    return await db.read(lambda c: sql.by_day(c, owner, first, last))


async def named(db, facet, owner=EVERYONE):
    return await db.read(
        lambda c: {one.name: one for one in sql.by_name(c, owner, facet, TODAY - 5, TODAY + 5)}
    )


async def test_an_end_is_summed_by_day_host_category_and_owner(db, run):
    moved = Progress(network=5 * MIB, resumed=2 * MIB, disk=7 * MIB)
    await run(progress=moved, owner="me", host="a.example", category="images")
    await run(progress=moved, host="a.example", at=NOW + DAY)
    found = await days(db)
    assert {day: (one.bytes, one.resumed, one.seconds, one.succeeded) for day, one in found.items()} == {
        TODAY: (5 * MIB, 2 * MIB, 10.0, 1),
        TODAY + 1: (5 * MIB, 2 * MIB, 10.0, 1),
    }
    mine = await days(db, "me")
    assert [(one.at, one.bytes) for one in mine.values()] == [(TODAY * DAY, 5 * MIB)]
    hosts = await named(db, Facet.HOST)
    assert (hosts["a.example"].bytes, hosts["a.example"].succeeded) == (10 * MIB, 2)
    assert set(await named(db, Facet.CATEGORY)) == {"images"}
    categories = (await Statistics(db, Clock(NOW + DAY)).period(2, None)).categories
    assert [(one.name, one.bytes, one.succeeded) for one in categories] == [
        ("images", 5 * MIB, 1),
        ("", 5 * MIB, 1),
    ]
    assert set(await named(db, Facet.CATEGORY, "me")) == {"images"}


async def test_each_attempt_counts_what_it_moved_and_only_the_last_counts_as_an_end(db, store, run):
    job = await run(
        cause=Cause.RETRY_LATER, progress=Progress(network=3 * MIB, disk=3 * MIB), reason=Reason.NETWORK
    )
    assert job.state is State.WAITING
    job = await run(job, at=NOW + DAY, progress=Progress(network=MIB, resumed=3 * MIB, disk=4 * MIB))
    assert job.state is State.SUCCEEDED
    found = await days(db)
    assert [(one.bytes, one.succeeded, one.failed, one.retries) for one in found.values()] == [
        (3 * MIB, 0, 0, 1),
        (MIB, 1, 0, 0),
    ]
    reasons = await db.read(lambda c: sql.by_reason(c, EVERYONE, TODAY, TODAY + 1))
    assert reasons == [("network", "waiting", 1)]


async def test_an_attempt_that_moved_nothing_does_not_count_the_bytes_of_the_one_before(db, run):
    job = await run(cause=Cause.RETRY_LATER, progress=Progress(network=3 * MIB, disk=3 * MIB))
    failed = await run(job, Cause.FAIL, reason=Reason.NOT_FOUND, at=NOW + 60)
    assert failed.progress.disk == 3 * MIB
    assert (await days(db))[TODAY].bytes == 3 * MIB
    assert (await days(db))[TODAY].failed == 1


async def test_resuming_is_only_worth_something_when_it_led_to_the_end(db, run):
    some = Progress(network=1, resumed=MIB)
    job = await run(cause=Cause.PAUSE, progress=some)
    assert (await days(db))[TODAY].resumed == 0
    assert job.state is State.QUEUED  # nobody wanted the pause any more
    await run(job, progress=some, at=NOW + 60)
    assert (await days(db))[TODAY].resumed == MIB


async def test_cancelling_what_does_not_run_is_an_end_without_bytes(db, store):
    (job,) = await store.add([(new_id(NOW), NewJob("toy", "a", {}, owner="me"))], NOW)
    await store.act(job, Desired.CANCEL, State.CANCELLED, NOW)
    (found,) = (await days(db, "me")).values()
    assert (found.cancelled, found.bytes, found.seconds) == (1, 0, 0)


async def test_what_a_lost_worker_moved_is_counted_and_losing_too_often_is_a_failure(db, store):
    (job,) = await store.add([(new_id(NOW), NewJob("toy", "a", {}))], NOW)
    for number in range(MOST_LOSSES):
        (taken,) = await store.lease(Claim("w", ["toy"], 1), NOW, NOW + 30)
        await store.save([Save(job.id, taken.epoch, progress=Progress(network=MIB))], NOW + 2)
        (back,) = await store.reclaim(NOW + 40, [])
        assert back.state is (State.FAILED if number == MOST_LOSSES - 1 else State.QUEUED)
    (found,) = (await days(db)).values()
    assert (found.bytes, found.failed, found.seconds) == (MOST_LOSSES * MIB, 1, 2.0 * MOST_LOSSES)
    assert await db.read(lambda c: sql.by_reason(c, EVERYONE, TODAY, TODAY)) == [("lost", "failed", 1)]


async def test_what_waits_is_listed_by_when_it_goes_on(store):
    jobs = [NewJob("toy", name, {}, owner=owner, not_before=NOW + wait) for name, owner, wait in (
        ("late", "me", 60), ("soon", None, 5), ("later", "me", 90))]  # fmt: skip
    await store.add([(new_id(NOW), job) for job in [*jobs, NewJob("toy", "now", {})]], NOW)
    assert [job.title for job in await store.due(None, 2)] == ["soon", "late"]
    assert [job.title for job in await store.due("me", 9)] == ["late", "later"]


async def test_deleting_the_history_leaves_the_sums(db, store, run):
    job = await run(progress=Progress(network=MIB), host="a.example")
    before = await days(db)
    assert await store.delete([job.id], NOW) == [job.id]
    assert await days(db) == before
    assert set(await named(db, Facet.HOST)) == {"a.example"}


async def test_a_period_has_every_day_and_says_how_it_went(db, run):
    clock = Clock(NOW + DAY)
    for number in range(3):
        await run(progress=Progress(network=64 * MIB, resumed=32 * MIB), host="fast.example", at=NOW + number)
    await run(progress=Progress(network=64 * MIB), host="slow.example", took=100.0, at=NOW + 4)
    await run(cause=Cause.FAIL, reason=Reason.NOT_FOUND, host="gone.example", at=NOW + 5)
    found = await Statistics(db, clock).period(7, None)
    assert [day.at for day in found.days] == [(TODAY + 1 - back) * DAY for back in range(6, -1, -1)]
    assert found.total.bytes == 4 * 64 * MIB
    assert found.success == 4 / 5
    assert [host.name for host in found.hosts] == ["fast.example", "slow.example", "gone.example"]
    assert [host.name for host in found.slowest] == ["slow.example", "fast.example"]
    assert found.failures == {"not_found": 1}
    assert found.saved_seconds == pytest.approx(3 * 32 * MIB / (3 * 64 * MIB / 30))
    assert (await Statistics(db, clock).period(1, None)).total.bytes == 0
    assert (await Statistics(db, clock).period(7, "nobody")).total.bytes == 0


async def test_traffic_is_kept_by_minute_and_hour_and_old_one_goes(db):
    clock, seen = Clock(), [100]
    keeper = TrafficKeeper(db, clock, lambda: seen[0])
    await keeper.start()
    seen[0] += 600
    clock.at += 30
    await keeper._look()
    seen[0] += 60
    clock.at += 60
    await keeper.stop()
    minutes = await db.read(lambda c: sql.traffic(c, NOW, NOW + 120, 60))
    assert [(flow.at, flow.bytes, flow.rate) for flow in minutes] == [
        (NOW, 600, 10), (NOW + 60, 60, 1), (NOW + 120, 0, 0),
    ]  # fmt: skip
    hours = await db.read(lambda c: sql.traffic(c, NOW, NOW, 3600))
    assert [flow.bytes for flow in hours] == [660]
    await db.write(lambda c: sql.forget_traffic(c, NOW + 91 * DAY))
    assert sum(flow.bytes for flow in await db.read(lambda c: sql.traffic(c, NOW, NOW + 120, 60))) == 0
    assert [flow.bytes for flow in await db.read(lambda c: sql.traffic(c, NOW, NOW, 3600))] == [660]


async def test_flow_and_recent_tell_what_was_kept(db):
    clock = Clock()
    await db.write(lambda c: sql.add_traffic(c, NOW - 90, 1200))
    statistics = Statistics(db, clock)
    assert sum(flow.bytes for flow in (await statistics.period(7, None, flow=True)).flow) == 1200
    assert sum(flow.bytes for flow in (await statistics.period(1, None, flow=True)).flow) == 1200
    assert (await statistics.period(7, "me")).flow == ()
    recent = await statistics.recent(600)
    assert [flow.rate for flow in recent if flow.bytes] == [20.0]


async def test_the_migration_sums_the_history_that_is_there(db, run, store):
    ended = {"owner": "me", "host": "a.example", "category": "images"}
    job = await run(progress=Progress(network=5 * MIB, disk=5 * MIB), **ended)
    await run(cause=Cause.FAIL, reason=Reason.TIMEOUT, progress=Progress(network=MIB), at=NOW + DAY)
    (waiting,) = await store.add([(new_id(NOW), NewJob("toy", "a", {}))], NOW)
    await store.act(waiting, Desired.CANCEL, State.CANCELLED, NOW)
    await store.add([(new_id(NOW), NewJob("toy", "not ended", {}))], NOW)
    before = await everything(db)
    assert job.finished_at == NOW + 10
    await db.write(again)
    assert await everything(db) == before


async def everything(db):
    return await db.read(
        lambda c: [tuple(row) for row in c.execute(select(DAYS).order_by(*DAYS.primary_key))]
    )


def again(connection):
    """Take the tables of the statistics away and make them again."""
    place = Path(database_room.__file__).parent / "migrations/versions/0005_statistics.py"
    spec = importlib.util.spec_from_file_location("statistics_migration", place)
    migration = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(migration)
    with Operations.context(MigrationContext.configure(connection)):
        migration.downgrade()
        migration.upgrade()

"""Saved filters and retention behave the same on every database."""

import asyncio

import pytest

from ferryman.accounts.model import local_principal
from ferryman.core.errors import NotFound
from ferryman.core.ids import new_id
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Settings
from ferryman.downloads.history.model import SavedFilter, SavedQuery
from ferryman.downloads.history.retention import Retention
from ferryman.downloads.history.service import History
from ferryman.downloads.history.sql import FilterStore
from ferryman.downloads.service import Downloads
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob, Query
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause

NOW = 1_700_000_000.0
DAY = 86_400.0


class Standing:
    """A clock that stands still."""

    def now(self):
        return NOW


@pytest.fixture
def ledger(db, tmp_path):
    return Ledger(SqlStore(db), LocalDispatch(), Hub(), Standing(), tmp_path)


@pytest.fixture
def live(tmp_path):
    return Live(Settings(home=tmp_path, history_days=30, history_count=5))


@pytest.fixture
def history(db, ledger, live, tmp_path):
    downloads = Downloads(ledger, live, SecretBox(tmp_path / "key"))
    return History(ledger, downloads, FilterStore(db), Standing())


async def past(ledger, *days):
    """Downloads that ended so many days ago, and one that is queued, and another kind that is old."""
    for ago in days:
        at = NOW - ago * DAY
        await ledger.store.add([(new_id(at), NewJob("download", f"{ago} days", {}, owner="a"))], at)
        (job,) = await ledger.store.lease(Claim("w", ["download"], 1), at, at + 9)
        await ledger.store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED), at)
    await ledger.store.add([(new_id(1.0), NewJob("download", "queued", {}))], 1.0)


async def left(ledger):
    return [job.title for job in (await ledger.store.find(Query(sort="created_at"))).items]


async def test_retention_takes_what_is_too_old_or_too_much_and_nothing_that_has_not_ended(
    ledger, history, live
):
    await past(ledger, 90, 60, 31, 29, 7, 6, 5, 4, 3)
    assert await Retention(history, live).sweep() == 4
    assert await left(ledger) == ["7 days", "6 days", "5 days", "4 days", "3 days", "queued"]
    assert await Retention(history, live).sweep() == 0


async def test_pruning_goes_by_batches_and_says_when_there_is_more(ledger, history, monkeypatch):
    monkeypatch.setattr("ferryman.downloads.history.service.BATCH", 2)
    await past(ledger, 9, 8, 7, 6, 5)
    dry = await history.prune(days=0, count=1, most=3, dry=True)
    assert (dry.number, dry.more) == (3, True)
    assert len(await left(ledger)) == 6
    done = await history.prune(days=0, count=1, most=3)
    assert (done.number, done.more) == (3, True)
    done = await history.prune(days=0, count=1, most=3)
    assert (done.number, done.more) == (1, False)
    assert await left(ledger) == ["5 days", "queued"]
    nothing = await history.prune(days=1, count=0, owner="b")
    assert (nothing.number, nothing.more) == (0, False)


async def test_the_service_prunes_by_itself_and_when_the_settings_change(ledger, history, tmp_path):
    live = Live(Settings(home=tmp_path))
    await past(ledger, 3, 2)
    service = Retention(history, live, look=3600)
    await service.start()
    try:
        await asyncio.sleep(0)
        assert len(await left(ledger)) == 3
        live.apply({"history_count": 1})
        while len(await left(ledger)) > 2:
            await asyncio.sleep(0.01)
    finally:
        await service.stop()
    assert await left(ledger) == ["2 days", "queued"]


async def test_a_name_is_kept_once_for_each_owner(db, history):
    filters = FilterStore(db)
    for owner, name in (("a", "x"), ("a", "X"), ("b", "x"), ("a", "x")):
        assert await filters.save(SavedFilter(new_id(NOW), owner, name, {"q": owner}, NOW), 2)
    assert not await filters.save(SavedFilter(new_id(NOW), "a", "third", {}, NOW), 2)
    assert sorted(one.name for one in await filters.all("a")) == ["X", "x"]
    assert [one.query for one in await filters.all("b")] == [{"q": "b"}]
    (mine,) = await filters.all("b")
    assert not await filters.remove("a", mine.id)
    assert await filters.remove("b", mine.id)


async def test_what_is_saved_is_only_what_was_said(history):
    caller = local_principal()
    saved = await history.save(" odd \udc00 ", SavedQuery(q="x", min_size=0), caller)
    assert saved.query == {"q": "x", "min_size": 0}
    assert len(await history.filters(caller)) == 1
    with pytest.raises(NotFound):
        await history.forget("\0nothing", caller)

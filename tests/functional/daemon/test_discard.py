"""Which files go with a deleted download: its own, below the download folder, as it left them."""

import dataclasses

import pytest

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.downloads.discard import Discard, own_result
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob, State
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.purge import Purger
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause


@pytest.fixture
async def ledger(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    yield Ledger(SqlStore(database), LocalDispatch(), Hub(), SystemClock(), tmp_path)
    await database.close()


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "downloads"
    (folder / "music").mkdir(parents=True)
    return folder


@pytest.fixture
def fetched(ledger, root):
    """A download that succeeded, with its file."""

    async def make(name="music/song.ogg", data=b"la la", **result):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        await ledger.submit(NewJob("download", path.name, {}))
        (job,) = await ledger.store.lease(Claim("w", ["download"], 1), 1, 2)
        document = {"path": str(path), "size": len(data), **result}
        return await ledger.store.finish(job.id, job.epoch, Outcome(Cause.SUCCEED, result=document), 3)

    return make


async def emptied(ledger, root, job):
    await ledger.delete([job.id], files=True)
    return await Purger(ledger, {"download": Discard(ledger, root)}, after=-1).purge()


async def test_the_file_of_a_deleted_download_is_removed_with_it(ledger, root, fetched):
    job, other = await fetched(), await fetched("music/other.ogg")
    assert await emptied(ledger, root, job) == 1
    assert not (root / "music/song.ogg").exists()
    assert (root / "music/other.ogg").exists()
    assert (await ledger.get(other.id)).state is State.SUCCEEDED


async def test_a_file_that_another_download_fetched_anew_stays(ledger, root, fetched):
    first = await fetched()
    again = await fetched()
    assert first.result == again.result
    await emptied(ledger, root, first)
    assert (root / "music/song.ogg").exists()
    await emptied(ledger, root, again)
    assert not (root / "music/song.ogg").exists()


async def test_many_downloads_of_the_same_name_do_not_hide_the_one_whose_file_it_is(ledger, root, fetched):
    keeper = await fetched()
    first = await fetched()
    for number in range(210):  # newer than the one it belongs to, and more than one page of them
        await fetched(f"music/{number}/song.ogg")
    await emptied(ledger, root, first)
    assert (root / "music/song.ogg").exists()
    await emptied(ledger, root, keeper)
    assert not (root / "music/song.ogg").exists()
    assert len(list(root.rglob("song.ogg"))) == 210


async def test_a_file_that_changed_or_was_not_fetched_stays(root, fetched):
    job = await fetched()
    assert own_result(job, root) == root / "music/song.ogg"
    assert own_result(dataclasses.replace(job, state=State.FAILED), root) is None
    assert own_result(dataclasses.replace(job, result=job.result | {"skipped": True}), root) is None
    (root / "music/song.ogg").write_bytes(b"la la la")
    assert own_result(job, root) is None
    (root / "music/song.ogg").unlink()
    assert own_result(job, root) is None


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../outside", "", None, 7, "music", "link/song.ogg", "alias"]
)
async def test_nothing_outside_of_the_folder_and_no_link_is_removed(root, tmp_path, fetched, path):
    job = await fetched()
    (tmp_path / "outside").write_bytes(b"la la")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "song.ogg").write_bytes(b"la la")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "alias").symlink_to(root / "music/song.ogg")
    shown = path if path is None or not isinstance(path, str) or path.startswith("/") else str(root / path)
    assert own_result(dataclasses.replace(job, result=job.result | {"path": shown}), root) is None

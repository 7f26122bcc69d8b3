"""What may change of a download, and when."""

from typing import Any

import pytest
from pydantic import ValidationError

from ferryman.core.errors import Conflict, Invalid, NotFound
from ferryman.core.ids import new_id
from ferryman.downloads.change import DownloadChange, edited
from ferryman.downloads.model import DownloadSpec
from ferryman.downloads.running import Running
from ferryman.jobs.model import Desired, Job, State
from ferryman.transfer.model import Overwrite


def job(state: State = State.QUEUED, kind: str = "download", **more: Any) -> Job:
    spec = DownloadSpec(urls=["http://host/a.iso"], name="a.iso").model_dump(mode="json")
    return Job(new_id(), kind, "a.iso", spec, state, Desired.RUN, 5, 1.0, 0.0, 0.0, **more)


class Moving:
    """A transfer that remembers."""

    def __init__(self) -> None:
        self.rate, self.most = -1, -1

    def set_rate(self, rate: int) -> None:
        self.rate = rate

    def set_connections(self, most: int) -> None:
        self.most = most


def test_what_is_given_changes_and_the_rest_stays(tmp_path):
    before = job()
    after = edited(before, {"rate_limit": "2K", "name": "b.iso", "category": "music"}, tmp_path)
    assert (after.spec["rate_limit"], after.spec["name"], after.title) == (2000, "b.iso", "b.iso")
    assert after.category == "music"
    assert after.spec["urls"] == before.spec["urls"]
    assert edited(after, {"category": None, "name": None}, tmp_path).category is None
    assert edited(after, {"checksum": None}, tmp_path).title == "b.iso"


@pytest.mark.parametrize("field", ["name", "folder", "checksum", "overwrite"])
def test_the_file_is_settled_once_it_begins(tmp_path, field):
    values = {"name": "b", "folder": "b", "checksum": None, "overwrite": Overwrite.SKIP}
    for begun in (job(State.RUNNING), job(State.PAUSED, checkpoint={"target": "/x"})):
        with pytest.raises(Conflict) as error:
            edited(begun, {field: values[field]}, tmp_path)
        assert error.value.code == "download_begun"
        assert field in error.value.message
    assert edited(job(State.PAUSED), {field: values[field]}, tmp_path)


def test_of_a_finished_one_only_where_it_is_filed_changes(tmp_path):
    with pytest.raises(Conflict) as error:
        edited(job(State.SUCCEEDED), {"rate_limit": "1M"}, tmp_path)
    assert error.value.code == "download_done"
    assert edited(job(State.SUCCEEDED), {"category": "x"}, tmp_path).category == "x"
    assert edited(job(State.FAILED), {"rate_limit": "1M"}, tmp_path).spec["rate_limit"] == 1_000_000


def test_every_wrong_field_has_its_message(tmp_path):
    wrong = {"rate_limit": "fast", "folder": "/etc", "name": "../a", "checksum": "x", "connections": 4}
    with pytest.raises(Invalid) as error:
        edited(job(), wrong, tmp_path)
    assert sorted(error.value.fields) == ["checksum", "folder", "name", "rate_limit"]


def test_other_kinds_of_jobs_are_no_downloads(tmp_path):
    with pytest.raises(NotFound):
        edited(job(kind="sync"), {"rate_limit": "1M"}, tmp_path)


def test_only_what_was_sent_is_given():
    assert DownloadChange(rate_limit="1M").given() == {"rate_limit": "1M"}
    assert DownloadChange(category=None).given() == {"category": None}
    for bad in ({"connections": 33}, {"priority": -1}, {"rate_limit": None}, {"other": 1}, {"name": "a\nb"}):
        with pytest.raises(ValidationError):
            DownloadChange.model_validate(bad)


def test_a_change_reaches_a_transfer_that_moves_and_one_that_is_about_to():
    running, moving, late = Running(), Moving(), Moving()
    fast = DownloadSpec(urls=[], rate_limit=7, connections=3)
    one, two = job(State.RUNNING), job(State.RUNNING)
    running.begun(one.id, moving)
    assert moving.rate == -1, "it began with its spec"
    running.changed(one, fast)
    running.changed(two, fast)
    running.begun(two.id, late)
    assert (moving.rate, moving.most, late.rate, late.most) == (7, 3, 7, 3)


def test_what_does_not_run_begins_with_its_new_spec():
    running, moving = Running(), Moving()
    held, paused = job(State.RUNNING), job(State.PAUSED)
    running.changed(held, DownloadSpec(urls=[], rate_limit=7))
    running.ended(held.id)
    running.changed(paused, DownloadSpec(urls=[], rate_limit=9))
    running.begun(held.id, moving)
    running.begun(paused.id, moving)
    assert moving.rate == -1

import os
import shutil

import pytest

from ferryman.core.errors import Exhausted
from ferryman.downloads.space import Space
from ferryman.downloads.trail import Trail, length_of


@pytest.fixture
def target(tmp_path):
    return tmp_path / "x"


def test_a_file_that_came_since_and_is_whole_is_ours(target):
    trail = Trail.begin(target, {"content-length": "3"})
    assert not trail.complete()
    target.write_bytes(b"12")
    assert not trail.complete()
    target.write_bytes(b"123")
    assert trail.complete()


def test_a_file_that_was_there_before_is_not_ours(target):
    target.write_bytes(b"123")
    trail = Trail.begin(target, {"content-length": "3"})
    assert not trail.complete()
    other = target.with_name("other")
    other.write_bytes(b"456")
    other.replace(target)
    assert trail.complete()


def test_what_still_arrives_is_not_complete(target):
    trail = Trail.begin(target, {"content-length": "3"})
    target.write_bytes(b"123")
    target.with_name("x.part").write_bytes(b"1")
    assert not trail.complete()


def test_a_rename_that_stopped_half_way_is_finished(target):
    trail = Trail.begin(target, {"content-length": "3"})
    partial, journal = target.with_name("x.part"), target.with_name("x.ferry")
    partial.write_bytes(b"123")
    journal.write_bytes(b"")
    os.link(partial, target)
    assert trail.complete()
    assert not partial.exists()
    assert not journal.exists()


def test_without_a_size_nothing_is_believed(target):
    trail = Trail.begin(target)
    target.write_bytes(b"123")
    assert not trail.complete()


def test_a_checkpoint_comes_back_as_it_was(target, tmp_path):
    target.write_bytes(b"1")
    trail = Trail.begin(target, {"content-range": "bytes 0-4/5"})
    assert Trail.read(trail.document(), tmp_path) == trail
    assert Trail.read(Trail("/elsewhere/x").document(), tmp_path) is None
    for wrong in (None, {}, {"target": 5}, {"target": str(target), "before": [1], "total": "x"}):
        read = Trail.read(wrong, tmp_path)
        assert read is None or (read.before, read.total) == (None, None)


def test_lengths():
    assert length_of({"content-length": "5"}) == 5
    assert length_of({"content-length": "5", "content-range": "bytes 0-4/10"}) == 10
    assert length_of({"content-length": "5", "content-encoding": "gzip"}) is None
    assert length_of({"content-length": "5x"}) is None
    assert length_of({}) is None


def test_removing_what_has_arrived(target):
    for ending in (".part", ".ferry"):
        target.with_name(f"x{ending}").write_bytes(b"")
    trail = Trail.begin(target)
    trail.remove_partial()
    trail.remove_partial()
    assert list(target.parent.iterdir()) == []


def test_space_is_for_all_together(tmp_path):
    most = shutil.disk_usage(tmp_path).free
    space = Space()
    space.reserve("a", tmp_path, most * 6 // 10)
    with pytest.raises(Exhausted) as caught:
        space.reserve("b", tmp_path, most * 6 // 10)
    assert caught.value.code == "disk_full"
    space.update("a", most * 2 // 10)
    space.reserve("b", tmp_path, most * 6 // 10)
    space.release("b")
    space.update("b", most * 2)
    space.reserve("a", tmp_path, most * 6 // 10)

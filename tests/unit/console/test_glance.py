from pathlib import Path

import pytest

from ferryman.console.glance import LOW, Room, coming, room_of
from ferryman.jobs.model import Desired, Job, Progress, State

GIB = 1 << 30


def job(**progress):
    return Job(
        id="j", kind="toy", title="t", spec={}, state=State.RUNNING, desired=Desired.RUN, priority=5, position=1.0,
        created_at=1.0, updated_at=1.0, progress=Progress(**progress),
    )  # fmt: skip


def test_what_is_still_to_come_is_what_is_known_of():
    assert coming([job(total=10, disk=4), job(disk=7), job(total=3, disk=5)]) == 6
    assert coming([]) == 0


@pytest.mark.parametrize(
    ("free", "still", "low", "short"),
    [
        (50 * GIB, 0, False, False),
        (50 * GIB, 51 * GIB, True, True),
        (LOW - 1, 0, True, False),
        (LOW, 0, False, False),
    ],
)
def test_the_disk_is_low_when_little_is_left_or_what_runs_does_not_fit(free, still, low, short):
    room = Room(Path("/x"), 100 * GIB, free, still)
    assert (room.low, room.short) == (low, short)


def test_the_room_of_a_folder_that_is_not_there_yet_is_that_of_its_disk(tmp_path):
    room = room_of(tmp_path / "not" / "there", 5)
    assert room is not None
    assert room.total >= room.free > 0
    assert (room.path, room.coming) == (tmp_path / "not" / "there", 5)

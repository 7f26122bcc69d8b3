"""Ids are UUIDv7: of the right form, sortable by time, different."""

import uuid

import pytest

from ferryman.core.ids import is_id, new_id


def test_an_id_is_a_uuid_of_version_7_with_the_time_in_front():
    made = uuid.UUID(new_id(1_700_000_000.123))
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert made.int >> 80 == 1_700_000_000_123


def test_later_milliseconds_sort_later():
    ids = [new_id(1_700_000_000 + step / 1000) for step in range(200)]
    assert ids == sorted(ids)


def test_ids_of_the_same_moment_differ():
    assert len({new_id(1.0) for _ in range(1000)}) == 1000


def test_without_a_time_the_clock_is_read():
    assert new_id() > new_id(1_600_000_000)
    assert is_id(new_id())


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "x",
        lambda _: str(uuid.uuid4()),
        str.upper,
        lambda made: made + "\n",
        lambda made: "../" + made,
        lambda made: made.replace("-", ""),
    ],
)
def test_other_texts_are_no_ids(change):
    assert not is_id(change(new_id()))

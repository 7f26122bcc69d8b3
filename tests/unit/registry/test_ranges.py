"""Ranges of blobs, places of chunks, entity tags."""

import pytest

from ferryman.registry.ranges import Unsatisfiable, chunk, tags_match, wanted


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 10)),
        ("bytes=90-1000", (90, 10)),
        ("bytes=-10", (90, 10)),
        ("bytes=-1000", (0, 100)),
        ("bytes= 5-5 ", (5, 1)),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("items=1-2", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_a_range_of_a_hundred_bytes(header: str, expected: tuple[int, int] | None):
    assert wanted(header, 100) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=5-2", 100), ("bytes=-0", 9), ("bytes=0-", 0)]
)
def test_a_range_outside(header: str, size: int):
    with pytest.raises(Unsatisfiable):
        wanted(header, size)


def test_a_chunk_has_a_first_and_a_last_byte():
    assert chunk("0-0") == (0, 1)
    assert chunk("10-19") == (10, 10)
    assert chunk("bytes 10-19/100") == (10, 10)
    for wrong in ("", "5", "9-5", "a-b", "-5", "5-", "1-2-3", "1 - 2"):
        assert chunk(wrong) is None


def test_entity_tags_are_compared_weakly():
    assert tags_match('"a"', '"a"')
    assert tags_match('"x", W/"a"', '"a"')
    assert tags_match("*", '"a"')
    assert not tags_match("a", '"a"')

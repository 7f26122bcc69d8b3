"""Any blobs fit any volumes: whole, in order, nothing beyond the size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.errors import Invalid
from ferryman.depot.bundles.model import Bundle, Part, Segment, member_name, parse_bundle, room
from ferryman.depot.bundles.plan import LEAST, cut
from ferryman.oci.transports.tars import END
from tests.conformance.depot.making import digest_of

BLOBS = st.lists(st.tuples(st.integers(0, 1 << 40), st.sampled_from(["sha256", "sha512"])), max_size=12)


def named(sizes):
    return [(digest_of(str(at).encode(), algorithm), size) for at, (size, algorithm) in enumerate(sizes)]


@given(sizes=BLOBS, share=st.integers(1, 40), extra=st.integers(0, 5000))
def test_every_byte_has_one_place(sizes, share, extra):
    blobs = named(sizes)
    most = LEAST + extra + sum(size for _, size in blobs) // share
    pieces, volumes = cut(blobs, most)
    ends = [0] * len(volumes)
    for (digest, size), mine in zip(blobs, pieces, strict=True):
        assert [one.offset for one in mine] == [sum(b.size for b in mine[:at]) for at in range(len(mine))]
        assert sum(one.size for one in mine) == size
        for one in mine:
            assert one.at == ends[one.volume - 1]
            ends[one.volume - 1] += room(member_name(digest, one.offset, whole=one.size == size), one.size)
    assert [end + len(END) for end in ends] == volumes
    assert max(volumes) <= most


@given(sizes=BLOBS, extra=st.integers(0, 5000))
def test_the_list_is_read_as_it_was_written(sizes, extra):
    blobs = named(sizes)
    pieces, volumes = cut(blobs, LEAST + extra + sum(size for _, size in blobs) // 7)
    parts = tuple(
        Part(
            digest,
            size,
            tuple(
                Segment(p.volume, p.at, p.offset, p.size, digest if p.size == size else digest_of(b"x"))
                for p in mine
            ),
        )
        for (digest, size), mine in zip(blobs, pieces, strict=True)
    )
    made = Bundle("0" * 32, 5.0, (), parts, (), tuple(volumes))
    assert parse_bundle(made.raw, "it") == made


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(raw):
    with pytest.raises(Invalid):
        parse_bundle(raw, "it")


def test_too_small():
    with pytest.raises(Invalid, match="too small"):
        cut([], LEAST - 1)

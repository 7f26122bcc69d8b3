"""Moving a blob: checked, gone on with after a failure, and never too much of it."""

import pytest

from ferryman.core.errors import Corrupt, Unavailable
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports.streams import TRIES, pour

DATA = bytes(range(256)) * 40
BLOB = Descriptor.of("application/octet-stream", DATA)


class Stream:
    """Gives pieces; an exception among them is raised."""

    def __init__(self, *pieces) -> None:
        self.pieces = list(pieces)
        self.size, self.offset = None, 0

    def readinto(self, view):
        if not self.pieces:
            return 0
        piece = self.pieces.pop(0)
        if isinstance(piece, Exception):
            raise piece
        view[: len(piece)] = piece
        return len(piece)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("ferryman.oci.transports.streams.time.sleep", lambda seconds: None)


def poured(source, blob=BLOB, kept=()):
    out, told = bytearray(), []
    pour(blob, source, out.extend, told.append, kept)
    return bytes(out), sum(told)


def test_a_whole_blob():
    assert poured(lambda at: Stream(DATA[at : at + 100], DATA[at + 100 :])) == (DATA, len(DATA))


def test_it_goes_on_where_the_source_stopped():
    asked = []

    def source(at):
        asked.append(at)
        return Stream(DATA[at : at + 3000], Unavailable("cut", "cut"))

    assert poured(source) == (DATA, len(DATA))
    assert asked == [0, 3000, 6000, 9000]


def test_what_is_kept_is_only_read():
    assert poured(lambda at: Stream(DATA[at:]), kept=[memoryview(DATA[:500])]) == (
        DATA[500:],
        len(DATA) - 500,
    )
    with pytest.raises(Corrupt):
        poured(lambda at: Stream(DATA[at:]), kept=[memoryview(bytes(500))])


def test_a_source_that_always_fails():
    asked = []

    def source(at):
        asked.append(at)
        raise Unavailable("cut", "cut")

    with pytest.raises(Unavailable):
        poured(source)
    assert len(asked) == TRIES


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ([DATA[:100]], "blob_length"),
        ([DATA, b"more"], "blob_length"),
        ([bytes(len(DATA))], "blob_mismatch"),
        ([], "blob_length"),
    ],
)
def test_bytes_that_are_not_the_blob(pieces, code):
    with pytest.raises(Corrupt) as error:
        poured(lambda at: Stream(*pieces) if at == 0 else Stream())
    assert error.value.code == code


def test_an_error_of_the_receiver_is_not_taken_for_one_of_the_source():
    def full(piece):
        raise Unavailable("receiver", "gone")

    asked = []
    with pytest.raises(Unavailable, match="gone"):
        pour(BLOB, lambda at: asked.append(at) or Stream(DATA), full, lambda n: None)
    assert asked == [0]


def test_an_empty_blob():
    assert poured(lambda at: Stream(), Descriptor.of("x", b"")) == (b"", 0)

"""Content that is written in pieces, interrupted anywhere, is what was sent, or is refused."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.digests import Digest
from ferryman.depot.model import Blob, Origin
from ferryman.depot.settling import Arrived
from ferryman.depot.writer import BlobWriter, take

ORIGIN = Origin("test", 0.0)


def open_at(path: Path, placed: list[bytes], offset: int | None) -> BlobWriter:
    def arrive(arrived: Path, handle: int, digest: Digest, size: int) -> Arrived:
        return Arrived(arrived, handle, Blob(digest, size, 0.0, ORIGIN), 0, None)

    def settle(arrived: Sequence[Arrived]) -> list[Blob]:
        for one in arrived:
            placed.append(one.path.read_bytes())
            one.path.unlink()
        return [one.blob for one in arrived]

    handle = take(path, make=True)
    assert handle is not None
    writer = BlobWriter(path, handle, ORIGIN, "sha256", arrive, settle, lambda _: None, keep=False)
    if offset is not None:
        writer.load(offset)
    return writer


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans(), st.integers(0, 50)), max_size=12))
def test_pieces_make_the_whole(pieces):
    with TemporaryDirectory() as folder:
        path, placed = Path(folder) / "upload", []
        writer, sent = open_at(path, placed, None), b""
        for piece, interrupted, torn in pieces:
            assert writer.write(piece) == len(piece)
            sent += piece
            assert writer.offset == len(sent)
            if interrupted:
                state = writer.suspend()
                with path.open("ab") as file:  # what a kill left behind the last certain byte
                    file.write(os.urandom(torn))
                writer = open_at(path, placed, state.offset)
        blob = writer.commit(Digest("sha256", hashlib.sha256(sent).hexdigest()))
        assert placed == [sent]
        assert blob.size == len(sent)
        writer.abort()

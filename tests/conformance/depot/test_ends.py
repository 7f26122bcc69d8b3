"""A repository of the depot as source and as target of a copy."""

import pytest

from ferryman.core.errors import Corrupt, NotFound, Unavailable
from ferryman.depot.stream import FileStream
from ferryman.oci.manifest import Descriptor
from ferryman.oci.media import OCI_INDEX, OCI_LAYER
from tests.conformance.depot.making import ORIGIN, digest_of, image, index, put_image, store, subject


def read(stream) -> bytes:
    found, view = b"", memoryview(bytearray(7))
    with stream:
        while count := stream.readinto(view):
            found += bytes(view[:count])
    return found


def layer(content: bytes) -> Descriptor:
    return Descriptor(OCI_LAYER, digest_of(content), len(content))


def test_a_source(depot):
    one = put_image(depot, "a", "1", b"content of a layer")
    source = depot.source("a")
    assert source.resolve("1").raw == source.resolve(None).raw == source.manifest(one.digest).raw == one.raw
    assert read(source.open_blob(layer(b"content of a layer"), 8)) == b"of a layer"
    put_image(depot, "a", "latest", b"other")
    assert source.resolve(None).digest == depot.tagged("a", "latest")
    assert list(source.tags()) == ["1", "latest"]
    hidden = store(depot, b"of another repository")
    with pytest.raises(NotFound):
        source.open_blob(Descriptor(OCI_LAYER, hidden, 21))
    with pytest.raises(NotFound):
        source.resolve("2")
    source.close()


def test_everything_that_refers_to_a_manifest(depot):
    one = put_image(depot, "a", "1", b"one")
    by_subject = put_image(depot, "a", None, b"sbom", subject=subject(one))
    by_tag = put_image(depot, "a", f"sha256-{one.digest.hex}.sig", b"cosign")
    listed = put_image(depot, "a", None, b"listed")
    depot.put_manifest("a", index(listed, by_subject), f"sha256-{one.digest.hex}", ORIGIN)
    found = [item.digest for item in depot.source("a").referrers(one.digest)]
    assert sorted(map(str, found)) == sorted(str(item.digest) for item in (by_subject, by_tag, listed))
    assert depot.source("a").referrers(listed.digest) == []


@pytest.fixture
def arriving(tmp_path):
    """Makes sources of blobs that count what was read and may break off."""

    class Broken(FileStream):
        left = 1 << 40

        def readinto(self, view, /):
            if self.left <= 0:
                raise Unavailable("cut", "The line was cut.")
            count = super().readinto(view[: self.left])
            self.left -= count
            return count

    def make(content: bytes, cut: int = 1 << 40):
        path = tmp_path / "source"
        path.write_bytes(content)
        opened = []

        def source(offset: int):
            opened.append(offset)
            stream = Broken(path, offset)
            stream.left = cut
            return stream

        source.opened = opened
        return source

    return make


def test_a_target_goes_on_where_it_stopped(depot, arriving):
    content = bytes(range(256)) * 5000
    told: list[int] = []
    with depot.begin("job:1", 60) as hold:
        target = depot.target("a", ORIGIN, hold)
        assert not target.has_blob(layer(content))
        with pytest.raises(Unavailable):
            target.put_blob(layer(content), arriving(content, 400_000), told.append, None)
        assert not depot.has(digest_of(content))
        source = arriving(content)
        target.put_blob(layer(content), source, told.append, None)
        assert source.opened == [400_000]
        assert target.has_blob(layer(content))
        again = arriving(content)
        target.put_blob(layer(content), again, told.append, None)
        assert again.opened == []
        target.put_blob(layer(b""), arriving(b""), told.append, None)
        target.put_blob(Descriptor(OCI_LAYER, digest_of(b"{}"), 2), arriving(b"{}"), told.append, None)
        made = image(content)
        target.put_manifest(made, "1")
        target.put_manifest(index(made, image(b"not chosen")), "both")
        assert target.tagged("1") == made.digest
        assert target.tagged("2") is None
        assert target.has_manifest(made.digest)
        assert target.mount(layer(content), "elsewhere")
        assert depot.manifest("a", "both").media_type == OCI_INDEX
        target.close()


def test_what_an_earlier_attempt_left_may_be_wrong(depot, arriving):
    content = b"0123456789" * 1000
    depot.partial(digest_of(content)).write_bytes(b"x" * 5000)
    source = arriving(content)
    with depot.begin("job:1", 60) as hold:
        depot.target("a", ORIGIN, hold).put_blob(layer(content), source, lambda _: None, None)
    assert source.opened == [5000, 0]
    assert depot.path(digest_of(content)).read_bytes() == content


@pytest.mark.parametrize("sent", [b"short", b"longer than said", b"the same len"])
def test_a_source_that_lies_is_refused(depot, arriving, sent):
    with depot.begin("job:1", 60) as hold:
        target = depot.target("a", ORIGIN, hold)
        with pytest.raises(Corrupt):
            target.put_blob(layer(b"what it was."), arriving(sent), lambda _: None, None)
    assert not depot.has(digest_of(b"what it was."))
    assert not any(path.stat().st_size for path in (depot.folder / "partial" / "sha256").iterdir())
    assert not list((depot.folder / "uploads").iterdir())

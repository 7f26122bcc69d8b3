"""Bundles that somebody made to deceive: each is refused with a clear error, and nothing of it is visible."""

import io
import random
import tarfile

import pytest
import zstandard

from ferryman.core.errors import Conflict, Corrupt, FerryError, Invalid
from ferryman.depot.bundles.model import CONTEXT, Bundle, Named, Part, Segment, member_name, room
from ferryman.depot.bundles.volume import head
from ferryman.oci.media import OCI_MANIFEST
from ferryman.oci.transports.tars import END, header, padding
from tests.conformance.depot.making import digest_of, image, put_image
from tests.integration.depot.test_bundles import Site, everything, fill

REF = "team/other:2"


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    fill(site.depot)
    yield site
    site.close()


@pytest.fixture
def there(tmp_path, here):
    site = Site(tmp_path / "there")
    site.keys.trust("here", str(here.keys.own()))
    yield site
    site.close()


def refused(there, *paths):
    with pytest.raises(FerryError) as told:
        there.load(*paths)
    assert not everything(there.depot)
    assert there.depot.repositories() == []
    assert told.value.advice
    return told.value


PAX = {"format": tarfile.PAX_FORMAT}
KINDS = {
    "absolute": {"name": "/etc/cron.d/evil"},
    "parent": {"name": "../../../evil"},
    "hardlink": {"type": tarfile.LNKTYPE, "linkname": "/etc/shadow"},
    "symlink": {"type": tarfile.SYMTYPE, "linkname": "../../../../etc"},
    "device": {"type": tarfile.BLKTYPE, "devmajor": 8},
    "fifo": {"type": tarfile.FIFOTYPE},
    "sparse": {"type": tarfile.GNUTYPE_SPARSE},
    "pax size": {"pax_headers": {"size": "1099511627776"}, **PAX},
    "pax path": {"pax_headers": {"path": "../../evil"}, **PAX},
    "pax sparse": {"pax_headers": {"GNU.sparse.size": "1099511627776"}, **PAX},
    "huge header": {"pax_headers": {"comment": "x" * 3_000_000}, **PAX},
    "long name": {"name": "a/" * 60_000},
    "setuid": {"mode": 0o4755},
}


def evil_header(name, size, said):
    """A tar header, perhaps with extended ones before it, that says something else than the signed list."""
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in said.items():
        if field != "format":
            setattr(info, field, value)
    return info.tobuf(said.get("format", tarfile.GNU_FORMAT))


@pytest.mark.parametrize("place", ["first", "inside"])
def test_headers_that_say_something_else(here, there, place):
    path = here.create(REF).files[0]
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    member = members[0] if place == "first" else members[6]
    for kind, said in KINDS.items():
        block = evil_header(member.name, member.size, said)
        path.write_bytes(whole[: member.offset] + block + whole[member.offset_data :])
        problem = refused(there, path)
        assert path.name in problem.message, kind
        assert len(problem.message) < 1000
    path.write_bytes(whole)
    assert there.load(path).complete


def test_compressed_bombs(here, there):
    path = here.create(REF).files[0]
    whole = path.read_bytes()
    wide = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    frame = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    path.write_bytes(frame.compress(whole) + frame.flush())
    problem = refused(there, path)
    assert (problem.code, path.name in problem.message) == ("bundle_invalid", True)
    assert "memory" in problem.message
    frame = zstandard.ZstdCompressor(level=1).compressobj()
    zeros, bomb = bytes(1 << 20), [frame.compress(header("ferryman/bundle.json", 1 << 32))]
    bomb += [frame.compress(zeros) for _ in range(512)]
    path.write_bytes(b"".join([*bomb, frame.flush()]))
    problem = refused(there, path)
    assert "more than" in problem.message
    good = zstandard.ZstdCompressor(level=1).compressobj()
    path.write_bytes(good.compress(whole[:20_000]) + good.flush())
    assert refused(there, path).code == "volume_damaged"
    for rest in (b"", b"\x00" * 40, b"\xff" * 40):
        path.write_bytes(b"\x28\xb5\x2f\xfd" + rest)
        assert path.name in refused(there, path).message


def forged(site, named, blobs):
    """Write a bundle that is signed well and says what it should not: blobs are (digest, its pieces)."""
    parts, body, at = [], b"", 0
    for digest, pieces in blobs:
        cuts, offset, size = [], 0, sum(map(len, pieces))
        for piece in pieces:
            name = member_name(digest, offset, whole=len(pieces) == 1)
            sign = digest if len(pieces) == 1 else digest_of(piece)
            cuts.append(Segment(1, at, offset, len(piece), sign))
            body += header(name, len(piece)) + piece + padding(len(piece))
            at, offset = at + room(name, len(piece)), offset + len(piece)
        parts.append(Part(digest, size, tuple(cuts)))
    bundle = Bundle(site.keys.own().id, 1.0, tuple(named), tuple(parts), (), (at + len(END),))
    path = site.folder / "forged.bundle"
    path.write_bytes(head(bundle, site.keys.sign(CONTEXT, bundle.raw), 1) + body + END)
    return path


def test_a_signed_list_that_lies(here, there):
    config, layer = b"{}", random.Random(1).randbytes(5000)
    made = image(layer, config=config)
    name = Named("team/app", made.digest, OCI_MANIFEST, len(made.raw), ("1",))
    whole = [(made.digest, [made.raw]), (digest_of(config), [config])]
    lies = [
        ("volume_damaged", name, [*whole, (digest_of(layer), [layer[:-1] + b"x"])]),
        ("bundle_content", name, [*whole, (digest_of(layer), [layer[:2000], layer[2000:-1] + b"x"])]),
        ("bundle_unfinished", name, whole),
        ("bundle_unfinished", name, whole[1:]),
        ("bundle_invalid", Named("team/app", made.digest, OCI_MANIFEST, 5, ("1",)), [*whole, (digest_of(layer), [layer])]),
        (None, Named("../x", made.digest, OCI_MANIFEST, len(made.raw), ("1",)), [*whole, (digest_of(layer), [layer])]),
        (None, Named("a", made.digest, OCI_MANIFEST, len(made.raw), ("../1",)), [*whole, (digest_of(layer), [layer])]),
        (None, Named("a", digest_of(config), OCI_MANIFEST, 2, ("1",)), [*whole, (digest_of(layer), [layer])]),
    ]  # fmt: skip
    for code, named, blobs in lies:
        good = Named("team/good", made.digest, OCI_MANIFEST, len(made.raw), ("1",))
        problem = refused(there, forged(here, [good, named], blobs))
        assert isinstance(problem, Invalid | Corrupt)
        assert code in {None, problem.code}
    good = Named("team/good", made.digest, OCI_MANIFEST, len(made.raw), ("1",))
    assert there.load(forged(here, [good], [*whole, (digest_of(layer), [layer])])).complete


def test_volumes_repeated_mixed_and_cut(here, there):
    made = here.create("quay.io/team/app:1.0", volume_size=200_000)
    assert len(made.files) >= 3
    first, second, *rest = made.files
    copy = here.folder / "again"
    copy.write_bytes(first.read_bytes())
    loaded = there.load(first, copy, first)
    assert loaded.missing
    foreign = here.folder / "foreign"
    put_image(here.depot, "team/foreign", "1", b"foreign" * 50_000)
    kept = {path: path.read_bytes() for path in made.files}
    foreign.write_bytes(here.create("team/foreign:1").files[0].read_bytes())
    for path, content in kept.items():
        path.write_bytes(content)
    with pytest.raises(Conflict, match="foreign belongs to another bundle"):
        there.load(second, foreign)
    for junk in (b"", b"no tar", kept[second][: len(kept[second]) // 2], kept[second][:700], b"\0" * 5000):
        second.write_bytes(junk)
        problem = refused(there, first, second, *rest)
        assert (problem.code, problem.details["volumes"]) == ("volume_damaged", [str(second)])
    second.write_bytes(kept[second])
    assert there.load(second).complete


def test_the_state_of_loading_outlives_its_process(here, there):
    """Four volumes, the second damaged: each comes with a depot that was opened anew."""
    made = here.create("quay.io/team/app:1.0", volume_size=180_000)
    assert len(made.files) == 4
    second = made.files[1]
    good = second.read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    second.write_bytes(bad)
    there.load(made.files[3])
    there.reopen()
    there.load(made.files[0])
    there.reopen()
    with pytest.raises(Corrupt) as told:
        there.load(second)
    assert told.value.details["volumes"] == [str(second)]
    there.reopen()
    assert there.load(made.files[2]).missing == (2,)
    there.reopen()
    second.write_bytes(good)
    loaded = there.load(second)
    assert loaded.complete
    assert loaded.read <= len(good), "only the volume that was brought again is read"
    assert "quay.io/team/app:1.0" in everything(there.depot)


def test_a_tar_that_is_read_twice_differently(here, there):
    """What other tools would take out of a bundle is never looked at: only the signed list counts."""
    path = here.create(REF).files[0]
    whole = path.read_bytes()
    extra = io.BytesIO()
    with tarfile.open(fileobj=extra, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    path.write_bytes(whole + extra.getvalue())
    with pytest.raises(Corrupt, match="bytes, not"):
        there.verify(path)

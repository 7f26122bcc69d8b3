"""Whatever an archive or a list says: it is read or refused with a reason, quickly, and nothing else happens."""

import contextlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.archives.model import ArchiveLimits
from ferryman.core.errors import Corrupt, FerryError, Invalid
from ferryman.oci import media
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports import open_source
from ferryman.oci.transports.entries import LayoutIndex, parse_index
from ferryman.oci.transports.saved import parse_saved
from ferryman.oci.transports.tars import END, header, padding, scan

LIMITS = ArchiveLimits(entries=50)
PART = st.sampled_from(
    [
        "blobs",
        "sha256",
        "a" * 64,
        "..",
        ".",
        "",
        "index.json",
        "manifest.json",
        "oci-layout",
        "é",
        "x" * 120,
        "\\",
        "C:",
    ]
)
NAMES = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "./", "/", "../"]),
    st.lists(PART, min_size=1, max_size=4),
)
KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 4
    + [
        tarfile.DIRTYPE,
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
    ]
)
MEMBERS = st.lists(st.tuples(NAMES, KINDS, NAMES, st.binary(max_size=700)), max_size=8)
FORMATS = st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])


def tar_of(members, kind) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for name, type_, link, data in members:
            info = tarfile.TarInfo(name or "x")
            info.type, info.linkname = type_, link
            info.size = len(data) if type_ == tarfile.REGTYPE else 0
            with contextlib.suppress(ValueError):  # a name that this format cannot hold
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def scanned(data: bytes):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return scan(file.fileno(), LIMITS)


@given(MEMBERS, FORMATS)
@settings(max_examples=300)
def test_members_are_what_another_reader_finds(members, kind):
    data = tar_of(members, kind)
    try:
        found = scanned(data)
    except Invalid:
        return
    except Corrupt:
        # The other tool writes names where headers of sparse files have numbers, and cannot read that back either.
        assert tarfile.GNUTYPE_SPARSE in {type_ for _, type_, _, _ in members}
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        others: dict[str, bytes] = {}
        for member in tar:
            name = "/".join(part for part in member.name.split("/") if part not in {"", "."})
            if member.isreg():
                others.setdefault(name, tar.extractfile(member).read())
    assert {name: data[at.start : at.start + at.size] for name, at in found.files.items()} == others
    assert not any(".." in name.split("/") or name.startswith("/") for name in found.files)


@given(MEMBERS, FORMATS, st.data())
@settings(max_examples=300)
def test_damaged_bytes_are_read_or_refused(members, kind, draw):
    data = bytearray(tar_of(members, kind))
    for _ in range(draw.draw(st.integers(0, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    data = data[: draw.draw(st.integers(0, len(data)))]
    with contextlib.suppress(Invalid, Corrupt):
        for member in scanned(bytes(data)).files.values():
            assert 0 <= member.start <= member.start + member.size <= len(data)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(Invalid, Corrupt):
        scanned(data)


@given(st.lists(st.tuples(st.text("abc/é.", min_size=1, max_size=150), st.binary(max_size=600)), max_size=6))
def test_what_is_written_is_found(members):
    data = b"".join(header(name, len(body)) + body + padding(len(body)) for name, body in members) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert [tar.extractfile(member).read() for member in tar] == [body for _, body in members]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just("sha256:" + "a" * 64),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["manifests", "digest", "size", "mediaType", "annotations", "Config", "Layers", "RepoTags"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200)
def test_lists_are_read_or_refused(document):
    raw = json.dumps(document).encode()
    with contextlib.suppress(Corrupt):
        index = parse_index(raw, "p")
        assert parse_index(index.render(), "p").entries == index.entries
    with contextlib.suppress(Corrupt):
        parse_saved(raw, "p")


DIGESTS = st.sampled_from([Descriptor.of(media.OCI_MANIFEST, bytes([n])) for n in range(3)])


@given(st.lists(st.tuples(DIGESTS, st.none() | st.sampled_from("abc"))))
def test_a_list_is_a_map_of_names(steps):
    index, names, there = LayoutIndex(), {}, set()
    for descriptor, name in steps:
        index = index.having(descriptor, name)
        there.add(descriptor.digest)
        if name is not None:
            names[name] = descriptor.digest
    assert {e.name: e.descriptor.digest for e in index.entries if e.name} == names
    assert {e.descriptor.digest for e in index.entries} <= there
    loose = [e.descriptor.digest for e in index.entries if e.name is None]
    assert len(loose) == len(set(loose))


@given(MEMBERS, FORMATS, st.sampled_from(["oci-archive", "docker-archive"]), JSON, JSON)
@settings(max_examples=200)
def test_archives_open_nothing_but_themselves(members, kind, transport, index, saved):
    """Whatever is inside, the only files that come to be are none, and what is wrong has a code."""
    documents = [
        ("oci-layout", tarfile.REGTYPE, "", b'{"imageLayoutVersion":"1.0.0"}'),
        ("index.json", tarfile.REGTYPE, "", json.dumps(index).encode()),
        ("manifest.json", tarfile.REGTYPE, "", json.dumps(saved).encode()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tar"
        path.write_bytes(tar_of([*members, *documents], kind))
        try:
            source = open_source(parse_location(f"{transport}:{path}"))
        except FerryError:
            pass
        else:
            with contextlib.suppress(FerryError):
                source.resolve(None)
            with contextlib.suppress(FerryError):
                list(source.tags())
            source.close()
        assert os.listdir(folder) == ["a.tar"]

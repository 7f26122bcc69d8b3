"""Whatever names, links and kinds an archive has: nothing ever lands outside its folder."""

import contextlib
import os
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.archives.guard import link_of, parts_of
from ferryman.core.archives.model import ArchiveLimits
from ferryman.core.archives.unpack import unpack
from ferryman.core.errors import FerryError
from tests.integration.core.archives_made import member, seven_of, tar_of, zip_of

PART = st.sampled_from(["a", "b", "c", "..", ".", "", "A", "é", "a\\..", "\x00x", "..\\..", "C:"])
NAMES = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "", "", "/", "./", "../"]),
    st.lists(PART, min_size=1, max_size=5),
)
KINDS = st.sampled_from(
    [tarfile.REGTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]
)
MEMBERS = st.lists(st.tuples(NAMES, KINDS, NAMES), min_size=1, max_size=8)


def check_inside(root: Path) -> None:
    """Only the archive and what it unpacked are there, and every link of it leads into the same folder."""
    assert {path.name for path in root.iterdir()} <= {"archive", "out"}
    out = root / "out"
    for folder, _, _ in os.walk(out):
        for path in Path(folder).iterdir():
            assert Path(os.path.realpath(path)).is_relative_to(out)


@given(MEMBERS)
@settings(max_examples=150, deadline=None)
def test_no_tar_writes_outside(members):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        made = [member(name or "x", b"1", type=kind, linkname=target) for name, kind, target in members]
        try:
            unpack(tar_of(root / "archive", *made), root / "out", mark="m")
        except FerryError:
            assert not (root / "out").exists()
        check_inside(root)


@given(st.dictionaries(NAMES, st.one_of(st.just(b"1"), NAMES), min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_no_zip_writes_outside(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        try:
            unpack(zip_of(root / "archive", files), root / "out", mark="m")
        except FerryError:
            assert not (root / "out").exists()
        check_inside(root)


@given(st.dictionaries(NAMES.filter(lambda name: "\0" not in name), st.just(b"1"), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_no_7z_writes_outside(files):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        try:
            unpack(seven_of(root / "archive", files), root / "out", mark="m")
        except FerryError:
            assert not (root / "out").exists()
        check_inside(root)


@given(
    st.binary(min_size=1, max_size=400),
    st.sampled_from([b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9", b""]),
)
@settings(max_examples=120, deadline=None)
def test_noise_is_refused_with_an_error_of_ours(noise, start):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / "archive").write_bytes(start + noise)
        with contextlib.suppress(FerryError):
            unpack(root / "archive", root / "out", mark="m")
        check_inside(root)


@given(NAMES, NAMES)
def test_what_passes_stays_below_the_root(name, target):
    limits = ArchiveLimits()
    try:
        parts = parts_of(name, limits)
        link = link_of(name, parts, target)
    except FerryError:
        return
    assert ".." not in parts
    assert os.path.normpath("/top/" + "/".join(parts)).startswith("/top")
    if parts:
        where = os.path.normpath("/top/" + "/".join((*parts[:-1], link)))
        assert where == "/top" or where.startswith("/top/")

"""An index of a tar is made from headers; whatever is hostile in them is refused by name."""

import io
import os
import tarfile

import pytest

from ferryman.core.archives.model import ArchiveLimits
from ferryman.core.errors import Corrupt, Invalid
from ferryman.oci.transports.tars import BLOCK, END, header, no_links, padding, refuse_twice, scan

LIMITS = ArchiveLimits()


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, link, size
    return found


def made(*members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for member, data in members:
            member.size = member.size or len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def index(data: bytes, tmp_path, limits: ArchiveLimits = LIMITS):
    path = tmp_path / "t.tar"
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return scan(descriptor, limits)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_found_where_they_are(tmp_path, kind):
    data = made(
        (info("a"), b"one"), (info("d", tarfile.DIRTYPE), b""), (info("./d/b"), b"x" * 600), kind=kind
    )
    found = index(data, tmp_path)
    assert set(found.files) == {"a", "d/b"}
    for name, content in (("a", b"one"), ("d/b", b"x" * 600)):
        member = found.find(name)
        assert data[member.start : member.start + member.size] == content


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_both_kinds(tmp_path, kind):
    name = f"blobs/sha512/{'a' * 128}"
    found = index(made((info(name), b"x"), (info("é" * 90), b"y"), kind=kind), tmp_path)
    assert found.find(name).size == 1
    assert found.find("é" * 90).size == 1


def test_what_we_write_is_read(tmp_path):
    names = [f"blobs/sha512/{'b' * 128}", "index.json"]
    data = b"".join(header(name, 5) + b"12345" + padding(5) for name in names) + END
    assert {name: member.size for name, member in index(data, tmp_path).files.items()} == dict.fromkeys(
        names, 5
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == names


def test_a_size_beyond_eight_gigabytes_is_written_for_everyone():
    with tarfile.open(fileobj=io.BytesIO(header("a", 20 << 30) + END)) as tar:
        assert tar.next().size == 20 << 30


def test_links_lead_to_members_only(tmp_path):
    data = made(
        (info("x/layer.tar"), b"content"),
        (info("y/layer.tar", tarfile.SYMTYPE, "../x/layer.tar"), b""),
        (info("z/layer.tar", tarfile.LNKTYPE, "y/layer.tar"), b""),
        (info("loop", tarfile.SYMTYPE, "loop"), b""),
    )
    found = index(data, tmp_path)
    assert found.find("y/layer.tar") == found.find("z/layer.tar") == found.find("x/layer.tar")
    assert found.find("loop") is None
    with pytest.raises(Invalid) as error:
        no_links(found)
    assert error.value.code == "archive_link"


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (info("../etc/passwd"), "archive_path"),
        (info("a/../../b"), "archive_path"),
        (info("/etc/passwd"), "archive_path"),
        (info("a\x1bb"), "archive_path"),
        (info("l", tarfile.SYMTYPE, "/etc/passwd"), "archive_link"),
        (info("l", tarfile.SYMTYPE, "../x"), "archive_link"),
        (info("d/l", tarfile.LNKTYPE, "../x"), "archive_link"),
        (info("d", tarfile.CHRTYPE), "archive_special"),
        (info("d", tarfile.BLKTYPE), "archive_special"),
        (info("d", tarfile.FIFOTYPE), "archive_special"),
        (info("s", tarfile.GNUTYPE_SPARSE), "archive_special"),
        (info("x" * 5000), "archive_limit"),
    ],
)
def test_hostile_members_are_refused(tmp_path, member, code):
    with pytest.raises(Invalid) as error:
        index(made((member, b"")), tmp_path)
    assert error.value.code == code


def test_too_many_members(tmp_path):
    data = made(*((info(str(n)), b"") for n in range(11)))
    with pytest.raises(Invalid) as error:
        index(data, tmp_path, ArchiveLimits(entries=10))
    assert error.value.code == "archive_limit"


def test_documents_that_come_twice(tmp_path):
    found = index(made((info("index.json"), b"1"), (info("./index.json"), b"2"), (info("b"), b"")), tmp_path)
    with pytest.raises(Invalid) as error:
        refuse_twice(found, frozenset({"index.json"}))
    assert error.value.code == "archive_duplicate"
    refuse_twice(found, frozenset({"b", "other"}))


def test_cut_and_empty_archives(tmp_path):
    whole = made((info("a"), b"x" * 2000), (info("b"), b"y"))
    for length in (0, 100, 511):
        with pytest.raises(Corrupt):
            index(whole[:length], tmp_path)
    for length in (512, 1000, 2000):
        with pytest.raises(Corrupt, match="end of the file"):
            index(whole[:length], tmp_path)
    assert index(bytes(1024), tmp_path).files == {}
    with pytest.raises(Corrupt, match="no tar header"):
        index(b"not a tar at all" * 100, tmp_path)


def test_headers_that_claim_too_much(tmp_path):
    block = info("x" * 200).tobuf(tarfile.GNU_FORMAT)  # a long name comes as a header of its own
    claim = info("././@LongLink", tarfile.GNUTYPE_LONGNAME, size=1 << 40).tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(Invalid) as error:
        index(claim + block[BLOCK:], tmp_path)
    assert error.value.code == "archive_limit"


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return info("p", kind, size=len(records)).tobuf(tarfile.USTAR_FORMAT) + records + padding(len(records))


@pytest.mark.parametrize(
    "records",
    [
        b"99 path=x\n",
        b"path=x\n",
        b"0 path=x\n",
        b"9 path\n\n\n\n",
        b"10 path=xy",
        b"13 size=-512\n",
        b"11 size=1x\n",
        b"\xff",
    ],
)
def test_extended_headers_that_are_none(tmp_path, records):
    with pytest.raises(Corrupt):
        index(pax(records) + info("a").tobuf() + END, tmp_path)


def test_no_name_or_size_for_all_members(tmp_path):
    with pytest.raises(Corrupt, match="all members"):
        index(pax(b"19 path=index.json\n", tarfile.XGLTYPE) + END, tmp_path)
    assert index(pax(b"14 comment=ab\n", tarfile.XGLTYPE) + header("a", 0) + END, tmp_path).find("a")

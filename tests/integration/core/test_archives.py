"""The one guard of archives, on friendly archives and on those that mean harm."""

import bz2
import gzip
import lzma
import os
import resource
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import py7zr
import pytest
import zstandard

from ferryman.core.archives.model import ArchiveLimits, Interrupted
from ferryman.core.archives.unpack import bare_name, unpack
from ferryman.core.errors import Conflict, Corrupt, FerryError, Invalid

from .archives_made import (
    MIB,
    long_header_tar,
    lying_zip,
    member,
    overlapping_zip,
    seven_of,
    sparse_tar,
    tar_of,
    zip_entry,
    zip_of,
)

FILES = {"readme.txt": b"hello\n", "sub/deep/data.bin": os.urandom(700_000), "empty": b""}


def opened(archive: Path, **values) -> Path:
    """Unpack beside the archive; a limit is given by name."""
    limits = ArchiveLimits(**values) if values else None
    return unpack(archive, archive.parent / "out", mark="test", limits=limits).path


def refused(archive: Path, code: str, words: str = "", **values) -> None:
    """Unpacking is refused for this reason and leaves nothing."""
    before = sorted(archive.parent.iterdir())
    with pytest.raises(FerryError) as caught:
        opened(archive, **values)
    assert caught.value.code == code, caught.value.message
    assert words in caught.value.message
    assert caught.value.advice
    assert sorted(archive.parent.iterdir()) == before


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [member(name, data) for name, data in FILES.items()]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars_are_unpacked_whatever_their_name(tmp_path, mode):
    assert content(opened(tar_of(tmp_path / "some.file", *members(), mode=mode))) == FILES


def test_zst_tars_are_unpacked(tmp_path):
    plain = tar_of(tmp_path / "plain.tar", *members()).read_bytes()
    (tmp_path / "a.tar.zst").write_bytes(zstandard.compress(plain) + zstandard.compress(b""))
    assert content(opened(tmp_path / "a.tar.zst")) == FILES


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips_are_unpacked(tmp_path, method):
    assert content(opened(zip_of(tmp_path / "a.zip", FILES, method))) == FILES


def test_7z_archives_are_unpacked(tmp_path):
    assert content(opened(seven_of(tmp_path / "a.7z", FILES))) == FILES


@pytest.mark.parametrize(
    ("ending", "compress"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstandard.compress)],
)
def test_single_files_are_decompressed_also_from_several_streams(tmp_path, ending, compress):
    archive = tmp_path / f"notes.txt.{ending}"
    archive.write_bytes(compress(b"first ") + compress(b"second"))
    found = unpack(archive, tmp_path / bare_name(archive.name), mark="test")
    assert found.path == tmp_path / "notes.txt"
    assert found.path.read_bytes() == b"first second"
    assert (found.entries, found.size) == (1, 12)


def test_times_and_the_executable_bit_stay_and_nothing_else_of_the_mode(tmp_path):
    out = opened(
        tar_of(tmp_path / "a.tar", member("run", b"#!", mode=0o6777), member("note", b"", mode=0o002))
    )
    assert stat.S_IMODE((out / "run").stat().st_mode) & 0o7111 == 0o111
    assert stat.S_IMODE((out / "note").stat().st_mode) & 0o7133 == 0
    assert (out / "run").stat().st_mtime == 1_700_000_000


def test_links_within_the_folder_stay(tmp_path):
    out = opened(
        tar_of(
            tmp_path / "a.tar",
            member("lib/real.so.1", b"code"),
            member("lib/real.so", type=tarfile.SYMTYPE, linkname="real.so.1"),
            member("bin/x", type=tarfile.SYMTYPE, linkname="../lib/real.so"),
            member("same", type=tarfile.LNKTYPE, linkname="lib/real.so.1"),
        )
    )
    assert (out / "bin/x").read_bytes() == (out / "same").read_bytes() == b"code"
    assert (out / "lib/real.so").is_symlink()
    found = unpack(zip_of(tmp_path / "b.zip", {"d/a": b"1", "l": "d/a"}), tmp_path / "b", mark="test")
    assert (found.path / "l").read_bytes() == b"1"


HOSTILE = {
    "absolute": member("/etc/passwd", b"x"),
    "windows": member("C:\\windows\\x", b"x"),
    "up": member("a/../../x", b"x"),
    "backslashes": member("a\\..\\..\\x", b"x"),
    "line end": member("a\nb", b"x"),
    "escape": member("a\x1b[2J", b"x"),
    "direction": member("a\u202egpj.exe", b"x"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_names_are_refused(tmp_path, case):
    refused(tar_of(tmp_path / "a.tar", member("good", b"1"), HOSTILE[case]), "archive_path", "entry '")


@pytest.mark.parametrize("name", ["/x", "../x", "a/../../x", "..\\x", "C:/x"])
def test_hostile_names_in_zip_and_7z_are_refused(tmp_path, name):
    refused(zip_of(tmp_path / "a.zip", {"good": b"", name: b"x"}), "archive_path")
    refused(seven_of(tmp_path / "b.7z", {"good": b"1", name: b"x"}), "archive_path")


def test_a_nul_in_a_zip_name_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"good_name": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"good_name", b"good\0name"))
    with pytest.raises((Invalid, Corrupt)):
        opened(archive)
    assert not (tmp_path / "out").exists()


LINKS = {
    "absolute": [member("l", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "up": [member("a/l", type=tarfile.SYMTYPE, linkname="../../x")],
    "empty": [member("l", type=tarfile.SYMTYPE, linkname="")],
    "up by another link": [
        member("a/b/c/keep", b""),
        member("a/b/c/root", type=tarfile.SYMTYPE, linkname="../../.."),
        member("out", type=tarfile.SYMTYPE, linkname="a/b/c/root/../../etc"),
    ],
    "hard link outside": [member("l", type=tarfile.LNKTYPE, linkname="etc/passwd")],
    "hard link to a link": [
        member("f", b""),
        member("s", type=tarfile.SYMTYPE, linkname="f"),
        member("l", type=tarfile.LNKTYPE, linkname="s"),
    ],
}


@pytest.mark.parametrize("case", LINKS)
def test_links_that_leave_are_refused(tmp_path, case):
    refused(tar_of(tmp_path / "a.tar", *LINKS[case]), "archive_link", "link '")


def test_a_hard_link_with_a_path_out_is_refused(tmp_path):
    hard = member("l", type=tarfile.LNKTYPE, linkname="../../etc/passwd")
    refused(tar_of(tmp_path / "a.tar", hard), "archive_path")


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "x/../../y"])
def test_links_of_zips_that_leave_are_refused(tmp_path, target):
    refused(zip_of(tmp_path / "a.zip", {"l": target}), "archive_link")


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    members = [member("d", type=tarfile.SYMTYPE, linkname="../elsewhere"), member("d/x", b"evil")]
    with pytest.raises(Invalid):
        opened(tar_of(tmp_path / "a.tar", *members))
    inside = [member("d", type=tarfile.SYMTYPE, linkname="e"), member("d/x", b"evil")]
    refused(tar_of(tmp_path / "b.tar", *inside), "archive_duplicate")
    after = [member("d/x", b""), member("d", type=tarfile.SYMTYPE, linkname="e")]
    refused(tar_of(tmp_path / "c.tar", *after), "archive_duplicate")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("kind", "words"),
    [(tarfile.CHRTYPE, "character device"), (tarfile.BLKTYPE, "block device"), (tarfile.FIFOTYPE, "pipe")],
)
def test_devices_and_pipes_are_refused(tmp_path, kind, words):
    refused(tar_of(tmp_path / "a.tar", member("dev", type=kind)), "archive_special", words)


@pytest.mark.parametrize("mode", [0o020666, 0o060666, 0o010666, 0o140666])
def test_devices_and_pipes_in_zips_are_refused(tmp_path, mode):
    refused(zip_entry(tmp_path / "a.zip", "dev", mode), "archive_special")


def test_names_that_come_twice_are_refused(tmp_path):
    refused(tar_of(tmp_path / "a.tar", member("a", b"1"), member("./a", b"2")), "archive_duplicate", "'./a'")
    refused(tar_of(tmp_path / "b.tar", member("a", b"1"), member("a/b", b"2")), "archive_duplicate")
    refused(tar_of(tmp_path / "c.tar", member("a/b", b"1"), member("a", b"2")), "archive_duplicate")


def test_names_that_differ_in_case_are_both_kept(tmp_path):
    out = opened(tar_of(tmp_path / "a.tar", member("README", b"1"), member("readme", b"2")))
    assert sorted(content(out).values()) == [b"1", b"2"]


def test_folders_may_come_again(tmp_path):
    twice = [member("d", type=tarfile.DIRTYPE), member("d/a", b"1"), member("d/", type=tarfile.DIRTYPE)]
    assert content(opened(tar_of(tmp_path / "a.tar", *twice))) == {"d/a": b"1"}


def test_names_that_are_no_text_are_spelled_out(tmp_path):
    archive = tar_of(tmp_path / "a.tar", member("caf\udce9", b"1"))
    assert content(opened(archive)) == {"caf%e9": b"1"}


LIMITS = [
    ({"entries": 2}, "beyond the number of entries", "2 entries"),
    ({"size": 1000}, "content too large", "1 kB"),
    ({"depth": 2}, "3 folders deep", "2 folders"),
    ({"path": 10}, "too long", "10 bytes"),
]


@pytest.mark.parametrize(("limits", "what", "limit"), LIMITS)
@pytest.mark.parametrize("make", ["zip", "tar", "7z"])
def test_limits_are_named(tmp_path, make, limits, what, limit):
    archive = {
        "zip": lambda: zip_of(tmp_path / "a", FILES),
        "tar": lambda: tar_of(tmp_path / "a", *members()),
        "7z": lambda: seven_of(tmp_path / "a", FILES),
    }[make]()
    with pytest.raises(Invalid) as caught:
        opened(archive, **limits)
    assert caught.value.code == "archive_limit"
    assert limit.split()[0] in caught.value.message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert what in caught.value.message or "directory" in caught.value.message


def test_names_longer_than_any_file_system_are_refused(tmp_path):
    refused(tar_of(tmp_path / "a.tar", member("n" * 256, b"")), "archive_limit", "255 bytes")


BOMB = {"ratio": 100, "ratio_from": MIB}


def test_bombs_of_every_kind_are_refused(tmp_path):
    zeros = b"\0" * (8 * MIB)
    ways = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstandard.compress}
    for name, compress in ways.items():
        (tmp_path / f"b.{name}").write_bytes(compress(zeros))
        refused(tmp_path / f"b.{name}", "archive_limit", "times larger", **BOMB)
    refused(zip_of(tmp_path / "b.zip", {"z": zeros}), "archive_limit", "times larger", **BOMB)
    refused(seven_of(tmp_path / "b.7z", {"z": zeros}), "archive_limit", "times larger", **BOMB)
    refused(tar_of(tmp_path / "b.tgz", member("z", zeros), mode="w:gz"), "archive_limit", "'z'", **BOMB)


def test_an_archive_in_an_archive_stays_a_file(tmp_path):
    inner = zip_of(tmp_path / "inner.zip", {"../evil": b"x"}).read_bytes()
    bomb = gzip.compress(gzip.compress(b"\0" * (8 * MIB)))
    out = opened(zip_of(tmp_path / "a.zip", {"inner.zip": inner, "bomb.gz": bomb}))
    assert content(out) == {"inner.zip": inner, "bomb.gz": bomb}


def test_entries_that_share_bytes_are_refused(tmp_path):
    refused(overlapping_zip(tmp_path / "a.zip", 500), "archive_overlap", "00001")


def test_zips_that_lie_about_sizes_are_refused(tmp_path):
    refused(lying_zip(tmp_path / "small.zip", "z", b"\0" * MIB, 10), "archive_damaged")
    refused(lying_zip(tmp_path / "large.zip", "z", b"\0" * 10, MIB), "archive_damaged")
    refused(lying_zip(tmp_path / "huge.zip", "z", b"\0" * 10, 3 << 30), "archive_limit", "times larger")


def test_a_directory_of_too_many_entries_is_refused_before_it_is_parsed(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {f"{number:06d}/{'n' * 90}": b"" for number in range(3000)})
    refused(archive, "archive_limit", "2000 entries", entries=2000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_without_bounded_memory_are_refused(tmp_path, method):
    refused(zip_of(tmp_path / "a.zip", {"a": b"1" * 100}, method), "archive_method", "'a'")


def test_encrypted_archives_are_named(tmp_path):
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w", password="secret") as archive:
        archive.writestr(b"1", "a")
    refused(tmp_path / "a.7z", "archive_encrypted")
    plain = zip_of(tmp_path / "b.zip", {"a": b"1"}, zipfile.ZIP_STORED)
    data = bytearray(plain.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    plain.write_bytes(data)
    refused(plain, "archive_encrypted", "'a'")


def test_extended_headers_of_any_length_do_not_fill_the_memory(tmp_path):
    refused(long_header_tar(tmp_path / "a.tar.xz", 64 * MIB), "archive_limit", "between two entries")


def test_sparse_files_count_with_their_holes(tmp_path):
    refused(sparse_tar(tmp_path / "a.tar", 1 << 50), "archive_limit", "'hole'", ratio_from=MIB)


@pytest.mark.parametrize(
    "start",
    [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh9"],
)
def test_damaged_archives_say_so(tmp_path, start):
    (tmp_path / "a").write_bytes(start + b"nonsense" * 100)
    refused(tmp_path / "a", "archive_damaged", "damaged")


@pytest.mark.parametrize("make", ["zip", "7z", "tgz", "txz"])
def test_cut_archives_say_so(tmp_path, make):
    archive = {
        "zip": lambda: zip_of(tmp_path / "a", FILES),
        "7z": lambda: seven_of(tmp_path / "a", FILES),
        "tgz": lambda: tar_of(tmp_path / "a", *members(), mode="w:gz"),
        "txz": lambda: tar_of(tmp_path / "a", *members(), mode="w:xz"),
    }[make]()
    archive.write_bytes(archive.read_bytes()[:-300_000])
    refused(archive, "archive_damaged")


def test_what_is_no_archive_is_not_unpacked(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"just text")
    refused(tmp_path / "a.zip", "archive_unknown")


def test_what_is_there_is_never_replaced(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("mine")
    with pytest.raises(Conflict, match="exists"):
        opened(zip_of(tmp_path / "a.zip", FILES))
    assert content(tmp_path / "out") == {"mine": b"mine"}


def test_unpacking_is_stopped_and_leaves_nothing(tmp_path):
    archive = zip_of(tmp_path / "a.zip", FILES)
    steps = []
    with pytest.raises(Interrupted):
        unpack(archive, tmp_path / "out", mark="m", progress=steps.append, stopped=lambda: len(steps) > 1)
    assert steps
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]


def test_progress_ends_at_the_whole(tmp_path):
    steps = []
    unpack(zip_of(tmp_path / "a.zip", FILES), tmp_path / "out", mark="m", progress=steps.append)
    total = sum(len(data) for data in FILES.values())
    assert (steps[-1].entries, steps[-1].done, steps[-1].total) == (3, total, total)
    assert [step.done for step in steps] == sorted(step.done for step in steps)


KILLED = """
import os, sys
from pathlib import Path
from ferryman.core.archives.unpack import unpack
archive = Path(sys.argv[1])
def progress(step):
    if step.done > 300_000:
        os.kill(os.getpid(), 9)
unpack(archive, archive.parent / "out", mark="job", progress=progress)
"""


def test_a_kill_leaves_nothing_under_the_real_name_and_a_rerun_cleans_up(tmp_path):
    archive = tar_of(tmp_path / "a.tar.gz", *members(), mode="w:gz")
    done = subprocess.run([sys.executable, "-c", KILLED, str(archive)], check=False, timeout=60)
    assert done.returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == [".job.unpacking", "a.tar.gz"]
    unpack(archive, tmp_path / "out", mark="job")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar.gz", "out"]
    assert content(tmp_path / "out") == FILES


MEASURED = """
import resource, sys
from pathlib import Path
from ferryman.core.archives.unpack import unpack
archive = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unpack(archive, archive.parent / "out", mark="job")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("make", ["7z", "txz", "tzst"])
def test_memory_stays_bounded(tmp_path, make):
    data = os.urandom(MIB) * 64
    if make == "7z":
        archive = seven_of(tmp_path / "a", {"big": data})
    elif make == "txz":
        archive = tar_of(tmp_path / "a", member("big", data), mode="w:xz")
    else:
        archive = tmp_path / "a"
        archive.write_bytes(zstandard.compress(tar_of(tmp_path / "t", member("big", data)).read_bytes()))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(archive)], capture_output=True, check=True, timeout=100
    )
    assert int(done.stdout) < 45 * 1024  # KiB; the content has 64 MiB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


def test_names_without_their_endings():
    assert bare_name("a-1.2.tar.gz") == "a-1.2"
    assert bare_name("A.ZIP") == "A"
    assert bare_name("notes.txt.xz") == "notes.txt"
    assert bare_name("plain") == "plain unpacked"
    assert bare_name(".zip") == ".zip unpacked"

"""What is known before the first byte moves, on a real file system."""

import os
import shutil
from pathlib import Path

import pytest

from ferryman.core.errors import Conflict, Denied, Exhausted, Invalid
from ferryman.transfer.model import Overwrite, Request
from ferryman.transfer.preflight import Need, check, check_folder, decide, free_name


def request(target: Path, overwrite: Overwrite = Overwrite.ASK, size: int | None = None, **more) -> Request:
    return Request(("http://host/x",), target, overwrite=overwrite, size=size, **more)


def test_missing_folders_are_made(tmp_path: Path):
    target = tmp_path / "a" / "b" / "file"
    assert check([request(target)])[0].target == target
    assert target.parent.is_dir()


def test_a_file_in_the_way_of_the_folder(tmp_path: Path):
    (tmp_path / "a").write_text("x")
    for target in (tmp_path / "a" / "file", tmp_path / "a" / "b" / "file"):
        with pytest.raises(Invalid) as refused:
            check([request(target)])
        assert refused.value.code == "target_invalid"
        assert str(target.parent) in refused.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_an_unwritable_folder_is_named_to_an_ordinary_user(tmp_path: Path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # the child never returns into pytest
        os.setuid(65534)
        said = []
        for folder in (locked, locked / "deeper"):
            try:
                check_folder(folder)
            except Denied as error:
                said.append(f"{error.code} {error.message}")
        os.write(writer, "\n".join(said).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        lines = answers.read().splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("folder_unwritable ")
        assert str(locked) in line


def test_a_folder_that_nobody_can_write():
    with pytest.raises(Denied) as refused:
        check_folder(Path("/proc/ferryman"))
    assert "/proc/ferryman" in refused.value.message


@pytest.mark.parametrize("path", ["/tmp/" + "a" * 300 + "/x", "/tmp/a\0b/x"])
def test_impossible_folders(path: str):
    with pytest.raises(Invalid):
        check_folder(Path(path))


def test_the_four_answers_to_an_existing_target(tmp_path: Path):
    target = tmp_path / "data.tar.gz"
    target.write_text("old")
    with pytest.raises(Conflict) as refused:
        check([request(target)])
    assert refused.value.code == "target_exists"
    assert str(target) in refused.value.message
    assert check([request(target, Overwrite.SKIP)]) == ()
    assert check([request(target, Overwrite.OVERWRITE)])[0].target == target
    assert check([request(target, Overwrite.RENAME)])[0].target == tmp_path / "data (1).tar.gz"
    (tmp_path / "data (1).tar.gz").write_text("old")
    (tmp_path / "data (2).tar.gz.part").write_text("arriving")
    assert decide(target, Overwrite.RENAME).target == tmp_path / "data (3).tar.gz"
    assert target.read_text() == "old"


def test_a_dangling_link_is_in_the_way_too(tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "none")
    with pytest.raises(Conflict):
        decide(tmp_path / "link", Overwrite.ASK)


def test_two_requests_for_one_target(tmp_path: Path):
    target = tmp_path / "a.iso"
    with pytest.raises(Conflict) as refused:
        check([request(target), request(target, Overwrite.OVERWRITE)])
    assert refused.value.code == "target_twice"
    planned = check([request(target, Overwrite.RENAME)] * 3)
    assert [item.target.name for item in planned] == ["a.iso", "a (1).iso", "a (2).iso"]


def test_a_folder_as_target(tmp_path: Path):
    with pytest.raises(Invalid):
        check([request(tmp_path)])
    assert check([request(tmp_path / "new", folder=True)])[0].target == tmp_path / "new"
    assert (tmp_path / "new").is_dir()


def test_names_that_leave_no_room_for_our_endings(tmp_path: Path):
    check([request(tmp_path / ("a" * 247))])
    with pytest.raises(Invalid) as refused:
        check([request(tmp_path / ("ü" * 124))])
    assert refused.value.code == "name_too_long"


def test_space_is_counted_for_all_files_together(tmp_path: Path):
    free = shutil.disk_usage(tmp_path).free
    half = free // 2 + (1 << 30)
    check([request(tmp_path / "a", size=half)])
    with pytest.raises(Exhausted) as refused:
        check([request(tmp_path / "a", size=half), request(tmp_path / "b", size=half)])
    assert refused.value.code == "disk_full"
    assert str(tmp_path) in refused.value.message
    with pytest.raises(Exhausted):
        check([request(tmp_path / "a", size=half)], queued=[Need(tmp_path, half)])


def test_what_arrived_already_is_not_needed_again(tmp_path: Path):
    free = shutil.disk_usage(tmp_path).free
    (tmp_path / "a.part").write_bytes(b"x" * (8 << 20))
    check([request(tmp_path / "a", size=free - (4 << 20) - (64 << 20))])
    assert free_name(tmp_path / "a").name == "a (1)"

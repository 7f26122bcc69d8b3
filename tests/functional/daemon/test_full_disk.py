"""A disk that is full: the job waits, nothing is lost, and it goes on when there is room."""

import subprocess
from pathlib import Path

import pytest

from ferryman.testing.upstream import File, made_up
from tests.functional.running import RunningDaemon, wait

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 8 MiB; it can be made larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_it_waits_and_goes_on_when_there_is_room(tmp_path, upstream, small_disk):
    files = [File(made_up(5 * MIB, f"disk {number}"), rate=150_000) for number in range(2)]
    daemon = RunningDaemon(tmp_path / "home", download_folder=small_disk)
    daemon.start()
    try:
        first, second = daemon.add(
            *(upstream.serve(f"/disk{number}.bin", file) for number, file in enumerate(files))
        )

        def one_waits() -> bool:
            return any(daemon.job(job)["state"] == "waiting" for job in (first, second))

        wait(one_waits, "the second to wait")
        waiting = next(daemon.job(job) for job in (first, second) if daemon.job(job)["state"] == "waiting")
        assert (waiting["reason"], waiting["error_code"]) == ("disk_full", "disk_full")
        assert "free" in waiting["error"]
        assert waiting["advice"]
        assert waiting["attempt"] <= 1
        subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
        for file in files:
            file.rate = 0
        daemon.api("POST", f"/api/v1/jobs/{waiting['id']}/resume")
        for job, number in ((first, 0), (second, 1)):
            ended = daemon.ended(job)
            assert ended["state"] == "succeeded", ended["error"]
            assert (small_disk / f"disk{number}.bin").read_bytes() == files[number].data
    finally:
        daemon.kill()


def test_ferry_get_says_what_is_needed_and_goes_on_later(tmp_path, upstream, small_disk):
    daemon = RunningDaemon(tmp_path / "home")  # for its command line only
    file = File(made_up(12 * MIB, "get"))
    url = upstream.serve("/get.bin", file)
    said = daemon.ferry("get", url, "-o", f"{small_disk}/", code=1).stderr
    assert str(small_disk) in said
    assert not (small_disk / "get.bin").exists()
    subprocess.run(["mount", "-o", "remount,size=32m", small_disk], check=True)
    daemon.ferry("get", url, "-o", f"{small_disk}/")
    assert (small_disk / "get.bin").read_bytes() == file.data

"""`kill -9` of the daemon at random moments: nothing accepted is lost, nothing is mixed, little is fetched twice."""

import hashlib
import random
import time

from ferryman.testing.upstream import made_up
from tests.functional.running import Counted, RunningDaemon, wait

MIB = 1 << 20
KILLS = 6
SIZE = 20 * MIB


def test_downloads_survive_being_killed_again_and_again(tmp_path, upstream):
    moments = random.Random(20261125)
    files = [Counted(made_up(SIZE, f"file {number}"), rate=500_000) for number in range(3)]
    urls = [upstream.serve(f"/file{number}.bin", file) for number, file in enumerate(files)]
    daemon = RunningDaemon(tmp_path / "home")
    try:
        daemon.start()
        sums = [f"sha256:{file.file.sha256}" for file in files]
        jobs = [
            *daemon.add(urls[0], checksum=sums[0]),
            *daemon.add(f"{urls[1]} {sums[1]} out=second.bin", folder="below/here"),
            *daemon.add(urls[2]),
        ]
        for _ in range(KILLS):
            before = sum(file.sent for file in files)
            wait(lambda before=before: sum(file.sent for file in files) > before, "bytes")
            time.sleep(moments.uniform(0.1, 1.2))
            daemon.kill()
            daemon.start()
            assert [daemon.job(job)["id"] for job in jobs] == jobs
        ended = [daemon.ended(job) for job in jobs]
        assert [job["state"] for job in ended] == ["succeeded"] * 3, [job["error"] for job in ended]
        paths = [
            daemon.home / "downloads" / name for name in ("file0.bin", "below/here/second.bin", "file2.bin")
        ]
        assert [job["result"]["path"] for job in ended] == [str(path) for path in paths]
        for path, file in zip(paths, files, strict=True):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.file.sha256
            assert file.sent - SIZE <= KILLS * 8 * MIB
        assert sum(file.sent for file in files) < 2 * 3 * SIZE  # it went on rather than began again
        left = [path.name for path in (daemon.home / "downloads").rglob("*") if path.is_file()]
        assert sorted(left) == ["file0.bin", "file2.bin", "second.bin"]
    finally:
        daemon.kill()


def test_a_file_that_had_arrived_when_it_was_killed_is_not_fetched_again(tmp_path, upstream):
    """Killed between the last rename and the ledger hearing of it: the job finds its own file."""
    file = Counted(made_up(3 * MIB), rate=200_000)
    url = upstream.serve("/once.bin", file)
    daemon = RunningDaemon(tmp_path / "home")
    try:
        daemon.start()
        (job,) = daemon.add(url)
        wait(lambda: daemon.job(job)["progress"]["total"], "the size to be known")
        daemon.kill()
        folder = daemon.home / "downloads"
        (folder / "once.bin.part").write_bytes(file.file.data)
        (folder / "once.bin.part").rename(folder / "once.bin")
        asked = len(upstream.seen("/once.bin"))
        daemon.start()
        ended = daemon.ended(job)
        assert ended["state"] == "succeeded", ended["error"]
        assert len(upstream.seen("/once.bin")) == asked
        assert [path.name for path in folder.iterdir()] == ["once.bin"]
    finally:
        daemon.kill()

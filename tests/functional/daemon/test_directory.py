"""A whole directory of real files: from nginx as it is, and from a server that throttles, fails and redirects."""

import hashlib
import sysconfig
from pathlib import Path
from zlib import crc32

import pytest

from ferryman.testing.faults import (
    broken_off,
    crowded,
    expiring,
    first,
    redirect,
    short_parts,
    signing,
    status,
)
from ferryman.testing.nginx import Nginx
from ferryman.testing.upstream import Behaviour, File, Upstream
from tests.functional.running import wait

LIBRARY = Path(sysconfig.get_path("stdlib"))
ROOMS = ("email", "json", "encodings", "lib2to3", "unittest")
"""Folders of the standard library: about 230 files from a few bytes to 100 KB, with names as people give them."""


def real_files() -> list[Path]:
    """The files of the directory, the same on every call."""
    found = [
        path for room in ROOMS for path in sorted((LIBRARY / room).rglob("*.py")) if "test" not in path.parts
    ]
    assert len(found) > 150
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lines(addresses: dict[Path, str], *, checked: bool = True) -> list[str]:
    """One line of an order for each file: its address, its checksum, and the folder it has at home."""
    return [
        f"{address}{f' sha256:{digest(path)}' if checked else ''} dir={path.relative_to(LIBRARY).parent}"
        for path, address in addresses.items()
    ]


def arrive(daemon, order: list[str], folder: str, seconds: float = 120) -> list[dict]:
    """Add all, wait until all ended, and return the jobs."""
    jobs = daemon.add(*order, folder=folder)
    assert len(jobs) == len(order)

    def ended() -> bool:
        found = daemon.api("GET", "/api/v1/overview")["counts"]
        return not any(found.get(state) for state in ("queued", "running", "waiting"))

    wait(ended, "the whole directory", seconds)
    return [daemon.job(job) for job in jobs]


def same(daemon, folder: str, files: list[Path]) -> None:
    """Every file is there, equal byte by byte, and nothing else is."""
    root = daemon.home / "downloads" / folder
    there = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    assert there == {path.relative_to(LIBRARY) for path in files}
    for path in files:
        assert (root / path.relative_to(LIBRARY)).read_bytes() == path.read_bytes(), path


@pytest.mark.skipif(Nginx.program() is None, reason="nginx is not installed")
def test_a_directory_from_nginx_arrives_whole(daemon, tmp_path):
    files = real_files()
    with Nginx(tmp_path / "nginx", LIBRARY) as nginx:
        order = lines({path: nginx.url(str(path.relative_to(LIBRARY))) for path in files})
        jobs = arrive(daemon, order, "plain")
        assert {job["state"] for job in jobs} == {"succeeded"}, [job["error"] for job in jobs if job["error"]]
        same(daemon, "plain", files)
        assert sum(job["progress"]["network"] for job in jobs) == sum(path.stat().st_size for path in files)


def misbehaving(server: Upstream, path: str, file: File) -> Behaviour:
    """One of the ways in which servers are trying, the same for the same path."""
    half = max(1, len(file.data) // 2)
    ways = [
        file,
        File(file.data, rate=60_000),
        first(1, status(503, {"Retry-After": "1"}), file),
        first(2, status(500), file),
        first(1, broken_off(file, half), file),
        first(1, broken_off(file, half, rudely=True), file),
        redirect(server.serve(f"/moved{path}", file)),
        redirect(server.serve(f"/moved{path}", first(1, status(502), file)), 307),
        crowded(file, 2, 429, "1"),
        short_parts(file, half),
        signing(server.serve(f"/signed{path}", expiring(first(1, broken_off(file, half), file), 1))),
    ]
    return ways[crc32(path.encode()) % len(ways)]


def test_a_directory_arrives_whole_from_a_server_that_throttles_fails_and_redirects(daemon):
    files = real_files()
    with Upstream() as server:
        addresses = {}
        for path in files:
            where = f"/real/{path.relative_to(LIBRARY)}"
            addresses[path] = server.serve(where, misbehaving(server, where, File(path.read_bytes())))
        jobs = arrive(daemon, lines(addresses, checked=False), "trying", 240)
        assert {job["state"] for job in jobs} == {"succeeded"}, [job["error"] for job in jobs if job["error"]]
        same(daemon, "trying", files)

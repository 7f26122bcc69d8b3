"""Downloads that are unpacked, by a real daemon that is killed at bad moments."""

import os

import pytest

from ferryman.testing.upstream import File
from tests.functional.running import RunningDaemon, wait
from tests.integration.core.archives_made import member, tar_of, zip_of

FILES = {"a.txt": b"first", "sub/b.bin": os.urandom(3_000_000)}


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


def served(server, tmp_path, name, make):
    path = tmp_path / "archive"
    make(path)
    file = File(path.read_bytes())
    return server.serve(f"/{name}", file), file


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def phases(daemon, job):
    events = daemon.api("GET", f"/api/v1/jobs/{job}/events")["items"]
    return [event["data"]["phase"] for event in events if event["type"] == "phase"]


def test_an_archive_is_unpacked_beside_itself(daemon, server, tmp_path):
    url, file = served(server, tmp_path, "one.zip", lambda path: zip_of(path, FILES))
    (job,) = daemon.add(f"{url} sha256:{file.sha256}", unpack=True, folder="u1")
    ended = daemon.ended(job)
    assert ended["state"] == "succeeded", ended["error"]
    folder = daemon.home / "downloads/u1"
    assert ended["result"]["unpacked"] == str(folder / "one")
    assert (ended["result"]["unpacked_entries"], ended["result"]["unpacked_size"]) == (2, 3_000_005)
    assert content(folder / "one") == FILES
    assert sorted(path.name for path in folder.iterdir()) == ["one", "one.zip"]
    assert phases(daemon, job)[-1] == "unpacking"
    (again,) = daemon.add(url, unpack=True, folder="u1")
    assert daemon.ended(again)["result"]["unpacked"] == str(folder / "one (1)")


def test_without_the_wish_nothing_is_unpacked_and_no_phase_says_so(daemon, server, tmp_path):
    url, _ = served(server, tmp_path, "plain.zip", lambda path: zip_of(path, FILES))
    (job,) = daemon.add(url, folder="u2")
    assert "unpacked" not in daemon.ended(job)["result"]
    assert "unpacking" not in phases(daemon, job)
    assert [path.name for path in (daemon.home / "downloads/u2").iterdir()] == ["plain.zip"]


def test_a_rule_asks_for_it(daemon, server, tmp_path):
    rule = {"name": "t", "extensions": ["tgz"], "unpack": True, "category": "Archives", "folder": "by-rule"}
    made = daemon.api("POST", "/api/v1/downloads/rules", rule)
    url, _ = served(
        server,
        tmp_path,
        "two.tgz",
        lambda path: tar_of(path, *[member(*item) for item in FILES.items()], mode="w:gz"),
    )
    (job,) = daemon.add(url)
    ended = daemon.ended(job)
    daemon.api("DELETE", f"/api/v1/downloads/rules/{made['id']}")
    assert (ended["category"], ended["state"]) == ("Archives", "succeeded")
    assert content(daemon.home / "downloads/by-rule/two") == FILES


@pytest.mark.parametrize(
    ("name", "make", "code"),
    [
        ("evil.zip", lambda path: zip_of(path, {"../evil": b"x"}), "archive_path"),
        ("text.zip", lambda path: path.write_bytes(b"no archive"), "archive_unknown"),
        (
            "cut.zip",
            lambda path: path.write_bytes(zip_of(path, FILES).read_bytes()[:-2000]),
            "archive_damaged",
        ),
    ],
)
def test_what_is_refused_fails_with_its_name_and_keeps_the_file(daemon, server, tmp_path, name, make, code):
    url, file = served(server, tmp_path, name, make)
    (job,) = daemon.add(url, unpack=True, folder="u3")
    ended = daemon.ended(job)
    assert (ended["state"], ended["error_code"]) == ("failed", code)
    assert ended["advice"]
    folder = daemon.home / "downloads/u3"
    assert (folder / name).read_bytes() == file.data
    assert not [path for path in folder.iterdir() if path.name.startswith(".") or path.is_dir()]


def test_limits_are_those_of_the_settings_and_a_retry_goes_on(tmp_path, server):
    daemon = RunningDaemon(tmp_path / "home", unpack_entries=1)
    url, _ = served(server, tmp_path, "limits.zip", lambda path: zip_of(path, FILES))
    try:
        daemon.start()
        (job,) = daemon.add(url, unpack=True)
        ended = daemon.ended(job)
        assert (ended["error_code"], ended["reason"]) == ("archive_limit", "invalid")
        assert "1 entries" in ended["error"]
        daemon.kill(15)
        daemon.environment["FERRY_UNPACK_ENTRIES"] = "10"
        daemon.start()
        daemon.api("POST", f"/api/v1/jobs/{job}/retry")
        ended = daemon.ended(job)
        assert ended["state"] == "succeeded", ended["error"]
        assert content(daemon.home / "downloads/limits") == FILES
        assert [path.name for path in (daemon.home / "downloads").iterdir() if path.suffix == ".zip"] == [
            "limits.zip"
        ]
    finally:
        daemon.kill()


def test_a_kill_while_unpacking_leaves_nothing_twice(tmp_path, server):
    daemon = RunningDaemon(tmp_path / "home")
    many = {f"{number:04d}/file.bin": os.urandom(20_000) for number in range(1500)}
    url, file = served(server, tmp_path, "many.zip", lambda path: zip_of(path, many))
    try:
        daemon.start()
        (job,) = daemon.add(url, unpack=True)
        folder = daemon.home / "downloads"
        wait(lambda: list(folder.glob(".*.unpacking/*")), "unpacking")
        daemon.kill()
        assert not (folder / "many").exists()
        daemon.start()
        ended = daemon.ended(job)
        assert ended["state"] == "succeeded", ended["error"]
        assert sorted(path.name for path in folder.iterdir()) == ["many", "many.zip"]
        assert content(folder / "many") == many
        assert ended["result"]["size"] == len(file.data)
    finally:
        daemon.kill()


def test_what_was_half_unpacked_goes_when_the_download_is_cancelled(tmp_path, server):
    daemon = RunningDaemon(tmp_path / "home")
    many = {f"{number:04d}/file.bin": os.urandom(20_000) for number in range(1500)}
    url, _ = served(server, tmp_path, "half.zip", lambda path: zip_of(path, many))
    folder = daemon.home / "downloads"
    try:
        daemon.start()
        (job,) = daemon.add(url, unpack=True)
        wait(lambda: list(folder.glob(".*.unpacking/*")), "unpacking")
        daemon.api("POST", f"/api/v1/jobs/{job}/cancel")
        assert daemon.ended(job)["state"] == "cancelled"
        wait(lambda: [path.name for path in folder.iterdir()] == ["half.zip"], "the rest to be gone")
    finally:
        daemon.kill()

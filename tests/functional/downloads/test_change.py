"""One download is changed while a real daemon fetches it from a real server."""

import os
import time

import pytest

from ferryman.testing.upstream import File
from tests.functional.running import wait

SIZE = 24 * 1024 * 1024


@pytest.fixture
def big(shared_upstream):
    data = os.urandom(SIZE)
    return data, shared_upstream.serve("/big.bin", File(data))


def speed_over(daemon, job_id, seconds):
    """Bytes per second that arrive on disk."""
    before = daemon.job(job_id)["progress"]["disk"]
    time.sleep(seconds)
    return (daemon.job(job_id)["progress"]["disk"] - before) / seconds


def test_a_limit_changes_while_it_runs(daemon, big):
    data, url = big
    (job_id,) = daemon.add(url, rate_limit="100K", connections=2)
    wait(lambda: daemon.job(job_id)["progress"]["disk"] > 0, "the first bytes")
    changed = daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"rate_limit": "2M"})
    assert changed["spec"]["rate_limit"] == 2_000_000
    assert 1_000_000 < speed_over(daemon, job_id, 3) < 3_000_000
    daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"rate_limit": "0"})
    done = daemon.ended(job_id, 20)
    assert done["state"] == "succeeded", done
    with open(done["result"]["path"], "rb") as file:
        assert file.read() == data
    events = daemon.api("GET", f"/api/v1/jobs/{job_id}/events")["items"]
    assert [event["data"] for event in events if event["type"] == "changed"] == [
        {"rate_limit": "2M"},
        {"rate_limit": "0"},
    ]


def test_connections_change_while_it_runs_both_ways(daemon, big):
    _, url = big
    (job_id,) = daemon.add(url, rate_limit="400K", connections=1)
    wait(lambda: daemon.job(job_id)["progress"]["connections"] == 1, "one connection")
    daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"connections": 6})
    wait(lambda: daemon.job(job_id)["progress"]["connections"] == 6, "six connections")
    daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"connections": 2})
    wait(lambda: daemon.job(job_id)["progress"]["connections"] == 2, "two connections")
    daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"connections": 8, "rate_limit": "off"})
    assert daemon.ended(job_id, 20)["state"] == "succeeded"


def test_a_change_of_a_paused_download_holds_when_it_goes_on(daemon, big):
    _, url = big
    (job_id,) = daemon.add(url, rate_limit="200K")
    wait(lambda: daemon.job(job_id)["progress"]["disk"] > 0, "the first bytes")
    daemon.api("POST", f"/api/v1/jobs/{job_id}/pause")
    wait(lambda: daemon.job(job_id)["state"] == "paused", "the pause")
    daemon.api("PATCH", f"/api/v1/downloads/{job_id}", {"rate_limit": "0", "priority": 1})
    daemon.api("POST", f"/api/v1/jobs/{job_id}/resume")
    done = daemon.ended(job_id, 20)
    assert (done["state"], done["priority"]) == ("succeeded", 1)


def test_what_is_settled_cannot_change(daemon, big):
    _, url = big
    (job_id,) = daemon.add(url, rate_limit="200K")
    wait(lambda: daemon.job(job_id)["progress"]["disk"] > 0, "the first bytes")
    path = f"/api/v1/downloads/{job_id}"
    problem = daemon.problem("PATCH", path, {"folder": "elsewhere", "rate_limit": "1M"})
    assert problem["code"] == "download_begun"
    assert daemon.job(job_id)["spec"]["rate_limit"] == 200_000, "all or nothing"
    problem = daemon.problem("PATCH", path, {"rate_limit": "fast", "connections": 3})
    assert (problem["code"], list(problem["errors"])) == ("rate_invalid", ["rate_limit"])
    assert daemon.problem("PATCH", path, {"connections": 0})["errors"]["connections"]
    assert daemon.problem("PATCH", path, {"speed": "1"})["status"] == 422
    daemon.api("PATCH", path, {"rate_limit": "0"})
    daemon.ended(job_id, 20)
    assert daemon.problem("PATCH", path, {"rate_limit": "1M"})["code"] == "download_done"
    assert daemon.api("PATCH", path, {"category": "images"})["state"] == "succeeded"


def test_a_paused_one_that_has_not_begun_gets_another_name_and_folder(daemon, shared_upstream):
    url = shared_upstream.serve("/small.bin", File(b"small"))
    daemon.api("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": 1})
    try:
        blocker = shared_upstream.serve("/blocker.bin", File(os.urandom(4 << 20)))
        (first,) = daemon.add(blocker, rate_limit="100K")
        (job_id,) = daemon.add(url)
        path = f"/api/v1/downloads/{job_id}"
        assert daemon.problem("PATCH", path, {"folder": "../out"})["errors"]["folder"]
        assert daemon.problem("PATCH", path, {"name": "a/b"})["errors"]["name"]
        assert daemon.problem("PATCH", path, {"checksum": "md5"})["errors"]["checksum"]
        done = daemon.ferry("downloads", "change", job_id[-12:], "--folder", "in/here", "--name", "other.bin")
        assert "other.bin" in done.stdout
        daemon.api("POST", f"/api/v1/jobs/{first}/cancel")
        result = daemon.ended(job_id)["result"]
        assert result["path"] == str(daemon.home / "downloads/in/here/other.bin")
    finally:
        daemon.api("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": 4})


def test_the_command_says_what_holds_now(daemon, big):
    _, url = big
    (job_id,) = daemon.add(url, rate_limit="100K")
    done = daemon.ferry("downloads", "change", job_id, "--limit", "1MiB/s", "--connections", "3")
    assert "limit 1.0 MiB/s, 3 connections" in done.stdout
    shown = daemon.ferry("downloads", "change", job_id, "--limit", "off", "--json")
    assert '"rate_limit": 0' in shown.stdout
    assert daemon.ferry("downloads", "change", job_id, code=2).stderr
    daemon.ended(job_id, 20)

"""What was fetched is counted, and how fast it was is kept: real downloads, a real daemon, also one that is killed."""

import json
import signal
import urllib.error
import urllib.request

import pytest

from ferryman.testing.faults import status
from ferryman.testing.upstream import File, made_up
from tests.functional.daemon.test_downloads import users
from tests.functional.running import Counted, RunningDaemon, wait

MIB = 1 << 20


@pytest.fixture
def own(tmp_path):
    daemon = RunningDaemon(tmp_path / "home")
    daemon.start()
    yield daemon
    daemon.kill()


def statistics(daemon, days=7, token=None):
    return daemon.api("GET", f"/api/v1/statistics?days={days}", token=token)


def speed(daemon, job, token=None):
    return daemon.api("GET", f"/api/v1/jobs/{job}/speed", token=token)["points"]


def test_what_was_done_is_counted_and_stays_when_the_history_goes(own, upstream):
    slow = Counted(made_up(4 * MIB), rate=200_000)
    whole = upstream.serve("/whole.bin", File(made_up(3 * MIB)))
    (done,), (gone,) = own.add(whole), own.add(upstream.serve("/gone.bin", status(404)))
    (held,) = own.add(upstream.serve("/held.bin", slow))
    wait(lambda: own.job(held)["progress"]["disk"] > 500_000, "some bytes")
    own.api("POST", f"/api/v1/jobs/{held}/pause")
    wait(lambda: own.job(held)["state"] == "paused", "the pause")
    before = statistics(own)
    assert (before["succeeded"], before["failed"], before["failures"]) == (1, 1, {"not_found": 1})
    assert before["bytes"] > 3 * MIB + 400_000  # what the paused one moved counts, the job does not
    slow.file.rate = 0
    own.api("POST", f"/api/v1/jobs/{held}/resume")
    assert [own.ended(job)["state"] for job in (done, gone, held)] == ["succeeded", "failed", "succeeded"]
    found = statistics(own)
    assert (found["succeeded"], found["failed"], found["success"]) == (2, 1, pytest.approx(2 / 3))
    assert 7 * MIB <= found["bytes"] < 8 * MIB
    assert found["resumed"] == own.job(held)["result"]["resumed"] > 0
    assert found["saved_seconds"] > 0
    assert [host["name"] for host in found["hosts"]] == ["127.0.0.1"]
    assert found["hosts"][0]["bytes"] == found["bytes"] == sum(day["bytes"] for day in found["by_day"])
    own.api("POST", "/api/v1/jobs/bulk", {"action": "delete", "ids": [done, gone, held]})
    with pytest.raises(urllib.error.HTTPError):
        own.job(done)
    assert statistics(own)["hosts"] == found["hosts"]
    assert own.api("GET", "/api/v1/overview")["failures"] == 0


def test_the_command_and_the_metrics_say_the_same(own, upstream):
    own.ended(own.add(upstream.serve("/a.bin", File(made_up(2 * MIB))))[0])
    own.ended(own.add(upstream.serve("/b.bin", status(404)))[0])
    found = json.loads(own.ferry("stats", "--days", "7", "--json").stdout)
    assert found == statistics(own)
    said = own.ferry("stats").stdout
    for words in ("2.0 MiB", "1 done, 1 failed", "50.0%", "127.0.0.1", "not_found"):
        assert words in said, said
    assert own.ferry("stats", "--days", "0", code=2).stderr
    figures = metrics(own)
    assert figures['ferry_job_failures_total{reason="not_found"}'] == 1
    assert figures["ferry_transfer_bytes_total"] == found["bytes"]


def metrics(daemon):
    address = json.loads((daemon.home / "daemon.json").read_text())["address"]
    secret = (daemon.home / "keys" / "local.token").read_text().strip()
    request = urllib.request.Request(f"{address}/metrics", headers={"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        lines = [line.rpartition(" ") for line in answer.read().decode().splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in lines}


def test_a_job_tells_its_whole_story_after_being_killed_and_ended(own, upstream):
    slow = Counted(made_up(4 * MIB), rate=200_000)
    (job,) = own.add(upstream.serve("/long.bin", slow))
    wait(lambda: len(speed(own, job)) >= 3, "some points")
    own.kill()
    seen = [point["disk"] for point in speed_on_disk(own, job)]
    own.start()
    slow.file.rate = 0
    assert own.ended(job)["state"] == "succeeded"
    points = speed(own, job)
    assert [point["disk"] for point in points][: len(seen)] == seen
    assert len({point["run"] for point in points}) == 2
    assert points[-1]["disk"] == 4 * MIB
    assert [point["at"] for point in points] == sorted(point["at"] for point in points)
    assert max(point["rate"] for point in points) > 0
    assert (
        statistics(own)["bytes"] >= 4 * MIB - 256 * 1024
    )  # what moved in the last second before the kill may be missing


def speed_on_disk(daemon, job):
    lines = (daemon.home / "jobs" / job / "speed.jsonl").read_text().splitlines()[1:]
    return [dict(zip(("at", "run", "network", "disk"), json.loads(line), strict=False)) for line in lines]


def test_the_traffic_of_the_process_outlives_it(own, upstream):
    own.ended(own.add(upstream.serve("/t.bin", File(made_up(3 * MIB))))[0])
    assert own.kill(signal.SIGTERM) == 0
    own.start()
    flow = statistics(own, 1)["flow"]
    assert 3 * MIB <= sum(part["bytes"] for part in flow) < 4 * MIB
    assert sum(part["bytes"] for part in statistics(own, 365)["flow"]) == sum(part["bytes"] for part in flow)


def test_members_see_the_figures_of_their_own_jobs(tmp_path, upstream):
    daemon = RunningDaemon(tmp_path / "home", private_addresses="allow")
    daemon.start()
    try:
        ann, bob = users(daemon, "ann", "member"), users(daemon, "bob", "member")
        order = {"urls": [upstream.serve("/ann.bin", File(made_up(MIB)))]}
        (job,) = daemon.api("POST", "/api/v1/downloads", order, ann)["items"]
        daemon.ended(job["id"])
        assert statistics(daemon, token=ann)["bytes"] == statistics(daemon)["bytes"] == MIB
        assert statistics(daemon, token=ann)["flow"] == []
        assert speed(daemon, job["id"], ann)
        assert statistics(daemon, token=bob)["bytes"] == 0
        assert daemon.problem("GET", f"/api/v1/jobs/{job['id']}/speed", token=bob)["code"] == "job_not_found"
        assert daemon.api("GET", "/api/v1/overview", token=bob)["recent"] == []
    finally:
        daemon.kill()


@pytest.mark.parametrize("days", ["0", "366", "x", ""])
def test_a_period_that_is_none_is_refused_by_name(daemon, days):
    found = daemon.problem("GET", f"/api/v1/statistics?days={days}")
    assert (found["status"], list(found["errors"])) == (422, ["days"])

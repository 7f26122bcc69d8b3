"""`ferry jobs move|start|schedule|category|delete|restore`, and acting on all that fit, with a real daemon."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ferryman.cli.start import run
from ferryman.testing.upstream import File, made_up
from tests.functional.running import RunningDaemon, wait


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    running = RunningDaemon(tmp_path_factory.mktemp("queue") / "home", download_concurrency=1)
    running.start()
    yield running
    running.kill(15)


@pytest.fixture
def ferry(house, capsys, monkeypatch):
    """Run a command against the daemon in this process; return what it printed."""
    monkeypatch.setenv("FERRY_HOME", str(house.home))

    def typed(*words, code=0):
        capsys.readouterr()
        got = run([str(word) for word in words])
        typed.out, typed.err = capsys.readouterr()
        assert got == code, typed.out + typed.err
        return json.loads(typed.out) if "--json" in words else typed.out

    yield typed
    if [job for state in ("queued", "running", "paused", "waiting") for job in listed(typed, state)]:
        typed("jobs", "cancel", "--all")
    wait(lambda: not listed(typed, "running"), "all to end")


@pytest.fixture
def queued(ferry, shared_upstream):
    """A download that runs, and three that wait behind it."""
    url = shared_upstream.serve("/crawl.bin", File(made_up(1 << 20, "crawl"), rate=20_000))
    names = [f"{name}-{datetime.now(UTC).timestamp()}.bin" for name in ("runs", "a", "b", "c")]
    ids = [ferry("get", url, "--detach", "--json", "-o", name)["id"] for name in names]
    wait(lambda: listed(ferry, "running"), "the first one to run")
    return ids


def listed(ferry, state):
    return [job["id"] for job in ferry("jobs", "list", "--state", state, "--json")["items"]]


def test_move_start_schedule_and_category(ferry, house, queued):
    _, a, b, c = queued

    def run_order():
        page = house.api("GET", "/api/v1/jobs?state=queued&sort=run_order")
        return [job["id"] for job in page["items"]]

    assert run_order() == [a, b, c]
    ferry("jobs", "move", c, "--top")
    ferry("jobs", "move", a, "--after", b)
    assert run_order() == [c, b, a]
    ferry("jobs", "move", c, code=2)
    assert ferry("jobs", "category", b, "music", "--json")["category"] == "music"
    assert ferry("jobs", "category", b, "--none", "--json")["category"] is None
    waiting = ferry("jobs", "schedule", a, "--at", "2h", "--json")
    assert waiting["state"] == "waiting"
    assert ferry("jobs", "schedule", a, "--clear", "--json")["state"] == "queued"
    problem = ferry("jobs", "schedule", a, "--window", "soon", "--json", code=2)
    assert problem["code"] == "window_invalid"
    assert ferry("jobs", "start", b, "--json")["urgent"]
    wait(lambda: b in listed(ferry, "running"), "it to run beside the other")


def test_a_download_is_given_its_place_in_the_queue_when_it_is_added(ferry, queued):
    url = "http://127.0.0.1:1/later.bin"
    at = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}T23:15"  # within the window, whatever the time is now
    words = ("--priority", "2", "--category", "music", "--at", f"{at}Z", "--window", "22:00-6:00")
    job = ferry("get", url, "--detach", "--json", *words)
    shown = ferry("jobs", "show", job["id"], "--json")
    assert (shown["state"], shown["priority"], shown["category"]) == ("waiting", 2, "music")
    assert (shown["not_before"], shown["window"]) == (f"{at}:00.000Z", "22:00-06:00")
    for words, code in (
        (("--window", "soon"), "window_invalid"),
        (("--at", "soon"), "moment_invalid"),
        (("--priority", "11"), "priority_invalid"),
    ):
        assert ferry("get", url, "--detach", "--json", *words, code=2)["code"] == code
        ferry("get", url, *words, code=2)
        assert words[0] in ferry.err
        assert "--detach" in ferry.err


def test_all_that_fit_are_paused_resumed_cancelled_deleted_and_brought_back(ferry, queued):
    said = ferry("jobs", "pause", "--all")
    assert set(said.split()) == set(queued)
    wait(lambda: set(listed(ferry, "paused")) == set(queued), "all to be paused")
    ferry("jobs", "pause", "--all", queued[0], code=2)
    ferry("jobs", "pause", code=2)
    assert "Give ids" in ferry.err
    assert set(ferry("jobs", "resume", "--all", "--json")["done"]) == set(queued)
    done = ferry("jobs", "cancel", "--all", "--kind", "download", "--json")
    assert set(done["done"]) == set(queued)
    wait(lambda: not listed(ferry, "running"), "the running one to end")
    ferry("jobs", "delete", *queued)
    ferry("jobs", "show", queued[0], code=3)
    back = ferry("jobs", "restore", *queued, "--json")
    assert back == {"done": queued, "refused": {}}
    assert ferry("jobs", "show", queued[0], "--json")["state"] == "cancelled"
    ferry("jobs", "restore", queued[0], code=1)
    assert "not among the deleted" in ferry.err


def test_a_file_goes_with_its_entry_only_when_that_is_asked(ferry, house, shared_upstream):
    url = shared_upstream.serve("/gone.bin", File(made_up(1000, "gone")))
    kept = ferry("get", url, "--detach", "--json", "-o", "kept.bin")["id"]
    house.ended(kept)
    answer = ferry("jobs", "delete", kept, "--files", "--json")
    assert answer == {"done": [kept], "refused": {}}
    assert (house.home / "downloads" / "kept.bin").exists(), "it may still be brought back"
    ferry("jobs", "restore", kept)
    assert house.job(kept)["state"] == "succeeded"

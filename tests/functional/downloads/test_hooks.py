"""Webhooks and commands of a real daemon, to a real receiver."""

import json
import sys

import pytest

from ferryman.testing.upstream import File, made_up
from tests.functional.running import RunningDaemon, wait

from .receiver import Receiver

HOOKS = "/api/v1/downloads/hooks"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    running = RunningDaemon(
        tmp_path_factory.mktemp("hooks") / "home", hook_private="true", hook_commands="true"
    )
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


def deliveries(daemon, job, number=1):
    """The ended deliveries of a job."""

    def ended():
        found = [
            item
            for item in daemon.api("GET", "/api/v1/jobs?kind=hook&limit=200")["items"]
            if item["parent"] == job
        ]
        done = [item for item in found if item["state"] in {"succeeded", "failed"}]
        return done if len(done) >= number else None

    return wait(ended, "deliveries", 60)


def test_a_webhook_is_signed_fails_twice_and_then_succeeds(daemon, server):
    file = File(made_up(5000))
    url = server.serve("/h/one.bin?token=geheim", file)
    with Receiver(answers=((500, {}), (429, {"Retry-After": "1"}))) as receiver:
        hook = {"name": "chat", "url": f"{receiver.url}/hook?key=hidden", "events": ["download.succeeded"]}
        made = daemon.api("POST", HOOKS, hook)
        receiver.secret = made["secret"]
        assert made["host"] == f"{receiver.url}/"
        (job,) = daemon.add(f"{url} sha256:{file.sha256}", hooks=["chat"])
        ended = daemon.ended(job)
        assert (ended["state"], ended["result"]["hooks"]) == ("succeeded", ["chat"])
        (delivery,) = deliveries(daemon, job)
        assert (delivery["state"], delivery["result"]["status"]) == ("succeeded", 204)
        assert [got.verified for got in receiver.got] == [True] * 3
        assert {got.headers["x-ferryman-delivery"] for got in receiver.got} == {delivery["id"]}
        told = receiver.got[-1].document
        assert (told["event"], told["delivery"]) == ("download.succeeded", delivery["id"])
        assert told["job"]["id"] == job
        assert told["file"]["path"] == str(daemon.home / "downloads/one.bin")
        assert told["file"]["digests"] == [f"sha256:{file.sha256}"]
        assert told["file"]["url"].endswith("/h/one.bin")
        assert receiver.got[0].path == "/hook?key=hidden"
        log = daemon.api("GET", f"/api/v1/jobs/{delivery['id']}/log")["text"]
        assert "answered 500" in log
        assert "\x1b" not in log
    listed = json.dumps(daemon.api("GET", HOOKS)) + json.dumps(
        daemon.api("GET", f"/api/v1/jobs/{delivery['id']}")
    )
    assert made["secret"] not in listed + log
    assert "hidden" not in listed + log
    stored = (daemon.home / "ferry.db").read_bytes() + (daemon.home / "ferry.db-wal").read_bytes()
    assert made["secret"].encode() not in stored
    assert b"key=hidden" not in stored


def test_a_changed_hook_keeps_its_secrets(daemon):
    with Receiver("my own key") as receiver:
        body = {"name": "keeps", "url": receiver.url, "secret": "my own key"}
        made = daemon.api("POST", HOOKS, body)
        assert made["secret"] is None
        daemon.api("PUT", f"{HOOKS}/{made['id']}", {"name": "kept", "timeout": 5})
        job = daemon.api("POST", f"{HOOKS}/{made['id']}/test")
        assert daemon.ended(job["id"])["state"] == "succeeded"
        assert [(got.verified, got.document["event"]) for got in receiver.got] == [(True, "ping")]


def test_refusals_and_redirects_are_final(daemon):
    with Receiver(answers=((404, {}), (302, {"Location": "http://169.254.169.254/"}))) as receiver:
        made = daemon.api("POST", HOOKS, {"name": "final", "url": receiver.url, "secret": "k"})
        for code in ("hook_refused", "hook_redirected"):
            job = daemon.api("POST", f"{HOOKS}/{made['id']}/test")
            ended = daemon.ended(job["id"])
            assert (ended["state"], ended["error_code"]) == ("failed", code)
        assert len(receiver.got) == 2


def test_failed_downloads_are_told_also_for_every_download(daemon, server):
    url = server.serve("/h/gone.bin", lambda exchange: exchange.text(404, "gone"))
    with Receiver("k") as receiver:
        hook = {
            "name": "sad",
            "url": receiver.url,
            "secret": "k",
            "always": True,
            "events": ["download.failed"],
        }
        made = daemon.api("POST", HOOKS, hook)
        (job,) = daemon.add(url)
        daemon.ended(job)
        deliveries(daemon, job)
        daemon.api("DELETE", f"{HOOKS}/{made['id']}")
        (got,) = receiver.got
        assert (got.document["event"], got.document["error"]["code"]) == (
            "download.failed",
            daemon.job(job)["error_code"],
        )


def test_deliveries_survive_a_kill(tmp_path, server):
    daemon = RunningDaemon(tmp_path / "home", hook_private="true")
    url = server.serve("/h/kill.bin", File(made_up(100)))
    try:
        daemon.start()
        with Receiver("k", answers=((503, {}),)) as receiver:
            daemon.api("POST", HOOKS, {"name": "late", "url": receiver.url, "secret": "k"})
            (job,) = daemon.add(url, hooks=["late"])
            wait(lambda: receiver.got, "the first try")
            daemon.kill()
            daemon.start()
            (delivery,) = deliveries(daemon, job)
            assert delivery["state"] == "succeeded"
            assert len({got.headers["x-ferryman-delivery"] for got in receiver.got}) == 1
    finally:
        daemon.kill()


def program(tmp_path, text):
    path = tmp_path / "program.py"
    path.write_text(text)
    return [sys.executable, "-I", str(path)]


def test_a_command_is_told_in_its_environment_and_nothing_else(daemon, server, tmp_path):
    file = File(made_up(1234))
    name = "a;touch x $(id) `id`.bin"
    url = server.serve("/h/command.bin", file)
    out = tmp_path / "out.json"
    text = (
        "import json, os, sys\n"
        f"json.dump([dict(os.environ), os.getcwd(), sys.argv[1:]], open({str(out)!r}, 'w'))\n"
        "print('done\\x1b[2J here')\n"
    )
    argv = [*program(tmp_path, text), "one two", "$HOME"]
    daemon.api("POST", HOOKS, {"name": "program", "kind": "command", "command": argv})
    (job,) = daemon.api(
        "POST", "/api/v1/downloads", {"urls": [url], "name": name, "hooks": ["program"], "category": "c"}
    )["items"]
    assert daemon.ended(job["id"])["state"] == "succeeded", daemon.job(job["id"])["error"]
    (delivery,) = deliveries(daemon, job["id"])
    assert delivery["state"] == "succeeded", delivery["error"]
    variables, folder, arguments = json.loads(out.read_text())
    assert arguments == ["one two", "$HOME"]
    assert folder == str(daemon.home / "downloads")
    assert variables["FERRY_PATH"] == str(daemon.home / "downloads" / name)
    assert (variables["FERRY_SIZE"], variables["FERRY_CATEGORY"], variables["FERRY_JOB"]) == (
        "1234",
        "c",
        job["id"],
    )
    own = {name for name in variables if not name.startswith("FERRY_")}
    assert own <= {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LC_CTYPE"}
    assert "FERRY_HOME" not in variables
    log = daemon.api("GET", f"/api/v1/jobs/{delivery['id']}/log")["text"]
    assert "done�[2J here" in log


def test_a_command_that_fails_or_cannot_be_run_says_so(daemon, tmp_path):
    for argv, words in ((["/bin/false"], "status 1"), (["/nothing/here"], "cannot be run")):
        made = daemon.api("POST", HOOKS, {"name": f"bad {words}", "kind": "command", "command": argv})
        job = daemon.api("POST", f"{HOOKS}/{made['id']}/test")
        ended = daemon.ended(job["id"])
        assert (ended["state"], ended["error_code"]) == ("failed", "hook_failed")
        assert words in ended["error"]


def test_commands_need_the_setting(tmp_path):
    daemon = RunningDaemon(tmp_path / "home")
    try:
        daemon.start()
        made = daemon.api("POST", HOOKS, {"name": "off", "kind": "command", "command": ["/bin/true"]})
        job = daemon.api("POST", f"{HOOKS}/{made['id']}/test")
        assert daemon.ended(job["id"])["error_code"] == "hook_commands_off"
        private = daemon.api("POST", HOOKS, {"name": "private", "url": "http://127.0.0.1:9/", "attempts": 1})
        job = daemon.api("POST", f"{HOOKS}/{private['id']}/test")
        assert daemon.ended(job["id"])["error_code"] == "address_refused"
    finally:
        daemon.kill()

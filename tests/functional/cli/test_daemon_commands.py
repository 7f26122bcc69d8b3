"""`ferry jobs`, `downloads`, `status`, `settings`, `doctor` and `get --detach` with a real daemon."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferryman.cli.start import run
from ferryman.testing.upstream import File, made_up
from tests.functional.running import FERRY, wait

MIB = 1 << 20


@pytest.fixture
def ferry(daemon, capsys, monkeypatch):
    """Run a command against the daemon in this process; return what it printed."""
    monkeypatch.setenv("FERRY_HOME", str(daemon.home))

    def typed(*words, code=0):
        capsys.readouterr()
        got = run([str(word) for word in words])
        typed.out, typed.err = capsys.readouterr()
        assert got == code, typed.out + typed.err
        return json.loads(typed.out) if "--json" in words else typed.out

    return typed


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


@pytest.fixture(scope="module")
def slow(server):
    file = File(made_up(4 * MIB, "slow"), rate=60_000)
    server.serve("/slow.bin", file)
    return file


def added(ferry, url, *words):
    return ferry("get", url, "--detach", "--json", *words)["id"]


def test_detach_gives_the_job_to_the_daemon(ferry, server, daemon):
    file = File(made_up(100_000, "detached"))
    url = server.serve("/detached.bin", file)
    job = added(ferry, url, "-o", "some/where/named.bin", "--checksum", f"sha256:{file.sha256}", "-c", "2")
    assert ferry("jobs", "wait", job, "--timeout", "30", "--json")["items"][0]["state"] == "succeeded"
    assert (daemon.home / "downloads/some/where/named.bin").read_bytes() == file.data
    said = ferry("jobs", "show", job[-8:])
    assert "succeeded" in said
    assert str(daemon.home / "downloads/some/where/named.bin") in said
    assert "attempt 1 begins" in ferry("jobs", "logs", job)
    assert "named.bin" in ferry("jobs", "report", job)
    assert ferry("jobs", "report", job, "--json")["state"] == "succeeded"
    assert job in ferry("downloads", "list", "--tab", "completed")
    ferry("jobs", "remove", job)
    ferry("jobs", "show", job, code=3)


def test_detach_takes_lists(ferry, server, tmp_path):
    urls = [server.serve(f"/list{number}.bin", File(made_up(1000 + number))) for number in range(2)]
    (tmp_path / "list").write_text(f"# two\n{urls[0]}\n{urls[1]}\n  out=second.bin\n")
    items = ferry("get", "--input", tmp_path / "list", "-d", "--json")["items"]
    assert [job["title"] for job in items] == ["list0.bin", "second.bin"]
    done = ferry("jobs", "wait", *(job["id"] for job in items), "--json")["items"]
    assert {job["state"] for job in done} == {"succeeded"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://h/x", "-o", "/etc/"], "does not write to '/etc/'"),
        (["http://h/x", "--cacert", "/etc/hosts"], "no PEM certificate"),
        (["http://h/x", "--limit", "fast"], "'fast' is not a rate"),
        (["http://h/x", "-o", "../up/"], "leads out of"),
        (["nonsense"], "has no scheme"),
    ],
)
def test_what_cannot_be_handed_over_is_named(ferry, words, said):
    ferry("get", *words, "--detach", code=2)
    assert said in ferry.err


def test_pause_resume_priority_cancel_retry(ferry, server, slow):
    job = added(ferry, server.url("/slow.bin"))
    wait(lambda: ferry("jobs", "show", job, "--json")["progress"]["disk"] > 10_000, "some bytes")
    assert "running" in ferry("jobs", "list", "--state", "running")
    assert job in ferry("status")
    assert ferry("jobs", "priority", job, "1", "--json")["priority"] == 1
    ferry("jobs", "pause", job[-10:])
    wait(lambda: ferry("jobs", "show", job, "--json")["state"] == "paused", "the pause")
    ferry("jobs", "pause", job, code=1)
    ferry("jobs", "resume", job)
    wait(lambda: ferry("jobs", "show", job, "--json")["state"] == "running", "it to run")
    ferry("jobs", "cancel", job)
    wait(lambda: ferry("jobs", "show", job, "--json")["state"] == "cancelled", "the end")
    ferry("jobs", "wait", job, code=1)
    assert ferry("jobs", "retry", job, "--json")["state"] == "queued"
    ferry("jobs", "cancel", job)


def test_unknown_jobs_are_exit_3_with_a_remedy(ferry):
    unknown = "019aba3e-6c3f-7cc4-9d3e-0f2c5f6b7a81"
    plain = (
        "show",
        "pause",
        "resume",
        "cancel",
        "retry",
        "start",
        "logs",
        "report",
        "wait",
        "delete",
        "remove",
        "restore",
    )
    for words in (
        *(("jobs", action, unknown) for action in plain),
        ("jobs", "delete", unknown, "--files"),
        ("jobs", "priority", unknown, "3"),
        ("jobs", "category", unknown, "music"),
        ("jobs", "move", unknown, "--top"),
        ("jobs", "schedule", unknown, "--at", "2h"),
        ("downloads", "change", unknown, "--limit", "1M"),
        ("downloads", "decide", unknown, "skip"),
    ):
        ferry(*words, code=3)
        assert f"no job '{unknown}'" in ferry.err.lower(), words
        assert "ferry jobs list" in ferry.err, words
    problem = ferry("jobs", "show", "nope", "--json", code=3)
    assert problem["code"] == "job_not_found"


def test_limits(ferry):
    assert ferry("jobs", "limits", "download", "3", "--json")["limits"]["download"] == 3
    assert "download  3" in ferry("jobs", "limits")
    assert ferry("settings", "get", "download_concurrency") == "3\n"
    ferry("settings", "reset", "download_concurrency")
    assert ferry("jobs", "limits", "--json")["limits"]["download"] == 4
    ferry("jobs", "limits", "download", code=2)
    assert "Add a number" in ferry.err
    ferry("jobs", "limits", "download", "0", code=2)


def test_following_a_log_ends_with_the_job(ferry, server, daemon):
    file = File(made_up(MIB, "followed"), rate=200_000)
    job = added(ferry, server.serve("/followed.bin", file), "-c", "1")
    following = subprocess.Popen(
        [*FERRY, "jobs", "logs", job, "-f"], env=daemon.environment, stdout=subprocess.PIPE, text=True
    )
    time.sleep(1)
    file.rate = 0
    out, _ = following.communicate(timeout=40)
    assert following.returncode == 0
    assert "attempt 1 begins" in out
    assert "succeeded" in out


def test_preview_and_lists(ferry, server):
    url = server.serve("/seen.iso", File(made_up(2048, "seen")))
    assert "2.0 KiB" in ferry("downloads", "preview", url)
    assert ferry("downloads", "preview", url, "--json")["items"][0]["name"] == "seen.iso"
    assert ferry("downloads", "list", "--search", "nothing-like-this", "--json")["items"] == []
    first = ferry("jobs", "list", "--limit", "1", "--json")
    assert len(first["items"]) == 1
    second = ferry("jobs", "list", "--limit", "1", "--cursor", first["next_cursor"], "--json")
    assert second["items"][0]["id"] != first["items"][0]["id"]


def test_the_speed_limit_changes_while_downloads_run(ferry, server):
    assert ferry("downloads", "limit") == "Speed limit: none\n"
    job = added(ferry, server.serve("/speed.bin", File(made_up(3 * MIB, "speed"), rate=400_000)), "-c", "4")
    wait(lambda: ferry("jobs", "show", job, "--json")["progress"]["disk"] > 100_000, "some bytes")
    assert ferry("downloads", "limit", "20KB/s", "--json") == {
        "rate_limit": 20_000, "scheduled": False, "changes_at": None,
    }  # fmt: skip
    time.sleep(1)
    before = ferry("jobs", "show", job, "--json")["progress"]["network"]
    time.sleep(2)
    assert ferry("jobs", "show", job, "--json")["progress"]["network"] - before < 400_000
    ferry("downloads", "limit", "0")
    assert ferry("jobs", "wait", job, "--json")["items"][0]["state"] == "succeeded"
    ferry("downloads", "limit", "fast", code=2)
    assert "'fast' is not a rate" in ferry.err


def test_status_and_settings(ferry, daemon):
    found = ferry("status", "--json")
    assert found["address"].startswith("http://127.0.0.1:")
    assert "free of" in ferry("status")
    items = {item["name"]: item for item in ferry("settings", "--json")["items"]}
    assert items["download_concurrency"]["value"] == 4
    assert items["download_concurrency"]["origin"] == "file"
    assert items["port"]["fixed_by"] == "environment"
    assert "download_concurrency" in ferry("settings")


def test_doctor_finds_all_well(ferry):
    findings = {one["name"]: one for one in ferry("doctor", "--json")["findings"]}
    assert {"python", "libcurl", "settings", "home", "room", "database", "daemon", "clock"} <= set(findings)
    assert not [one for name, one in findings.items() if one["grade"] == "bad" and name != "console"]
    assert "runs at http://127.0.0.1" in findings["daemon"]["text"]


def test_doctor_says_what_is_wrong(ferry, monkeypatch, tmp_path):
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True, mode=0o755)
    monkeypatch.setenv("FERRY_HOME", str(home))
    said = ferry("doctor", code=1)
    assert f"others may read {home / 'keys'}" in said
    assert "Run: chmod go= " in said
    monkeypatch.setenv("FERRY_PORT", "x")
    assert "FERRY_…" in ferry("doctor", code=1)


def test_another_daemon_by_address_and_token(ferry, daemon, monkeypatch):
    note = json.loads((daemon.home / "daemon.json").read_text())
    token = (daemon.home / "keys" / "local.token").read_text()
    monkeypatch.setenv("FERRY_HOME", "/nonexistent/elsewhere")
    monkeypatch.setenv("FERRY_ADDRESS", note["address"])
    monkeypatch.setenv("FERRY_TOKEN", token)
    assert "items" in ferry("jobs", "list", "--json")
    monkeypatch.setenv("FERRY_TOKEN", "ferry_wrong")
    ferry("jobs", "list", code=4)
    monkeypatch.setenv("FERRY_ADDRESS", "http://127.0.0.1:1")
    ferry("jobs", "list", code=5)
    assert "does not answer" in ferry.err
    monkeypatch.setenv("FERRY_ADDRESS", "nonsense")
    ferry("jobs", "list", code=2)


def test_a_killed_daemon_is_not_running(daemon, ferry):
    daemon.kill(signal.SIGKILL)
    assert (daemon.home / "daemon.json").exists()
    ferry("jobs", "list", code=5)
    assert "No daemon runs" in ferry.err
    assert "ferry up" in ferry.err


def test_what_hands_a_copy_to_the_daemon_loads_little():
    code = (
        "import sys, ferryman.cli.copy, ferryman.cli.copy_detach\n"
        "slow = {'dataclasses', 'pathlib', 'inspect', 'threading', 'asyncio', 'urllib.parse', 'typer', 'httpx'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_quick_command_says_everything_before_it_ends(tmp_path):
    missing = str(tmp_path / "none")
    copy = [*FERRY, "copy", "--from-list", missing, "depot:", "--through-daemon"]
    done = subprocess.run([*copy, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "list_unreadable" in done.stdout + done.stderr
    with Path("/dev/full").open("w") as full:
        failed = subprocess.run([*copy, "--json"], stdout=full, stderr=full, check=False)
    assert failed.returncode != 0

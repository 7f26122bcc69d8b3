"""Settings of a real daemon: kept over restarts, the environment wins, a wrong stored value stops nothing."""

import json
import re
import sqlite3
import time
import urllib.request
from pathlib import Path

import pytest

from ferryman.testing.upstream import File, made_up
from tests.functional.running import RunningDaemon, wait

MIB = 1 << 20


@pytest.fixture
def own(tmp_path: Path):
    daemon = RunningDaemon(tmp_path / "home", connections=6)
    yield daemon
    daemon.kill()


def settings(daemon: RunningDaemon) -> dict:
    return {item["name"]: item for item in daemon.api("GET", "/api/v1/settings")["items"]}


def test_values_survive_kill_9_and_the_environment_wins(own):
    own.start()
    own.api("PUT", "/api/v1/downloads/speed", {"rate_limit": "3MB/s"})
    own.api("PATCH", "/api/v1/settings", {"connections": 2, "session_hours": 3, "log_level": "debug"})
    own.kill()
    own.environment["FERRY_SESSION_HOURS"] = "5"
    own.start()
    found = settings(own)
    assert own.api("GET", "/api/v1/downloads/speed")["rate_limit"] == 3_000_000
    assert (found["connections"]["value"], found["connections"]["origin"]) == (2, "console")
    assert (found["session_hours"]["value"], found["session_hours"]["origin"]) == (5, "environment")
    refused = own.problem("PATCH", "/api/v1/settings", {"session_hours": 4})
    assert (refused["status"], refused["code"]) == (409, "setting_fixed")
    assert "FERRY_SESSION_HOURS" in refused["errors"]["session_hours"]
    own.api("DELETE", "/api/v1/settings/connections")
    assert (settings(own)["connections"]["value"], settings(own)["connections"]["origin"]) == (6, "file")


def test_wrong_stored_values_stop_no_start_and_are_told(own):
    own.start()
    own.kill()
    with sqlite3.connect(own.home / "ferry.db") as database:
        for name, value in {
            "connections": "99", "rate_limit": '"fast"', "rate_schedule": '"noon"', "log_level": '"loud"',
            "download_folder": '"relative"', "worker_concurrency": "{", "gone_since": "1", "session_hours": "3",
        }.items():  # fmt: skip
            database.execute("INSERT INTO settings VALUES (?, ?, 0, 'x')", (name, value))
    database.close()
    own.start()
    found = settings(own)
    assert found["session_hours"]["value"] == 3
    wrong = {name for name, item in found.items() if item["problem"]}
    assert wrong == {
        "connections", "rate_limit", "rate_schedule", "log_level", "download_folder", "worker_concurrency",
    }  # fmt: skip
    assert (found["connections"]["value"], found["connections"]["origin"]) == (6, "file")
    said = own.output.read_text()
    for name in (*wrong, "gone_since"):
        assert f"setting={name}" in said
    assert "session_hours" not in said


def test_how_many_run_changes_at_once(own, upstream):
    own.start()
    own.api("PATCH", "/api/v1/settings", {"download_concurrency": 1})
    url = upstream.serve("/many.bin", File(made_up(4 * MIB, "many"), rate=60_000))
    jobs = own.add(*[f"{url}?{number} out=many{number}.bin" for number in range(4)], connections=1)

    def running() -> int:
        return [own.job(job)["state"] for job in jobs].count("running")

    wait(lambda: running() == 1, "one to run")
    time.sleep(1)
    assert running() == 1
    own.api("PATCH", "/api/v1/settings", {"download_concurrency": 3})
    wait(lambda: running() == 3, "three to run", 10)
    own.api("PATCH", "/api/v1/settings", {"download_concurrency": 32, "worker_concurrency": 4})
    wait(lambda: running() == 4, "four to run", 10)


def test_a_speed_limit_holds_at_once_and_after_a_restart(own, upstream):
    own.start()
    (job,) = own.add(
        upstream.serve("/speed.bin", File(made_up(8 * MIB, "speed"))), connections=1, rate_limit="2MB/s"
    )
    own.api("PATCH", "/api/v1/settings", {"rate_limit": "50KB/s"})
    own.kill()
    own.start()
    wait(lambda: own.job(job)["state"] == "running", "it to go on")
    time.sleep(1)
    before = own.job(job)["progress"]["network"]
    time.sleep(3)
    assert own.job(job)["progress"]["network"] - before < 400_000
    own.api("PATCH", "/api/v1/settings", {"rate_schedule": "mon-sun=0"})
    assert own.api("GET", "/api/v1/downloads/speed") == {
        "rate_limit": 0,
        "scheduled": True,
        "changes_at": None,
    }
    assert own.ended(job)["state"] == "succeeded"


def test_the_log_level_changes_at_once(own):
    own.start()
    for level in ("error", "debug"):
        own.api("PATCH", "/api/v1/settings", {"log_level": level})
        assert settings(own)["log_level"]["in_force"] == level


def test_a_download_folder_waits_for_the_next_start(own, upstream, tmp_path):
    own.start()
    own.api("PATCH", "/api/v1/settings", {"download_folder": str(tmp_path / "elsewhere")})
    item = settings(own)["download_folder"]
    assert (item["value"], item["in_force"], item["pending"]) == (str(tmp_path / "elsewhere"), None, True)
    own.kill()
    own.start()
    assert settings(own)["download_folder"]["pending"] is False
    (job,) = own.add(upstream.serve("/there.bin", File(b"there")))
    assert own.ended(job)["state"] == "succeeded"
    assert (tmp_path / "elsewhere" / "there.bin").read_bytes() == b"there"


def test_the_command_changes_them_with_a_daemon_and_without(own, tmp_path):
    assert "connections: 6 → 2" in own.ferry("settings", "set", "connections=2").stdout.replace("  ", ": ", 1)
    assert own.ferry("settings", "get", "connections").stdout == "2\n"
    own.start()
    assert settings(own)["connections"]["origin"] == "console"
    done = json.loads(own.ferry("settings", "set", "connections=3", "log_level=debug", "--json").stdout)
    assert [change["after"] for change in done["changes"]] == [3, "debug"]
    exported = own.ferry("settings", "export").stdout
    assert exported == 'connections = 3\nlog_level = "debug"\n'
    (tmp_path / "carried.toml").write_text(exported.replace("3", "5"))
    shown = own.ferry("settings", "import", "carried.toml", "--dry-run").stdout
    assert "3 → 5" in shown
    assert own.ferry("settings", "get", "connections").stdout == "3\n"
    own.ferry("settings", "import", "carried.toml")
    assert settings(own)["connections"]["value"] == 5
    own.ferry("settings", "reset", "connections", "log_level")
    assert own.ferry("settings", "get", "connections").stdout == "6\n"
    wrong = own.ferry("settings", "set", "connections=99", "session_hours=never", code=2).stderr
    assert "connections: Must be a whole number from 1 to 32." in wrong
    assert "session_hours" in wrong
    assert "has no value" in own.ferry("settings", "set", "connections", code=2).stderr
    own.ferry("settings", "get", "nonsense", code=3)
    own.ferry("settings", "reset", "nonsense", code=2)
    assert "fixed by FERRY_PORT" in own.ferry("settings", "set", "port=1", code=1).stderr
    own.kill()
    assert json.loads(own.ferry("settings", "export", "--json").stdout) == {"connections": 6}


def test_who_may_reach_private_addresses_changes_at_once(own, upstream):
    own.start()
    url = upstream.serve("/private.bin", File(b"private"))
    own.api("PATCH", "/api/v1/settings", {"private_addresses": "deny"})
    assert own.problem("POST", "/api/v1/downloads", {"urls": [url]})["status"] in {403, 422}
    own.api("PATCH", "/api/v1/settings", {"private_addresses": "operators"})
    (job,) = own.add(url)
    assert own.ended(job)["state"] == "succeeded"


def test_sessions_that_begin_have_the_new_length(own):
    own.start()
    password = own.output.read_text().partition("one-time password ")[2].split()[0]
    address = json.loads((own.home / "daemon.json").read_text())["address"]
    for hours in (2, 50):
        own.api("PATCH", "/api/v1/settings", {"session_hours": hours})
        body = json.dumps({"name": "admin", "password": password}).encode()
        asked = urllib.request.Request(
            f"{address}/api/v1/session", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            age = re.search(r"max-age=(\d+)", answer.headers["set-cookie"], re.IGNORECASE)
        assert age
        assert abs(int(age[1]) - hours * 3600) < 60

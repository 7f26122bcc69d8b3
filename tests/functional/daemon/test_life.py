"""The life of a daemon: start, one for each home, credentials, a graceful stop, a clear word when it cannot start."""

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from ferryman.testing.upstream import File, made_up
from tests.functional.running import RunningDaemon, wait


@pytest.fixture
def own(tmp_path: Path):
    daemon = RunningDaemon(tmp_path / "home")
    yield daemon
    daemon.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_says_address_and_password_once(own):
    own.start()
    said = own.output.read_text()
    address = json.loads((own.home / "daemon.json").read_text())["address"]
    assert f"Ferryman is at {address}" in said
    assert address.startswith("http://127.0.0.1:")
    password = said.partition("one-time password ")[2].split()[0]
    signed_in = own.api("POST", "/api/v1/session", {"name": "admin", "password": password})
    assert signed_in["csrf"]
    assert [mode(own.home / name) for name in ("", "keys", "keys/local.token", "daemon.json")] == [
        0o700, 0o700, 0o600, 0o600,
    ]  # fmt: skip
    token = (own.home / "keys" / "local.token").read_text()
    assert own.kill(signal.SIGTERM) == 0
    assert not (own.home / "daemon.json").exists()
    assert not (own.home / "keys" / "local.token").exists()
    own.start()
    assert own.output.read_text().count("one-time password") == 1
    assert (own.home / "keys" / "local.token").read_text() != token
    assert own.problem("GET", "/api/v1/jobs", token=token)["code"] == "token_invalid"


def test_one_daemon_for_each_home(own):
    own.start()
    second = own.ferry("up", code=1)
    assert f"(process {own.process.pid}) already runs in {own.home}" in second.stderr
    assert own.api("GET", "/readyz")["status"] == "ready"


def test_a_port_in_use_is_named(own):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = own.ferry("up", "--port", str(port), code=1).stderr
    assert f"127.0.0.1:{port} cannot be opened" in said
    assert "--port 0 takes a free one" in said


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("FERRY_PORT", "x", "port"),
        ("FERRY_RATE_LIMIT", "fast", "'fast'"),
        ("FERRY_RATE_SCHEDULE", "noon", "'noon'"),
    ],
)
def test_wrong_settings_are_named(own, setting, value, word):
    own.environment[setting] = value
    assert word in own.ferry("up", code=2).stderr


def test_a_home_that_cannot_be_used_is_named(own):
    own.home.write_text("a file")
    assert str(own.home) in own.ferry("up", code=4).stderr


def test_a_stop_keeps_running_downloads_and_the_next_start_goes_on(own, upstream):
    file = File(made_up(6 << 20), rate=300_000)
    url = upstream.serve("/slow.bin", file)
    own.start()
    (job,) = own.add(url, connections=2)
    for number, least in ((signal.SIGTERM, 400_000), (signal.SIGINT, 1_200_000)):
        wait(lambda least=least: own.job(job)["progress"]["disk"] > least, "some bytes")
        began = time.monotonic()
        assert own.kill(number) == 0
        assert time.monotonic() - began < 10
        own.start()
    file.rate = 0
    ended = own.ended(job)
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["result"]["resumed"] > 300_000
    assert Path(ended["result"]["path"]).read_bytes() == file.data


def test_a_stop_does_not_wait_for_watchers(own):
    own.start()
    address = json.loads((own.home / "daemon.json").read_text())["address"].partition("://")[2]
    token = (own.home / "keys" / "local.token").read_text()
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))) as watcher:
        watcher.sendall(
            f"GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        assert b"200" in watcher.recv(200)
        began = time.monotonic()
        assert own.kill(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10


def test_the_sample_upstream_serves_and_ends_with_the_daemon(own):
    own.start("--sample")
    said = wait(
        lambda: text if "hello.txt" in (text := own.output.read_text()) else None, "the sample's addresses"
    )
    url = next(word for word in said.split() if word.endswith("/files/hello.txt"))
    (job,) = own.add(url)
    assert own.ended(job)["state"] == "succeeded"
    own.kill()
    port = int(url.split(":")[2].partition("/")[0])

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait(closed, "the sample to end")


def test_idle_it_hardly_uses_the_processor(own):
    own.start()

    def ticks() -> int:
        fields = Path(f"/proc/{own.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(1)
    before = ticks()
    time.sleep(4)
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 0.12

"""Copies as jobs of a real daemon, and its registry as a target: secrets stay secret, kill -9 costs little."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry
from ferryman.testing.images import Images
from tests.functional.running import FERRY, RunningDaemon, wait
from tests.integration.depot.relay import Relay

MIB = 1 << 20
pytestmark = pytest.mark.skipif(not DockerRegistry.program(), reason="docker-registry is not installed")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("locked"), htpasswd=True) as registry:
        yield registry


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("source")) as registry:
        yield registry


def put(source: DockerRegistry, folder: Path, name: str, size: int = 0) -> tuple[str, int]:
    """Push an image and return its address and the size of its large layer."""
    images = Images(folder, seed=size + len(name))
    layers = [images.noise(size, seed=1)] if size else None
    images.push(f"127.0.0.1:{source.port}", name, images.image(layers, tag="1"), "1")
    return f"docker://127.0.0.1:{source.port}/{name}:1", layers[0].size if layers else 0


def test_an_order_with_credentials_copies_and_keeps_them_sealed(
    daemon: RunningDaemon, source: DockerRegistry, locked: DockerRegistry, tmp_path: Path
) -> None:
    address, _ = put(source, tmp_path / "made", "orders/a")
    order = {
        "sources": [address],
        "target": f"docker://127.0.0.1:{locked.port}/kept/",
        "source": {"plain_http": True},
        "destination": {"plain_http": True, "username": USER, "password": PASSWORD},
    }
    plan = daemon.api("POST", "/api/v1/images/plan", order)
    assert plan["plan"]["images"] == 1
    job = daemon.api("POST", "/api/v1/images/copies?wait=30", order)
    assert job["state"] == "succeeded", job
    assert job["result"]["copied"] == 1
    again = daemon.api("POST", "/api/v1/images/copies?wait=30", order)
    assert again["result"]["unchanged"] == 1
    with sqlite3.connect(daemon.home / "ferry.db") as database:
        specs = [row[0] for row in database.execute("select spec from jobs where kind = 'copy'")]
    assert specs
    assert not any(PASSWORD in str(spec) for spec in specs)
    assert PASSWORD not in json.dumps(daemon.job(job["id"]))
    wrong = {**order, "destination": {"plain_http": True, "username": USER, "password": "no"}}
    refused = daemon.api(
        "POST", "/api/v1/images/copies?wait=30", {**wrong, "target": order["target"] + "other/"}
    )
    assert (refused["state"], refused["reason"]) == ("failed", "denied"), refused


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sources": ["docker://Upper/case"]}, "reference_invalid"),
        ({"sources": ["oci:/etc"]}, "location_refused"),
        ({"target": "oci:/tmp/x"}, "location_refused"),
        ({"platforms": ["linux"]}, "platform_invalid"),
        ({"rate_limit": "fast"}, "rate_invalid"),
        ({"sources": []}, None),
        ({"unknown": 1}, None),
    ],
)
def test_orders_that_cannot_be_meant_are_refused(
    daemon: RunningDaemon, change: dict[str, object], code: str | None
) -> None:
    order = {"sources": ["docker://127.0.0.1:1/a/b:1"], "target": "depot:", **change}
    problem = daemon.problem("POST", "/api/v1/images/copies", order)
    assert problem["status"] in {400, 422}
    assert code is None or problem["code"] == code


def test_the_speed_limit_of_a_copy_holds_for_what_comes_over_several_connections(
    daemon: RunningDaemon, source: DockerRegistry, tmp_path: Path
) -> None:
    address, _ = put(source, tmp_path / "made", "slow/big", 40 * MIB)
    order = {
        "sources": [address], "target": "depot:", "source": {"plain_http": True}, "rate_limit": "12MB/s",
    }  # fmt: skip
    job = daemon.api("POST", "/api/v1/images/copies", order)
    ended = daemon.ended(job["id"], 90)
    assert ended["state"] == "succeeded", ended
    assert ended["result"]["seconds"] > 2.8


def test_a_job_killed_with_its_daemon_goes_on(tmp_path: Path, source: DockerRegistry) -> None:
    daemon = RunningDaemon(tmp_path / "home")
    daemon.start()
    _, size = put(source, tmp_path / "made", "jobs/big", 80 * MIB)
    with Relay(source.port, hold_down=60 * MIB) as relay:
        order = {
            "sources": [f"docker://{relay.host}/jobs/big:1"], "target": "depot:", "source": {"plain_http": True},
        }  # fmt: skip
        job = daemon.api("POST", "/api/v1/images/copies", order)
        assert relay.held.wait(60)
        items = daemon.api("GET", f"/api/v1/images/copies/{job['id']}/items")["items"]
        assert {one["size"] for one in items} >= {size}
        wait(lambda: list((tmp_path / "home/depot/partial").rglob("*.ferry")), "the journal")
        daemon.kill(signal.SIGKILL)
        relay.release()
        daemon.start()
        ended = daemon.ended(job["id"], 90)
        assert ended["state"] == "succeeded", ended
    shown = daemon.api("GET", f"/api/v1/images?repository={relay.host}")["items"]
    assert [one["repository"] for one in shown] == [f"{relay.host}/jobs/big"]
    listed = json.loads(daemon.ferry("images", "ls", "--json").stdout)
    assert [one["name"] for one in listed] == [f"{relay.host}/jobs/big:1"]
    daemon.kill(signal.SIGTERM)


def test_an_upload_killed_in_the_middle_goes_on_where_it_was(
    daemon: RunningDaemon, source: DockerRegistry, tmp_path: Path
) -> None:
    address, size = put(source, tmp_path / "made", "uploads/big", 120 * MIB)
    port = int(json.loads((daemon.home / "daemon.json").read_text())["address"].rpartition(":")[2])
    token = (daemon.home / "keys/local.token").read_text().strip()
    environment = {**os.environ, "FERRY_HOME": str(tmp_path / "other"), "DST": f"local:{token}"}
    with Relay(port, hold_up=60 * MIB) as relay:
        words = [
            *FERRY, "copy", address, f"docker://{relay.host}/pushed/big", "--plain-http", "--no-store",
            "--dst-creds", "env:DST", "--json",
        ]  # fmt: skip
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert relay.held.wait(60)
        process.kill()
        process.wait()
        relay.release()
        relay.count()
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
        assert relay.up < size * 0.75
    assert daemon.api("GET", "/api/v1/images?repository=pushed")["items"][0]["tag"] == "1"

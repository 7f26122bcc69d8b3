"""A model is looked at over the API before anything of it is fetched."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from ferryman.testing.ollama import OllamaRegistry

from ..running import RunningDaemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    running = RunningDaemon(tmp_path_factory.mktemp("house") / "home")
    running.start()
    yield running
    running.kill(15)


@pytest.fixture(scope="module")
def upstream() -> Iterator[OllamaRegistry]:
    with OllamaRegistry() as registry:
        yield registry


def asked(name: str) -> str:
    return f"/api/v1/models/preview?{urlencode({'name': name, 'plain_http': 'true'})}"


def test_size_layers_and_texts_are_told_and_the_weights_stay_away(
    daemon: RunningDaemon, upstream: OllamaRegistry
) -> None:
    upstream.add("library/looked", seed=31)
    name = f"127.0.0.1:{upstream.port}/library/looked:latest"
    before = dict(upstream.served)
    found = daemon.api("GET", asked(name))
    assert found["name"] == name
    assert {layer["kind"]: layer["size"] for layer in found["layers"]}["model"] == 300_000
    assert found["texts"]["license"] == ["Licence of a test model.\nUse it for tests.\n"]
    assert (found["here"], found["same"]) == (0, False)
    assert sum(upstream.served.values()) - sum(before.values()) < 10_000
    job = daemon.api(
        "POST",
        "/api/v1/images/copies?wait=30",
        {"sources": [found["source"]], "source": {"plain_http": True}},
    )
    assert job["state"] == "succeeded"
    items = daemon.api("GET", f"/api/v1/images/copies/{job['id']}/items")["items"]
    assert {item["media_type"].rpartition(".")[2] for item in items} >= {"model", "license"}
    again = daemon.api("GET", asked(name))
    assert (again["here"], again["same"]) == (again["size"], True)


def test_what_is_not_there_or_no_model_is_said(daemon: RunningDaemon, upstream: OllamaRegistry) -> None:
    assert daemon.problem("GET", asked(f"127.0.0.1:{upstream.port}/library/none"))["status"] == 404
    assert daemon.problem("GET", asked("a//b"))["code"] == "model_invalid"
    document = json.loads(upstream.add("library/plain", seed=32))
    for layer in document["layers"]:
        layer["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    upstream.manifests["library/plain", "latest"] = json.dumps(document).encode()
    refused = daemon.problem("GET", asked(f"127.0.0.1:{upstream.port}/library/plain"))
    assert (refused["status"], refused["code"]) == (422, "model_expected")

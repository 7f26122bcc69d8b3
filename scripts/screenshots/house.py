"""A Ferryman in a temporary home with something to look at: downloads that run, wait, are done and failed."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from ferryman.testing.images import Images
from ferryman.testing.ollama import OllamaRegistry
from ferryman.testing.sample import SampleFile, SampleServer

START = (
    "from ferryman.core.layers import load_settings; from ferryman.daemon.up import up; up(load_settings())"
)
MIB = 1 << 20
DONE = (
    ("alpine-3.21-x86_64.iso", 207),
    ("kernel-docs-6.12.pdf", 18),
    ("field-recordings-02.flac", 46),
    ("maps-north.tar.zst", 64),
)
RUNNING = (
    ("debian-12.8.0-amd64-netinst.iso", 631, 2_400_000),
    ("openstreetmap-europe.osm.pbf", 900, 1_300_000),
    ("ubuntu-24.04-live-server.iso", 760, 3_100_000),
    ("wikipedia-en-2026-10.zim", 1200, 700_000),
)
WAITING = (
    ("fedora-workstation-41.iso", 512, 2),
    ("blender-4.3-linux.tar.xz", 320, 5),
    ("photos-2025.zip", 300, 5),
    ("lectures-statistics-07.mp4", 410, 5),
    ("model-weights-8b.safetensors", 700, 5),
    ("archive-of-the-old-wiki.7z", 120, 9),
)


@dataclass(frozen=True, slots=True)
class House:
    """The console and how to sign in."""

    address: str
    name: str
    password: str
    models: str
    """Where models are, as names begin with it."""


@contextmanager
def house(home: Path) -> Iterator[House]:
    """Start everything, give it work, end it afterwards."""
    environment = {**os.environ, "FERRY_HOME": str(home), "FERRY_PORT": "0"}
    with (
        SampleServer() as server,
        OllamaRegistry() as models,
        (home.parent / "daemon.log").open("wb") as log,
    ):
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        process = subprocess.Popen(
            [sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )
        try:
            yield _furnished(process, home, server, models)
        finally:
            process.terminate()
            process.communicate(timeout=30)
            server.shutdown()
            thread.join()


def _furnished(
    process: "subprocess.Popen[str]", home: Path, server: SampleServer, models: OllamaRegistry
) -> House:
    assert process.stdout is not None
    said = " ".join(process.stdout.readline() for _ in range(2))
    address, password = re.search(r"http://\S+", said), re.search(r"password (\S+)", said)
    if address is None or password is None:
        raise RuntimeError(f"Ferryman did not start: {said}")
    token = (home / "keys" / "local.token").read_text().strip()

    def api(method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            address[0].rstrip("/") + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def add(name: str, megabytes: int, rate: int = 0, **order: Any) -> str:
        server.files[name] = SampleFile(name, megabytes * MIB, "an example", rate)
        added = api("POST", "/api/v1/downloads", {"urls": [server.url(name)], **order})
        return str(added["ids"][0])

    _stock(api, models, address[0].rstrip("/").removeprefix("http://"), token, home.parent / "made")
    _furnish(api, add, server)
    return House(address[0].rstrip("/"), "admin", password[1], f"127.0.0.1:{models.port}")


def _stock(api: Callable[..., Any], models: OllamaRegistry, address: str, token: str, folder: Path) -> None:
    """Put images and a model into the depot, and have another model at its registry."""
    images, headers = Images(folder), {"Authorization": f"Bearer {token}"}
    for number, made in enumerate(images.family(4, 3 * MIB)):
        images.push(address, "quay.io/team/app", made, f"1.{number}", headers=headers)
    both = images.two_platforms()
    for made in (both, images.signed(both), images.attested(both)):
        tag = "1.36" if made is both else made.tag
        images.push(address, "docker.io/library/busybox", made, tag, headers=headers)
    models.add("library/llama3.2", "1b", seed=3, size=24 * MIB)
    models.add("library/qwen3", "4b", seed=4, size=60 * MIB)
    source = f"docker://127.0.0.1:{models.port}/library/llama3.2:1b"
    order = {"sources": [source], "target": "depot:registry.ollama.ai/library/llama3.2:1b"}
    api("POST", "/api/v1/images/copies?wait=20", {**order, "source": {"plain_http": True}})


def _furnish(api: Callable[..., Any], add: Callable[..., str], server: SampleServer) -> None:
    """Make downloads in every state."""
    ended = [add(name, megabytes) for name, megabytes in DONE]
    ended.append(add("checksums-do-not-match.tar.gz", 3, checksum=f"sha256:{'0' * 64}"))
    ended += api("POST", "/api/v1/downloads", {"urls": [f"{server.address}/files/moved-away.iso"]})["ids"]
    _wait(lambda: all(api("GET", f"/api/v1/jobs/{job}")["state"] in {"succeeded", "failed"} for job in ended))
    api("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": len(RUNNING)})
    moving = [add(name, megabytes, rate, connections=1) for name, megabytes, rate in RUNNING]
    _wait(lambda: all(api("GET", f"/api/v1/jobs/{job}")["state"] == "running" for job in moving))
    queued = [add(name, size, 1_000_000, priority=priority) for name, size, priority in WAITING]
    api("POST", f"/api/v1/jobs/{queued[2]}/category", {"category": "photos"})
    add("nightly-backup-mirror.tar", 800, 1_000_000, window="22:00-06:00" if _is_day() else "08:00-09:00")
    paused = add("old-sessions.tar.gz", 90, 1_000_000)
    api("POST", f"/api/v1/jobs/{paused}/pause")
    time.sleep(12)  # for speeds, times left and charts that look like those of a real evening


def _is_day() -> bool:
    return 6 <= time.localtime().tm_hour < 22


def _wait(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the sample downloads did not get where they should")
        time.sleep(0.2)

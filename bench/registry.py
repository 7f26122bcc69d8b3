"""The registry beside Debian's docker-registry: a family of images pushed and pulled by skopeo, manifests read by 50 clients.

    python -m bench.registry [--rounds N] [--base MB] [--own MB]

Both begin empty in each round, in turns. Skopeo runs once for each of the 20 images, into one OCI layout. Only ratios of one
run count: the disk and the processors are those of this machine. The last line is the pull from nginx, with the same content as
plain files: what is left of the time when a server does next to nothing is skopeo's own.
"""

import argparse
import asyncio
import base64
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from bench.daemon import Daemon
from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images, Made
from ferryman.testing.nginx import Nginx

CLIENTS = 50
SECONDS = 3.0
COUNT = 20
REPOSITORY = "bench/family"
PUSH, PULL, READ = (
    "push of the family by skopeo",
    "pull of the family by skopeo",
    "50 clients reading manifests",
)
WANTED = {PUSH: 1.1, PULL: 0.9, READ: 0.4}
"""Ours divided by theirs, at most; of requests a second theirs divided by ours."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A registry at `host`, with the words that let skopeo in, and how much processor time it used so far."""

    host: str
    creds: str
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def ours(folder: Path) -> Iterator[Peer]:
    """A daemon in an empty home."""
    daemon = Daemon(folder / "home")
    try:
        token = (daemon.home / "keys" / "local.token").read_text().strip()
        yield Peer(daemon.address.removeprefix("http://"), f"bench:{token}", daemon.process.pid)
    finally:
        daemon.end()


@contextmanager
def theirs(folder: Path) -> Iterator[Peer]:
    """A docker-registry with an empty folder, open to all."""
    with DockerRegistry(folder / "docker-registry") as registry:
        assert registry._process
        yield Peer(f"127.0.0.1:{registry.port}", "", registry._process.pid)


def skopeo(source: str, target: str, creds: str) -> None:
    """Copy one image; raises when it fails."""
    words = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]
    if creds:
        words += [f"--{'src' if source.startswith('docker:') else 'dest'}-creds", creds]
    subprocess.run([*words, source, target], check=True, stdout=subprocess.DEVNULL)


def push(peer: Peer, images: Images, family: Sequence[Made]) -> None:
    """Push every image."""
    for made in family:
        skopeo(f"oci:{images.folder}:{made.tag}", f"docker://{peer.host}/{REPOSITORY}:{made.tag}", peer.creds)


def pull(peer: Peer, folder: Path, family: Sequence[Made]) -> None:
    """Pull every image into a new layout."""
    for made in family:
        skopeo(f"docker://{peer.host}/{REPOSITORY}:{made.tag}", f"oci:{folder}:{made.tag}", peer.creds)
    shutil.rmtree(folder)


class Client(asyncio.Protocol):
    """One connection that asks for the same manifest again and again. Every answer has as many bytes as the first."""

    def __init__(self, request: bytes) -> None:
        self.request, self.size, self.got, self.done = request, 0, 0, 0
        self.head = b""
        self.line: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.line = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.line.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count, and ask again."""
        assert self.line
        if not self.size:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self.head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(self.head[:300].decode("latin-1"))
            lines = self.head[:end].lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            self.size, data = end + 4 + length, self.head
        self.got += len(data)
        if self.got >= self.size:
            self.got, self.done = 0, self.done + 1
            self.line.write(self.request)


async def read(peer: Peer, made: Made) -> float:
    """Return requests a second of 50 clients."""
    host, _, port = peer.host.partition(":")
    key = base64.b64encode(peer.creds.encode()).decode()
    secret = f"Authorization: Basic {key}\r\n" if peer.creds else ""
    request = (
        f"GET /v2/{REPOSITORY}/manifests/{made.tag} HTTP/1.1\r\nHost: {peer.host}\r\n"
        f"Accept: {made.media_type}\r\n{secret}\r\n"
    ).encode()
    loop = asyncio.get_running_loop()

    def _client() -> Client:
        return Client(request)

    lines = [await loop.create_connection(_client, host, int(port)) for _ in range(CLIENTS)]
    await asyncio.sleep(0.5)
    before, began = sum(client.done for _, client in lines), time.monotonic()
    await asyncio.sleep(SECONDS)
    count, took = sum(client.done for _, client in lines) - before, time.monotonic() - began
    for transport, _ in lines:
        transport.close()
    return count / took


@dataclass
class Figures:
    """What was measured for one registry, by case; `cpu` is that of the server."""

    values: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, case: str, value: float, cpu: float) -> None:
        """Note one round."""
        self.values.setdefault(case, []).append(value)
        self.cpu.setdefault(case, []).append(cpu)


def _loop() -> asyncio.AbstractEventLoop:
    return uvloop.new_event_loop()


def measure(peer: Peer, folder: Path, images: Images, family: Sequence[Made], figures: Figures) -> None:
    """One round with one registry."""
    for case in (PUSH, PULL):
        before, began = peer.cpu(), time.monotonic()
        if case == PUSH:
            push(peer, images, family)
        else:
            pull(peer, folder / "pulled", family)
        figures.add(case, time.monotonic() - began, peer.cpu() - before)
    before = peer.cpu()
    with asyncio.Runner(loop_factory=_loop) as runner:
        rate = runner.run(read(peer, family[0]))
    figures.add(READ, rate, (peer.cpu() - before) / max(1.0, rate * (SECONDS + 0.5)))


@contextmanager
def plain(folder: Path, images: Images, family: Sequence[Made]) -> Iterator[Peer]:
    """An nginx with what skopeo asks for as files."""
    place = folder / "www" / "v2" / REPOSITORY
    (place / "manifests").mkdir(parents=True)
    (place / "blobs").mkdir()
    (folder / "www" / "v2" / "index.html").write_text("{}")
    for blob in (images.folder / "blobs" / "sha256").iterdir():
        os.link(blob, place / "blobs" / f"sha256:{blob.name}")
    for made in family:
        os.link(place / "blobs" / str(made.digest), place / "manifests" / str(made.tag))
    with Nginx(folder / "nginx", folder / "www", media_type=family[0].media_type) as server:
        yield Peer(f"127.0.0.1:{server.port}", "", server.pid)


def floor(folder: Path, images: Images, family: Sequence[Made], figures: Figures) -> None:
    """Pull once from nginx."""
    with plain(folder, images, family) as peer:
        before, began = peer.cpu(), time.monotonic()
        pull(peer, folder / "pulled", family)
        figures.add(PULL, time.monotonic() - began, peer.cpu() - before)
    shutil.rmtree(folder)


def table(found: dict[str, Figures]) -> int:
    """Print the comparison; return 1 when a ratio is missed."""
    print(f"{'case':<32}{'ours':>12}{'CPU s':>9}{'theirs':>12}{'CPU s':>9}{'ratio':>8}{'at most':>9}")
    missed = 0
    for case, most in WANTED.items():
        mine, other = (median(found[name].values[case]) for name in ("ours", "theirs"))
        cpu, other_cpu = (median(found[name].cpu[case]) for name in ("ours", "theirs"))
        ratio = other / mine if case == READ else mine / other
        unit, form = ("req/s", ".0f") if case == READ else ("s", ".2f")
        digits = ".5f" if case == READ else ".2f"
        verdict = "ok" if ratio <= most else "MISSED"
        missed |= ratio > most
        print(
            f"{case:<32}{f'{mine:{form}} {unit}':>12}{f'{cpu:{digits}}':>9}{f'{other:{form}} {unit}':>12}"
            f"{f'{other_cpu:{digits}}':>9}{ratio:8.2f}{most:9.2f}  {verdict}"
        )
    pulled, cpu = (median(values[PULL]) for values in (found["nginx"].values, found["nginx"].cpu))
    ratio = pulled / median(found["theirs"].values[PULL])
    print(f"{'pull of the same from nginx':<32}{f'{pulled:.2f} s':>12}{cpu:9.2f}{'':>21}{ratio:8.2f}")
    return int(missed)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.registry")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", type=int, default=200, help="MB that all images share")
    parser.add_argument("--own", type=int, default=24, help="MB of each image's own")
    options = parser.parse_args()
    if not shutil.which("skopeo") or not DockerRegistry.program():
        print("skopeo and docker-registry are needed", file=sys.stderr)
        return 1
    found = {"ours": Figures(), "theirs": Figures(), "nginx": Figures()}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        images = Images(Path(name) / "made")
        family = images.family(COUNT, options.base * 1_000_000, options.own * 1_000_000)
        turns = [("ours", ours), ("theirs", theirs)]
        for _ in range(options.rounds):
            for who, start in turns:
                place = Path(name) / who
                with start(place) as peer:
                    measure(peer, place, images, family, found[who])
                shutil.rmtree(place, ignore_errors=True)
            floor(Path(name) / "nginx", images, family, found["nginx"])
            turns.reverse()
    print(
        f"{COUNT} images, {options.base} MB shared, {options.own} MB own each; {options.rounds} rounds, medians"
    )
    return table(found)


if __name__ == "__main__":
    sys.exit(main())

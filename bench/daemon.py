"""How fast commands start, and what a daemon costs: idle, and with ten downloads at work. Prints a table with limits."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ferryman.testing.upstream import File, Upstream, made_up

FERRY = Path(sys.executable).with_name("ferry")
TEN = 10
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside what it may be at most."""

    name: str
    value: float
    unit: str
    most: float | None

    def row(self) -> str:
        """One line of the table."""
        limit = (
            "" if self.most is None else f"{self.most:10.1f}  {'ok' if self.value < self.most else 'MISSED'}"
        )
        return f"{self.name:<48}{self.value:10.1f} {self.unit:<9}{limit}"


class Daemon:
    """A daemon in a temporary home."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home = home
        chosen = {"home": home, "port": 0, "download_concurrency": TEN} | settings
        self._environment = {**os.environ, **{f"FERRY_{key.upper()}": str(chosen[key]) for key in chosen}}
        began = time.monotonic()
        self.process = subprocess.Popen(
            [FERRY, "up"], env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait(self._ready, "the daemon")
        self.started = time.monotonic() - began

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError("the daemon ended")
        try:
            return bool(self.api("GET", "/readyz"))
        except (OSError, ValueError):
            return False

    @property
    def address(self) -> str:
        """Where it is, such as `http://127.0.0.1:8470`."""
        return str(json.loads((self.home / "daemon.json").read_text())["address"])

    @property
    def headers(self) -> dict[str, str]:
        """What a request carries to be let in."""
        return {"Authorization": f"Bearer {(self.home / 'keys' / 'local.token').read_text()}"}

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call the API."""
        request = urllib.request.Request(
            self.address + path,
            None if body is None else json.dumps(body).encode(),
            self.headers | {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def wait(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


@contextmanager
def daemon() -> Iterator[Daemon]:
    """A daemon that ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = Daemon(Path(folder) / "home")
        try:
            yield running
        finally:
            running.end()


def wall(command: list[str | Path], rounds: int) -> float:
    """Median wall time of a command in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        times.append((time.monotonic() - began) * 1000)
    return median(times)


def starts(rounds: int) -> Iterator[Figure]:
    """How long commands take to begin."""
    with Upstream() as upstream, tempfile.TemporaryDirectory() as folder:
        url = upstream.serve("/small", File(b"small"))
        get: list[str | Path] = [FERRY, "get", url, "-q", "--overwrite", "overwrite", "-o", f"{folder}/x"]
        yield Figure("python -c pass", wall([sys.executable, "-c", "pass"], rounds), "ms", None)
        yield Figure("ferry --version", wall([FERRY, "--version"], rounds), "ms", 150.0)
        yield Figure("ferry get of 5 bytes", wall(get, rounds), "ms", None)
        yield Figure("ferry jobs list --help", wall([FERRY, "jobs", "list", "--help"], rounds), "ms", None)


def costs() -> Iterator[Figure]:
    """What a daemon takes."""
    with Upstream() as upstream, daemon() as running:
        yield Figure("daemon, from start to ready", running.started * 1000, "ms", None)
        time.sleep(2)
        before = running.cpu()
        time.sleep(IDLE_SECONDS)
        yield Figure(
            "daemon idle, share of a core over 10 s", (running.cpu() - before) * 100 / IDLE_SECONDS, "%", 1.0
        )
        yield Figure("daemon idle, resident memory", running.memory(), "MB", None)
        data = File(made_up(64 << 20), rate=250_000)
        urls = [f"{upstream.serve(f'/{number}.bin', data)}" for number in range(TEN)]
        jobs = [job["id"] for job in running.api("POST", "/api/v1/downloads", {"urls": urls})["items"]]

        def all_at_work() -> bool:
            return all(
                running.api("GET", f"/api/v1/jobs/{job}")["progress"]["disk"] > 1 << 20 for job in jobs
            )

        wait(all_at_work, "ten downloads at work")
        before, seen = running.cpu(), []
        for _ in range(10):
            time.sleep(0.5)
            seen.append(running.memory())
        yield Figure("daemon with 10 active downloads, resident memory", max(seen), "MB", 200.0)
        yield Figure(
            "  of 80 connections at 250 kB/s, share of a core", (running.cpu() - before) * 20, "%", None
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.daemon", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'':<48}{'measured':>10} {'':<9}{'at most':>10}")
    for figure in starts(max(rounds, 5)):
        print(figure.row(), flush=True)
    for figure in costs():
        print(figure.row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

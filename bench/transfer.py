"""`ferry get` beside curl and aria2c on a web server of our own on loopback: wall time, CPU and memory.

`python -m bench.transfer --rounds 5 [--rows NAME,…] [--size BYTES]`. Runs are interleaved, so that a busy moment meets
every tool; only ratios of one run count. The page cache of the source is warm for all.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ferryman.testing.nginx import Nginx
from ferryman.testing.tls import Authority

MIB = 1024 * 1024
FERRY = str(Path(sys.executable).with_name("ferry"))
SMALL = 500


@dataclass(frozen=True)
class Run:
    """One run: seconds, CPU seconds of the process and its children, most memory (bytes)."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Tool:
    """A named way to do it; `commands` run one after another and count together."""

    name: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Row:
    """A case: ours first, then those it is compared with and the ratio that is wanted."""

    name: str
    tools: tuple[Tool, ...]
    wanted: tuple[float, ...]


class Place:
    """Servers, files and addresses of the benchmark."""

    def __init__(self, folder: Path, size: int) -> None:
        """Write the big file and the small ones."""
        self.folder, self.size = folder, size
        self.root, self.out = folder / "root", folder / "out"
        self.root.mkdir()
        self.digest = self._write_big()
        for number in range(SMALL):
            (self.root / f"small{number}").write_bytes(os.urandom(64 * 1024))
        authority = Authority(folder / "ca")
        self.ca = authority.ca
        self.plain = Nginx(folder / "plain", self.root)
        self.tls = Nginx(folder / "tls", self.root, certificate=authority.issue("127.0.0.1"))
        self.limited = Nginx(folder / "limited", self.root, rate=20_000_000)

    def _write_big(self) -> str:
        hasher = hashlib.sha256()
        with (self.root / "big").open("wb") as file:
            for at in range(0, self.size, MIB):
                block = os.urandom(min(MIB, self.size - at))
                hasher.update(block)
                file.write(block)
        return hasher.hexdigest()

    def lists(self) -> tuple[Path, str]:
        """A list of the small files' addresses."""
        path = self.folder / "list"
        path.write_text("".join(f"{self.plain.url(f'small{number}')}\n" for number in range(SMALL)))
        return path, str(path)

    def clean(self) -> None:
        """Make the output folder empty and let the disk come to rest."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        os.sync()


class SlowRelay(socketserver.ThreadingTCPServer):
    """Passes connections on to a server; the second one of each run crawls at 200 kB/s after its first megabyte."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int) -> None:
        """Listen on a free port for connections to `port`."""
        super().__init__(("127.0.0.1", 0), _RelayHandler)
        self.upstream_port, self.count, self.lock = port, 0, threading.Lock()

    def next_is_slow(self) -> bool:
        """Whether the connection that was just taken is the slow one."""
        with self.lock:
            self.count += 1
            return self.count == 2

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients close connections when it suits them."""


class _RelayHandler(socketserver.BaseRequestHandler):
    server: SlowRelay

    def handle(self) -> None:
        slow = self.server.next_is_slow()
        with socket.create_connection(("127.0.0.1", self.server.upstream_port)) as upstream:
            threading.Thread(target=self._up, args=(upstream,), daemon=True).start()
            with contextlib.suppress(OSError):
                if slow:
                    self._crawl(upstream)
                else:
                    self._pass(upstream)

    def _pass(self, upstream: socket.socket) -> None:
        """Move everything inside the kernel: the relay must not be what is measured."""
        source, sink = os.pipe()
        try:
            while count := os.splice(upstream.fileno(), sink, MIB):
                while count:
                    count -= os.splice(source, self.request.fileno(), count)
        finally:
            os.close(source)
            os.close(sink)
            self.request.shutdown(socket.SHUT_WR)

    def _crawl(self, upstream: socket.socket) -> None:
        passed = 0
        while data := upstream.recv(20_000 if passed > MIB else 65_536):
            self.request.sendall(data)
            passed += len(data)
            if passed > MIB:
                time.sleep(len(data) / 200_000)

    def _up(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)


def rows(place: Place, relay: SlowRelay) -> dict[str, Row]:
    """All cases by name."""
    out, ca, sha = str(place.out / "f"), str(place.ca), place.digest
    plain, tls = place.plain.url("big"), place.tls.url("big")
    slowed = f"http://127.0.0.1:{relay.server_address[1]}/big"

    def ferry(url: str, *more: str) -> Tool:
        return Tool("ferry", ((FERRY, "get", url, "-o", out, *more),))

    def aria(url: str, *more: str) -> Tool:
        base = ("aria2c", "-q", "-x16", "-s16", "-k1M", f"--ca-certificate={ca}", "--allow-overwrite=true")
        return Tool("aria2c -x16", ((*base, "-d", str(place.out), "-o", "f", *more, url),))

    def curl(url: str, *then: tuple[str, ...]) -> Tool:
        return Tool(
            "curl" + " + sha256sum" * bool(then), (("curl", "-s", "--cacert", ca, "-o", out, url), *then)
        )

    check, total = ("--checksum", f"sha256:{sha}"), ("sha256sum", out)
    listed = str(place.lists()[1])
    made = [
        Row(
            "sha256-http",
            (ferry(plain, *check), aria(plain, f"--checksum=sha-256={sha}"), curl(plain, total)),
            (0.35, 0.7),
        ),
        Row(
            "sha256-https",
            (ferry(tls, "--cacert", ca, *check), aria(tls, f"--checksum=sha-256={sha}"), curl(tls, total)),
            (0.5, 0.7),
        ),
        Row("plain-http", (ferry(plain), curl(plain)), (0.9,)),
        Row("plain-https", (ferry(tls, "--cacert", ca), curl(tls)), (0.7,)),
        Row(
            "20MB-per-connection",
            (ferry(place.limited.url("big"), "-c", "16"), aria(place.limited.url("big"))),
            (0.95,),
        ),
        Row("one-slowed", (ferry(slowed, "-c", "16"), aria(slowed)), (0.5,)),
        Row(
            "500-small",
            (
                Tool("ferry", ((FERRY, "get", "--input", listed, "-o", f"{place.out}/"),)),
                Tool("aria2c -j16", (("aria2c", "-q", "-i", listed, "-j16", "-d", str(place.out)),)),
            ),
            (0.9,),
        ),
    ]
    return {row.name: row for row in made}


class Watcher(threading.Thread):
    """Reads the most memory a process ever had (VmHWM) while it runs: `ru_maxrss` would count our own before exec."""

    def __init__(self, pid: int) -> None:
        """Start watching."""
        super().__init__(daemon=True)
        self._status, self._most, self._ended = Path(f"/proc/{pid}/status"), 0, threading.Event()
        self.start()

    def run(self) -> None:
        """Look every 20 ms."""
        while not self._ended.wait(0.02):
            with contextlib.suppress(OSError, StopIteration):
                line = next(
                    line for line in self._status.read_text().splitlines() if line.startswith("VmHWM")
                )
                self._most = max(self._most, int(line.split()[1]) * 1024)

    def stop(self) -> int:
        """End; returns bytes."""
        self._ended.set()
        self.join()
        return self._most


def _environment() -> dict[str, str]:
    """Ours without the wish to compile all of Python's sources again at each start: nobody installs it like that."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measure(tool: Tool) -> Run:
    """Run a tool's commands and count what they used."""
    began, cpu, memory = time.monotonic(), 0.0, 0
    for command in tool.commands:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment()
        )
        assert process.stderr
        watcher = Watcher(process.pid)
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        memory = max(memory, watcher.stop())
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)[:200]} failed: {said.decode(errors='replace')[-400:]}")
        cpu += used.ru_utime + used.ru_stime
    return Run(time.monotonic() - began, cpu, memory)


def run_row(row: Row, place: Place, rounds: int, before: Callable[[], None]) -> list[list[Run]]:
    """Run all tools of a row in turn, `rounds` times; lists of runs in the order of the tools."""
    runs: list[list[Run]] = [[] for _ in row.tools]
    for _ in range(rounds):
        for tool, list_of_runs in zip(row.tools, runs, strict=True):
            place.clean()
            before()
            list_of_runs.append(measure(tool))
    return runs


def idle_memory() -> int:
    """Most memory of an interpreter that does nothing, in bytes."""
    return measure(Tool("python", ((sys.executable, "-c", "import time; time.sleep(0.2)"),))).memory


@contextlib.contextmanager
def relay_to(port: int) -> Iterator[SlowRelay]:
    """Run a relay to a port."""
    with SlowRelay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, daemon=True)
        thread.start()
        yield relay
        relay.shutdown()


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench.transfer", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help="names of cases, separated by commas")
    parser.add_argument("--size", type=int, default=1024 * MIB, help="bytes of the big file")
    options = parser.parse_args()
    missing = [tool for tool in ("curl", "aria2c", "sha256sum") if not shutil.which(tool)]
    if missing or not Nginx.program():
        print(f"not installed: {', '.join(missing) or 'nginx'}")
        return 1
    table = Table(title=f"{options.size / MIB:.0f} MiB, medians of {options.rounds} interleaved runs")
    for head in ("case", "tool", "wall s", "min-max", "CPU s", "memory MiB", "CPU ratio", "ratio", "at most"):
        table.add_column(head, justify="left" if head in {"case", "tool"} else "right")
    with tempfile.TemporaryDirectory(prefix="ferry-bench-") as folder:
        place = Place(Path(folder), options.size)
        with place.plain, place.tls, place.limited, relay_to(place.plain.port) as relay:
            known = rows(place, relay)
            for name in options.rows.split(",") if options.rows else known:
                print(f"… {name}", flush=True)
                add_row(
                    table,
                    known[name],
                    run_row(known[name], place, options.rounds, lambda: setattr(relay, "count", 0)),
                )
    Console(width=120).print(table)
    print(f"idle interpreter: {idle_memory() / MIB:.0f} MiB; load average {os.getloadavg()[0]:.1f}")
    return 0


def add_row(table: Table, row: Row, runs: list[list[Run]]) -> None:
    """Print a case: medians, and how ours compares with each other tool."""
    ours, cpu = (statistics.median(getattr(run, name) for run in runs[0]) for name in ("wall", "cpu"))
    for index, (tool, mine) in enumerate(zip(row.tools, runs, strict=True)):
        walls = [run.wall for run in mine]
        wall = statistics.median(walls)
        wanted = row.wanted[index - 1] if index else None
        table.add_row(
            row.name if not index else "",
            tool.name,
            f"{wall:.2f}",
            f"{min(walls):.2f}-{max(walls):.2f}",
            f"{statistics.median(run.cpu for run in mine):.2f}",
            f"{max(run.memory for run in mine) / MIB:.0f}",
            f"{cpu / statistics.median(run.cpu for run in mine):.2f}" if index else "",
            f"{ours / wall:.2f}" if index else "",
            f"{wanted:.2f} {'✓' if ours / wall <= wanted else '✗'}" if wanted else "",
        )
    table.add_section()


if __name__ == "__main__":
    sys.exit(main())

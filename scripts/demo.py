"""The main job with nobody watching: fetch through API and command line, `kill -9` in the middle, resume, verify.

Everything happens in a temporary folder and on loopback. Prints a table of what happened; exits 0 when every file arrived
with the right digest, no accepted job was lost, and no more was fetched twice than the journal allows.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferryman.core.units import format_size

FERRY = Path(sys.executable).with_name("ferry")
TERMINAL = {"succeeded", "failed", "cancelled"}
MIB = 1 << 20
#: What `kill -9` may cost each file: bytes that had arrived and were not yet in the journal.
MOST_LOST = 8 * MIB


@dataclass(slots=True)
class Fetched:
    """One file of the demo: how it was asked for, what had arrived when it was killed, and how it ended.

    `finished` says that it was complete before the kill.
    """

    name: str
    how: str
    path: Path
    job: str = ""
    before: int = 0
    again: int = 0
    size: int = 0
    finished: bool = False
    right: bool = False

    @property
    def part(self) -> Path:
        """Where it is while it arrives."""
        return self.path.with_name(f"{self.name}.part")

    @property
    def lost(self) -> int:
        """Bytes that had arrived before the kill and were fetched again."""
        return 0 if self.finished else max(self.before + self.again - self.size, 0)

    @property
    def well(self) -> bool:
        """Whether the right bytes are there, and no more came twice than the journal allows."""
        return self.right and self.lost <= MOST_LOST


class Stage:
    """Temporary home, sample upstream and daemon of the demo."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Use `folder` for everything; processes end with `stack`."""
        self.folder = folder
        self.home = folder / "home"
        self.out = folder / "out"
        self.out.mkdir()
        self.environment = {**os.environ, "FERRY_HOME": str(self.home), "NO_COLOR": "1"}
        self._stack = stack

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a process that does not outlive the demo."""
        process = subprocess.Popen(
            [str(part) for part in command], env=self.environment, cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(self.folder / "stderr").open("a"),
        )  # fmt: skip
        self._stack.callback(process.kill)
        return process

    def ferry(self, *arguments: str | Path) -> Any:
        """Run a `ferry` command with `--json` and return its answer. Raises when it fails."""
        done = subprocess.run(
            [str(FERRY), *map(str, arguments), "--json"], env=self.environment, cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"ferry {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def daemon(self) -> subprocess.Popen[str]:
        """Start `ferry up` and wait until it is ready."""
        process = self.start(FERRY, "up", "--port", "0")
        note = self.home / "daemon.json"

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended: {(self.folder / 'stderr').read_text()}")
            return note.exists() and json.loads(note.read_text()).get("pid") == process.pid and self.answers()

        wait(ready, 60, "the daemon to be ready")
        return process

    def answers(self) -> bool:
        """Whether the daemon is ready to work."""
        try:
            self.api("GET", "/readyz")
        except OSError:
            return False
        return True

    def job(self, job_id: str) -> Any:
        """Return a job as the API shows it."""
        return self.api("GET", f"/api/v1/jobs/{job_id}")

    def arrived(self, job_id: str) -> int:
        """Bytes of a job's file that are on disk."""
        return int(self.job(job_id)["progress"]["disk"])

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the daemon's API as somebody who may read the home folder."""
        address = json.loads((self.home / "daemon.json").read_text())["address"]
        token = (self.home / "keys" / "local.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from error


def wait(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until the condition holds. Raises `RuntimeError` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start_upstream(stage: Stage) -> str:
    """Start the sample upstream and return its address without a path."""
    upstream = stage.start(sys.executable, "-m", "ferryman.testing.sample", "--port", "0", "--rate", "3MB/s")
    assert upstream.stdout is not None
    return upstream.stdout.readline().split()[-1].rstrip("/")


def read_digests(address: str) -> dict[str, str]:
    """Read the published digest of each sample file."""
    with urllib.request.urlopen(f"{address}/SHA256SUMS", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def fetch_without_daemon(stage: Stage, address: str, digests: dict[str, str]) -> Fetched:
    """Run `ferry get`, kill it with -9 in the middle, and run it again."""
    file = Fetched("medium.bin", "ferry get", stage.out / "medium.bin")
    command = (
        "get",
        f"{address}/files/{file.name}",
        "-o",
        file.path,
        "--checksum",
        f"sha256:{digests[file.name]}",
    )
    first = stage.start(FERRY, *command)
    wait(lambda: occupied(file.part) > 6 * MIB, 60, "the first bytes")
    first.send_signal(signal.SIGKILL)
    first.wait()
    file.before = occupied(file.part)
    answer = stage.ferry(*command)
    file.size, file.again = file.path.stat().st_size, answer["network"]
    file.right = sha256(file.path) == digests[file.name]
    return file


def fetch_with_daemon(stage: Stage, address: str, digests: dict[str, str]) -> list[Fetched]:
    """Queue files through API and command line, kill the daemon with -9 in the middle, start it again, wait."""
    daemon = stage.daemon()
    files = [
        Fetched("large.bin", "API", stage.home / "downloads" / "large.bin"),
        Fetched("slow.bin", "ferry get --detach", stage.home / "downloads" / "slow.bin"),
        Fetched("hello.txt", "ferry get --detach", stage.home / "downloads" / "hello.txt"),
    ]
    for file in files:
        url, checksum = f"{address}/files/{file.name}", f"sha256:{digests[file.name]}"
        if file.how == "API":
            file.job = stage.api("POST", "/api/v1/downloads", {"urls": [url], "checksum": checksum})["items"][
                0
            ]["id"]
        else:
            file.job = stage.ferry("get", url, "--checksum", checksum, "-c", "2", "--detach")["id"]
    wait(lambda: all(stage.arrived(file.job) > 4 * MIB for file in files[:2]), 60, "both to be under way")
    for file in files:
        file.finished = stage.job(file.job)["state"] in TERMINAL
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    for file in files:
        file.before = file.path.stat().st_size if file.finished else occupied(file.part)
    say("killed the daemon with -9; starting it again")
    daemon = stage.daemon()
    wait(lambda: all(stage.job(file.job)["state"] in TERMINAL for file in files), 120, "all jobs to end")
    for file in files:
        job = stage.job(file.job)
        file.size = file.path.stat().st_size
        file.again = 0 if file.finished else job["progress"]["network"]
        file.right = job["state"] == "succeeded" and sha256(file.path) == digests[file.name]
    daemon.terminate()
    if daemon.wait(30) != 0:
        raise RuntimeError(f"the daemon did not stop in order: exit {daemon.returncode}")
    return files


def occupied(path: Path) -> int:
    """Bytes of a partial file that were written; holes do not count."""
    return path.stat().st_blocks * 512 if path.exists() else 0


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def show(files: list[Fetched]) -> None:
    """Print what happened as a table."""
    head = ("file", "asked by", "size", "before kill -9", "fetched after", "twice", "sha256")
    rows = [
        (
            file.name, file.how, format_size(file.size), format_size(file.before), format_size(file.again), format_size(file.lost),
            "right" if file.right else "WRONG",
        )
        for file in files
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def main() -> int:
    """Play the demo; 0 when all is well."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ferry-demo-"))
    try:
        with ExitStack() as stack:
            stage = Stage(folder, stack)
            address = start_upstream(stage)
            digests = read_digests(address)
            say(f"sample upstream at {address}, home in {folder}")
            say("ferry get, killed with -9 in the middle, and again")
            files = [fetch_without_daemon(stage, address, digests)]
            say("three downloads through the daemon")
            files += fetch_with_daemon(stage, address, digests)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    say("")
    show(files)
    well = all(file.well for file in files)
    say(f"\n{'all is well' if well else 'SOMETHING IS WRONG'}, {time.monotonic() - began:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

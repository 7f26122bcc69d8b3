"""A real daemon as a process of its own, and the `ferry` command beside it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.testing.upstream import Exchange, File

FERRY = (sys.executable, "-c", "import sys; from ferryman.cli import main; sys.exit(main())")
TERMINAL = {"succeeded", "failed", "cancelled"}


def wait(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Wait until `condition` returns something true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)
    return found


class Counted:
    """A file that counts the bytes it sent."""

    def __init__(self, data: bytes, rate: int = 0) -> None:
        self.file, self.sent = File(data, rate=rate), 0

    def __call__(self, exchange: Exchange) -> None:
        write = exchange.write

        def counted(data: bytes | memoryview, rate: int = 0) -> None:
            view, step = memoryview(data), 64 * 1024
            began, done = time.monotonic(), 0
            for at in range(0, len(view), step):
                write(view[at : at + step])
                done += len(view[at : at + step])
                self.sent += len(view[at : at + step])
                if rate:
                    exchange.wait(began + done / rate - time.monotonic())

        exchange.write = counted
        self.file(exchange)


class RunningDaemon:
    """`ferry up` on one home; may be started, killed and started again. `settings` go into its ferry.toml."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home, self.process = home, None
        self.output = home.with_name(f"{home.name}.out")
        if settings:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            lines = [
                f"{name} = {json.dumps(value if isinstance(value, int) else str(value))}"
                for name, value in settings.items()
            ]
            (home / "ferry.toml").write_text("\n".join(lines) + "\n")
        self.environment = {**os.environ, "FERRY_HOME": str(home), "FERRY_PORT": "0", "NO_COLOR": "1"}

    def start(self, *arguments: str) -> None:
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [*FERRY, "up", *arguments],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        wait(self._ready, "the daemon to be ready", 60)

    def _ready(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.output.read_text()
        try:
            note = json.loads((self.home / "daemon.json").read_text())
            return note["pid"] == self.process.pid and self.api("GET", "/readyz")["status"] == "ready"
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal and return the exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(number)
        status = self.process.wait(30)
        self.process = None
        return status

    def api(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        address = json.loads((self.home / "daemon.json").read_text())["address"]
        secret = token or (self.home / "keys" / "local.token").read_text().strip()
        request = urllib.request.Request(
            address + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    def problem(self, method: str, path: str, body: Any = None, token: str | None = None) -> dict:
        """Call the API, expect an error and return its document."""
        try:
            found = self.api(method, path, body, token)
        except urllib.error.HTTPError as error:
            return json.loads(error.read())
        raise AssertionError(f"no error but {found}")

    def add(self, *urls: str, **order: Any) -> list[str]:
        return [job["id"] for job in self.api("POST", "/api/v1/downloads", {"urls": urls, **order})["items"]]

    def job(self, job_id: str) -> dict:
        return self.api("GET", f"/api/v1/jobs/{job_id}")

    def ended(self, job_id: str, seconds: float = 60) -> dict:
        return wait(
            lambda: job if (job := self.job(job_id))["state"] in TERMINAL else None, "the job to end", seconds
        )

    def ferry(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess:
        """Run a command and check its exit code."""
        done = subprocess.run(
            [*FERRY, *arguments], env=self.environment, cwd=self.home.parent,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

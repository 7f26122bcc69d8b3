"""A throwaway Docker Engine with its own folders and socket, without network: for tests and benchmarks only. Needs root."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE: float = 60.0
"""Seconds that a server may take to start or to stop."""


@dataclass(frozen=True, slots=True)
class Dockerd:
    """A running engine."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / "docker.sock"

    @property
    def host(self) -> str:
        """Value for `DOCKER_HOST`."""
        return f"unix://{self.socket}"

    def docker(self, *words: str) -> str:
        """Run `docker` against it and return what it prints. Raises `RuntimeError` when that fails."""
        return run(["docker", "--host", self.host, *words], self.folder)


@contextmanager
def dockerd() -> Iterator[Dockerd]:
    """Start an engine and stop it at the end.

    Raises `FileNotFoundError` when Docker is not installed, `PermissionError` for others than root.
    """
    need_root("dockerd")
    program = shutil.which("dockerd", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None or shutil.which("docker") is None:
        raise FileNotFoundError("dockerd: install Docker (Debian: docker.io)")
    folder = Path(tempfile.mkdtemp(prefix="ferryman-dockerd-"))
    engine = Dockerd(folder)
    words = [
        program,
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--host={engine.host}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-masq=false",
        "--bridge=none",
    ]
    try:
        with running(words, folder, lambda: bool(engine.docker("version"))):
            yield engine
    finally:
        remove(folder)


def need_root(program: str) -> None:
    """Raise `PermissionError` unless we are root."""
    if os.geteuid() != 0:
        raise PermissionError(f"{program}: only root can start it")


@contextmanager
def running(
    words: Sequence[str], folder: Path, answers: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the end of the block, its output in `folder/log`. `answers()` tells whether it is ready."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            _wait(process, folder, answers)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(words: Sequence[str], folder: Path) -> str:
    """Run a program with `folder` as its home and return what it prints. Raises `RuntimeError` when it fails."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder),
    }
    done = subprocess.run(
        list(words), capture_output=True, text=True, check=False, timeout=300, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{list(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def remove(folder: Path) -> None:
    """Remove the folder of a server that has ended, with what it left mounted there."""
    with contextlib.suppress(OSError):
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for place in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def _wait(process: "subprocess.Popen[bytes]", folder: Path, answers: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(RuntimeError):
            if answers():
                return
        if process.poll() is not None or time.monotonic() > until:
            log = (folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{process.args!r}: it does not answer\n{log}")
        time.sleep(0.05)

"""A throwaway containerd with its own folders and socket, without network: for tests and benchmarks only. Needs root."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ferryman.testing.dockerd import need_root, remove, run, running

_CONFIG = """version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/containerd.sock"
[ttrpc]
  address = "{folder}/containerd.sock.ttrpc"
"""


@dataclass(frozen=True, slots=True)
class Containerd:
    """A running containerd."""

    folder: Path

    @property
    def address(self) -> str:
        """Path of its socket."""
        return str(self.folder / "containerd.sock")

    def ctr(self, *words: str, namespace: str = "default") -> str:
        """Run `ctr` against it and return what it prints. Raises `RuntimeError` when that fails."""
        return run(["ctr", "--address", self.address, "--namespace", namespace, *words], self.folder)


@contextmanager
def containerd() -> Iterator[Containerd]:
    """Start containerd and stop it at the end.

    Raises `FileNotFoundError` when it is not installed, `PermissionError` for others than root.
    """
    need_root("containerd")
    program = shutil.which("containerd")
    if program is None or shutil.which("ctr") is None:
        raise FileNotFoundError("containerd: install it (Debian: containerd)")
    folder = Path(tempfile.mkdtemp(prefix="ferryman-containerd-"))
    (folder / "config.toml").write_text(_CONFIG.format(folder=folder))
    server = Containerd(folder)
    try:
        with running(
            [program, "--config", str(folder / "config.toml")], folder, lambda: bool(server.ctr("version"))
        ):
            yield server
    finally:
        remove(folder)

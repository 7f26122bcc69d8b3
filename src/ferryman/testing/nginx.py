"""A real nginx on a free port of loopback, with its own folder, stopped by its process id."""

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.testing.loopback import free_port, listens

_CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type {media_type};
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port}{ssl};
        root {root};
        {tls}
        {rate}
    }}
}}
"""


class Nginx:
    """Serves `root`. `rate` limits every connection (bytes per second); `certificate` is paths of it and its key."""

    def __init__(
        self,
        folder: Path,
        root: Path,
        *,
        rate: int = 0,
        certificate: tuple[Path, Path] | None = None,
        media_type: str = "application/octet-stream",
    ) -> None:
        """Prepare; entering starts. `folder` is nginx's own; `media_type` is that of every file."""
        self.folder, self.root = folder, root
        self.rate, self.certificate, self.media_type = rate, certificate, media_type
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def program() -> str | None:
        """Path of nginx, or None when it is not installed."""
        return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    @property
    def pid(self) -> int:
        """Process id, while it runs."""
        assert self._process
        return self._process.pid

    def url(self, name: str) -> str:
        """Address of a file below the root."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}/{name}"

    def __enter__(self) -> Self:
        """Start, on another port when somebody took the free one meanwhile."""
        program = self.program()
        if program is None:
            raise FileNotFoundError("nginx is not installed: apt-get install nginx-light")
        self.folder.mkdir(parents=True, exist_ok=True)
        for _ in range(5):
            self.port = free_port()
            (self.folder / "nginx.conf").write_text(self._config())
            self._process = subprocess.Popen(
                [program, "-e", "stderr", "-p", self.folder, "-c", self.folder / "nginx.conf"],
                stderr=subprocess.DEVNULL,
            )
            if listens(self._process, self.port):
                return self
            self.stop()
        raise RuntimeError(f"nginx does not start: {self._log()}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End it by its process id."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _config(self) -> str:
        tls = ""
        if self.certificate:
            tls = f"ssl_certificate {self.certificate[0]}; ssl_certificate_key {self.certificate[1]};"
        return "user root;\n" * (os.geteuid() == 0) + _CONFIG.format(
            folder=self.folder,
            root=self.root,
            port=self.port,
            ssl=" ssl" if self.certificate else "",
            tls=tls,
            media_type=self.media_type,
            rate=f"limit_rate {self.rate};" if self.rate else "",
        )

    def _log(self) -> str:
        file = self.folder / "error.log"
        return file.read_text()[-500:] if file.exists() else "no log"

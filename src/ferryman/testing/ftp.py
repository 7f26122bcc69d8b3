"""A real FTP server (pyftpdlib) on a free port of loopback, in a thread."""

import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class FtpServer:
    """Serves `root` to anonymous users and, when given, to one with a password. `commands` holds what clients said."""

    def __init__(self, root: Path, *, user: str = "", password: str = "", rate: int = 0) -> None:
        """Bind; entering starts. `rate` limits every transfer, in bytes per second."""
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # pyftpdlib stands on asyncore before Python 3.12
            from pyftpdlib.authorizers import DummyAuthorizer  # noqa: PLC0415 - there in development only
            from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler  # noqa: PLC0415 - the same
            from pyftpdlib.servers import FTPServer  # noqa: PLC0415 - the same

        authorizer = DummyAuthorizer()
        if user:
            authorizer.add_user(user, password, str(root))
        else:
            authorizer.add_anonymous(str(root))
        commands: list[str] = []

        def process_command(handler: Any, command: str, *arguments: Any, **named: Any) -> Any:
            commands.append(f"{command} {' '.join(str(one) for one in arguments)}".strip())
            return FTPHandler.process_command(handler, command, *arguments, **named)

        dtp = type("Dtp", (ThrottledDTPHandler,), {"read_limit": 0, "write_limit": rate})
        settings = {
            "authorizer": authorizer,
            "dtp_handler": dtp,
            "use_sendfile": False,
            "auth_failed_timeout": 0,
            "process_command": process_command,
            "log": lambda *_args, **_named: None,
        }
        self.commands = commands
        self._server = FTPServer(("127.0.0.1", 0), type("Handler", (FTPHandler,), settings))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ftp")

    def url(self, name: str, login: str = "") -> str:
        """Address of a file, optionally with `user:password`."""
        return f"ftp://{login + '@' if login else ''}127.0.0.1:{self._server.address[1]}/{name}"

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and close all connections."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._server.serve_forever(timeout=0.05, blocking=False)
        self._server.close_all()

"""A connected socket and what is known about it."""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferryman.transfer.tls import TlsSocket


class Connection:
    """A connected socket and where it leads."""

    __slots__ = ("fd", "idle_since", "ip", "key", "plain", "sock", "used")

    def __init__(self, sock: "socket.socket | TlsSocket", ip: str, key: object) -> None:
        """Own `sock`."""
        self.sock, self.ip, self.key = sock, ip, key
        self.fd = sock.fileno()
        self.plain = isinstance(sock, socket.socket)
        self.idle_since = 0.0
        self.used = False

"""Names to addresses without blocking the loop."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from ferryman.core.errors import FerryError, Unavailable

Address = tuple[int, tuple[object, ...]]
"""Family and socket address."""
Answer = Callable[[list[Address], FerryError | None], None]
_KEEP_SECONDS: Final = 30.0


class Resolver:
    """Asks the system's resolver in short-lived threads; equal questions share one. Loop only."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        """`post` runs a call on the loop."""
        self._post = post
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asked: dict[tuple[str, int], list[Answer]] = {}

    def resolve(self, host: str, port: int, answer: Answer) -> None:
        """Call `answer` on the loop with the addresses or an error; at once for literals and recent names."""
        if literal := _literal(host, port):
            answer([literal], None)
            return
        key = (host, port)
        known = self._known.get(key)
        if known and time.monotonic() - known[0] < _KEEP_SECONDS:
            answer(known[1], None)
            return
        waiting = self._asked.setdefault(key, [])
        waiting.append(answer)
        if len(waiting) == 1:
            threading.Thread(target=self._ask, args=key, name="ferry-resolve", daemon=True).start()

    def _ask(self, host: str, port: int) -> None:
        addresses: list[Address] = []
        error: FerryError | None = None
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                if (int(family), address) not in addresses:
                    addresses.append((int(family), address))
        except (OSError, UnicodeError) as reason:
            error = Unavailable(
                "name_unresolved",
                f"The host '{host[:253]}' cannot be found ({reason}).",
                advice="Check the URL.",
            )
        self._post(lambda: self._tell((host, port), addresses, error))

    def _tell(self, key: tuple[str, int], addresses: list[Address], error: FerryError | None) -> None:
        if not error:
            self._known[key] = (time.monotonic(), addresses)
        for answer in self._asked.pop(key, []):
            answer(addresses, error)


def _literal(host: str, port: int) -> Address | None:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        pass
    else:
        return int(socket.AF_INET), (host, port)
    try:
        socket.inet_pton(socket.AF_INET6, host)
    except OSError:
        return None
    return int(socket.AF_INET6), (host, port, 0, 0)

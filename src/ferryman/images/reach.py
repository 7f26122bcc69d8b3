"""How a copy of the daemon reaches registries: sealed logins and certificates, and connections that stay open for a while."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.core.lent import Lent
from ferryman.images.model import SideOrder
from ferryman.oci.authfile import AuthFile, read_auth_file
from ferryman.oci.mirrors import Mirrors
from ferryman.oci.options import Login, RegistryOptions
from ferryman.oci.session import Registries
from ferryman.transfer.model import AddressRule

IDLE: Final = 60.0
"""Seconds that connections stay open after their last copy: the next one often comes soon."""
_MOST: Final = 16


@dataclass(slots=True)
class _Open:
    registries: Registries
    users: int = 0
    left_at: float = 0.0


class Reach:
    """Registries by how they are reached, shared by the copies of one process. Thread-safe."""

    def __init__(self, lent: Lent, mirrors: Callable[[], Mirrors] = Mirrors) -> None:
        """Certificates become files of `lent` while they are used; `mirrors` are asked each time."""
        self._lent, self._mirrors = lent, mirrors
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    @contextmanager
    def sides(
        self, source: SideOrder, target: SideOrder, rule: AddressRule
    ) -> Iterator[tuple[Registries, Registries]]:
        """Give the registries of both sides; equal sides are one object."""
        with ExitStack() as stack:
            first = stack.enter_context(self._side(source, rule, reads=True))
            if source == target:
                yield first, first
                return
            yield first, stack.enter_context(self._side(target, rule, reads=False))

    def close(self) -> None:
        """Close everything that nobody uses."""
        with self._lock:
            gone = [key for key, one in self._open.items() if not one.users]
            closing = [self._open.pop(key) for key in gone]
        for one in closing:
            one.registries.close()

    @contextmanager
    def _side(self, side: SideOrder, rule: AddressRule, *, reads: bool) -> Iterator[Registries]:
        texts = (side.ca, side.client_cert, side.client_key, side.authfile)
        with self._lent.files(*texts) as (ca, cert, key, auth):
            # Only what stands in the file: helper programs that it names are not run for whoever sends it.
            known = read_auth_file(auth, must=True) if auth else None
            mirrors = self._mirrors() if reads else Mirrors()
            said = f"{side.model_dump_json()}\n{rule!r}\n{mirrors!r}"
            name = hashlib.sha256(said.encode()).hexdigest()
            options = options_of(side, rule, mirrors, (ca, cert, key), known)
            one = self._take(name, options)
            try:
                yield one.registries
            finally:
                self._leave(one)

    def _take(self, name: str, options: RegistryOptions) -> _Open:
        now = time.monotonic()
        with self._lock:
            one = self._open.get(name)
            if one is None:
                one = self._open[name] = _Open(Registries(options))
            one.users += 1
            idle = sorted(
                (key for key, other in self._open.items() if not other.users),
                key=lambda key: self._open[key].left_at,
            )
            old = [key for key in idle if self._open[key].left_at < now - IDLE]
            old += idle[len(old) : max(0, len(self._open) - _MOST)]
            closing = [self._open.pop(key) for key in dict.fromkeys(old)]
        for other in closing:
            other.registries.close()
        return one

    def _leave(self, one: _Open) -> None:
        with self._lock:
            one.users -= 1
            one.left_at = time.monotonic()


def options_of(
    side: SideOrder,
    rule: AddressRule,
    mirrors: Mirrors,
    files: tuple[Path | None, Path | None, Path | None],
    known: AuthFile | None = None,
) -> RegistryOptions:
    """Return how to talk to registries as `side` says; `files` are CA, certificate and key, `known` the logins of a file."""
    ca, cert, key = files
    return RegistryOptions(
        plain_http=side.plain_http,
        insecure=side.insecure,
        ca=ca,
        client_cert=cert,
        client_key=key,
        login=Login(side.username, side.password or "") if side.username else None,
        logins=known.entry if known else None,
        mirrors=mirrors,
        allow=rule,
    )

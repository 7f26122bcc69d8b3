"""Values of the transfer room: what is asked for, how far it is, and how it ended. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ferryman.core.digests import Digest

Headers = Mapping[str, str]
"""Response headers, names in lower case; repeated ones are joined with `, `."""


class Overwrite(StrEnum):
    """What to do when the target exists. `ASK` is a question to the caller: the engine raises `target_exists`."""

    ASK = "ask"
    RENAME = "rename"
    OVERWRITE = "overwrite"
    SKIP = "skip"


class Phase(StrEnum):
    """Where a transfer is. `CONNECTING` also covers waiting for a place at a busy host."""

    CONNECTING = "connecting"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    FINISHING = "finishing"


class AddressRule(Protocol):
    """Decides which addresses may be connected to (see `policy.AddressPolicy`)."""

    def check(self, ip: str, host: str = "", /) -> None:
        """Return when `ip` (textual IPv4 or IPv6), which `host` resolved to, is allowed. Raises `Denied` otherwise.

        Thread-safe, quick.
        """
        ...

    def check_host(self, host: str, /) -> None:
        """Judge a host that a proxy will resolve. Raises `Denied`. Thread-safe, quick."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """How to talk to the servers of one request. Rates are bytes per second, 0 is unlimited; times are seconds."""

    connections: int = 8
    rate_limit: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    username: str | None = None
    password: str | None = None
    bearer: str | None = None
    proxy: str | None = None
    no_proxy_env: bool = False
    netrc: bool = False
    cookies: Path | None = None
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    connect_timeout: float = 15.0
    stall_timeout: float = 30.0
    user_agent: str = "ferryman/1"


@dataclass(frozen=True, slots=True)
class Request:
    """One file to fetch.

    `urls` are mirrors of the same file. `target` is the file to write, or with `folder=True` the folder the file goes
    to; its name then comes from `name(headers, final_url)` once the first answer is there. `size` and `checksum`, when
    given, must match; more than `most` bytes are refused. `checksum_url` names a file of checksums to be asked first when
    there is no `checksum`. `allow` sees every address before a connection to it is made.
    """

    urls: tuple[str, ...]
    target: Path
    options: Options = field(default_factory=Options)
    checksum: Digest | None = None
    checksum_url: str | None = None
    size: int | None = None
    overwrite: Overwrite = Overwrite.ASK
    allow: AddressRule | None = None
    folder: bool = False
    name: Callable[[Headers, str], str] | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a transfer is. `network`, `disk` and `verified` count bytes and never go back.

    `network` is what this run received, `disk` what of the file is written (with what was resumed), `verified` what
    was hashed. `rate` is bytes per second, `eta` seconds or None, `slow` says why it is not faster when that is known.
    """

    phase: Phase = Phase.CONNECTING
    total: int | None = None
    network: int = 0
    disk: int = 0
    verified: int = 0
    rate: float = 0.0
    eta: float | None = None
    slow: str | None = None
    connections: int = 0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """A finished transfer. `network` and `resumed` are bytes of this run and of earlier ones."""

    path: Path
    size: int
    digests: tuple[Digest, ...]
    seconds: float
    network: int
    resumed: int
    url: str
    etag: str | None = None
    mime: str | None = None
    renamed: bool = False
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What an engine allows itself: transfers at work at once, connections per host, tries, first back-off (s)."""

    active: int = 16
    per_host: int = 32
    fruitless: int = 5
    backoff: float = 0.5
    redirects: int = 10

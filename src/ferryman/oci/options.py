"""How to talk to registries. Values only."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ferryman.oci.mirrors import Mirrors
from ferryman.transfer.model import AddressRule


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are at a registry: user and password, or an identity token (OAuth2 refresh token)."""

    username: str
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """How to talk to the registries of one request. Times are seconds.

    `plain_http` speaks HTTP instead of HTTPS, which is never tried by itself. `login` is for the registry that is named, not
    for its mirrors; without it `logins("HOST/REPOSITORY")` is asked (`authfile.AuthFiles.login` for what `docker login` and `podman
    login` keep), and without an answer we are anonymous. `allow` sees every address before it is connected to, also after
    each redirect. `chunk` is how many bytes go up in one request at most: what an interrupted upload may have to send
    again where a registry does not keep parts of requests. `sleep` waits between tries; it may raise to end them.
    """

    plain_http: bool = False
    insecure: bool = False
    ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    login: Login | None = None
    logins: Callable[[str], Login | None] | None = None
    proxy: str | None = None
    no_proxy_env: bool = False
    mirrors: Mirrors = field(default_factory=Mirrors)
    allow: AddressRule | None = None
    connect_timeout: float = 15.0
    stall_timeout: float = 60.0
    retries: int = 5
    backoff: float = 0.5
    most_requests: int = 8
    chunk: int = 64 * 1024 * 1024
    user_agent: str = "ferryman/1"
    sleep: Callable[[float], None] = time.sleep

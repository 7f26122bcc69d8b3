"""What `docker login` and `podman login` keep: their files, and the helper programs these name.

Order, first that knows the registry wins: a file named by hand or by `REGISTRY_AUTH_FILE`; Podman's `auth.json` in the run-time folder and in
the configuration folder; Docker's `config.json` (`DOCKER_CONFIG` or `~/.docker`). Values never appear in messages.
"""

import base64
import binascii
import json
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ferryman.core.errors import Invalid, Unavailable
from ferryman.oci.options import Login
from ferryman.oci.reference import DOCKER_HUB

_LARGEST: Final = 4 * 1024 * 1024
_KEPT_SECONDS: Final = 300.0
_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HUB_KEY: Final = "https://index.docker.io/v1/"
_NOT_FOUND: Final = ("credentials not found", "no credentials", "not found in native keychain")
_TOKEN_USER: Final = "<token>"  # noqa: S105 - how Docker marks an identity token


@dataclass(frozen=True, slots=True)
class AuthFile:
    """One file: logins by key as written, and the helpers it names."""

    path: Path
    auths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def entry(self, name: str) -> Login | None:
        """Look up `HOST/REPOSITORY`: the longest key that is a beginning of it wins."""
        for key in keys(name):
            found = self.auths.get(key)
            if found is not None and (login := _login(found, key, self.path)):
                return login
        return None

    def helper(self, host: str) -> str:
        """Return the helper for a host: its own, else the store; empty for none."""
        return next((self.helpers[key] for key in keys(host) if self.helpers.get(key)), self.store)


class AuthFiles:
    """Looks up who we are. Thread-safe; what helpers say is kept for five minutes."""

    def __init__(
        self,
        environ: Mapping[str, str],
        home: Path,
        *,
        file: Path | None = None,
        helper_seconds: float = 30.0,
    ) -> None:
        """`file` is the only one asked when it is given. Helpers that take longer than `helper_seconds` are stopped."""
        self._environ, self._helper_seconds = environ, helper_seconds
        self._paths = (file,) if file else places(environ, home)
        self._must = file is not None
        self._lock = threading.Lock()
        self._read: tuple[AuthFile, ...] | None = None
        self._kept: dict[tuple[str, str], tuple[float, Login | None]] = {}

    def login(self, name: str) -> Login | None:
        """Return who we are at `HOST/REPOSITORY`; None for nobody.

        Raises `Invalid` (`auth_file_invalid`, `auth_helper_missing`), `Unavailable` (`auth_helper_failed`).
        """
        with self._lock:
            if self._read is None:
                self._read = tuple(
                    file for path in self._paths if (file := read_auth_file(path, must=self._must))
                )
            host = name.partition("/")[0]
            for file in self._read:
                if login := file.entry(name):
                    return login
                helper = file.helper(host)
                if helper and (login := self._ask(helper, host)):
                    return login
        return None

    def _ask(self, helper: str, host: str) -> Login | None:
        now = time.monotonic()
        kept = self._kept.get((helper, host))
        if kept is None or now - kept[0] > _KEPT_SECONDS:
            kept = (now, run_helper(helper, _server(host), self._environ, self._helper_seconds))
            self._kept[helper, host] = kept
        return kept[1]


def places(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return where files may be, in order."""
    if named := environ.get("REGISTRY_AUTH_FILE"):
        return (Path(named),)
    found = []
    if run := environ.get("XDG_RUNTIME_DIR"):
        found.append(Path(run) / "containers" / "auth.json")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    docker = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    return (*found, config / "containers" / "auth.json", docker / "config.json")


def keys(name: str) -> list[str]:
    """Return the keys under which a login for `HOST/REPOSITORY` may stand, the most special first."""
    parts = name.split("/")
    found = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    host = parts[0]
    if host == DOCKER_HUB:
        found += [_HUB_KEY, "index.docker.io", "https://index.docker.io/v1", "registry-1.docker.io"]
    return [
        *found,
        f"https://{host}",
        f"https://{host}/",
        f"https://{host}/v2/",
        f"https://{host}/v1/",
        f"http://{host}",
    ]


def read_auth_file(path: Path, *, must: bool = False) -> AuthFile | None:
    """Read a file; None when it is not there, unless it `must` be. Raises `Invalid` (`auth_file_invalid`)."""
    try:
        if path.stat().st_size > _LARGEST:
            raise _wrong(path, "it is too large")
        document = json.loads(path.read_text("utf-8") or "{}")
    except (FileNotFoundError, NotADirectoryError) as error:
        if must:
            raise _wrong(path, "it does not exist") from error
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise _wrong(path, str(why)) from error
    if not isinstance(document, dict):
        raise _wrong(path, "it is no JSON object")
    auths, helpers, store = (document.get(key) or kind() for key, kind in _PARTS)
    if not isinstance(auths, dict) or not isinstance(helpers, dict) or not isinstance(store, str):
        raise _wrong(path, "'auths', 'credHelpers' or 'credsStore' is not what it should be")
    return AuthFile(
        path,
        {key: value for key, value in auths.items() if isinstance(value, dict)},
        {key: value for key, value in helpers.items() if isinstance(value, str)},
        store,
    )


_PARTS: Final = (("auths", dict), ("credHelpers", dict), ("credsStore", str))


def run_helper(name: str, server: str, environ: Mapping[str, str], seconds: float) -> Login | None:
    """Ask `docker-credential-NAME get`; None when it knows nothing.

    Raises `Invalid` (`auth_helper_missing`), `Unavailable` (`auth_helper_failed`); never with what the helper said on its
    standard output.
    """
    if not _HELPER.fullmatch(name):
        raise Invalid(
            "auth_helper_missing",
            f"'{name[:80]}' is no name of a credential helper.",
            advice="Correct the file.",
        )
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(  # noqa: S603 - the name was checked, and the user's own file names it
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env=dict(environ),
        )
    except FileNotFoundError as error:
        raise Invalid(
            "auth_helper_missing",
            f"The credential helper '{program}' is not installed.",
            advice="Install it, or take it out of the auth file.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _helper_failed(program, f"it did not answer within {seconds:g} s") from error
    except OSError as error:
        raise _helper_failed(program, str(error.strerror)) from error
    if done.returncode:
        words = (done.stdout[:500] + done.stderr[:500]).decode("utf-8", "replace").strip()
        if any(known in words.lower() for known in _NOT_FOUND):
            return None
        raise _helper_failed(program, f"it ended with {done.returncode}")
    return _helper_login(done.stdout, program)


def _helper_login(output: bytes, program: str) -> Login | None:
    try:
        document = json.loads(output[:_LARGEST])
        user, secret = document["Username"], document["Secret"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _helper_failed(program, "its answer is not JSON with Username and Secret") from error
    if not isinstance(user, str) or not isinstance(secret, str):
        raise _helper_failed(program, "its answer is not JSON with Username and Secret")
    if not secret:
        return None
    return Login("", identity_token=secret) if user == _TOKEN_USER else Login(user, secret)


def _login(entry: Mapping[str, Any], key: str, path: Path) -> Login | None:
    """Read one entry of `auths`; an empty one means that a helper knows."""
    token, registry = _text(entry, "identitytoken"), _text(entry, "registrytoken")
    user, password = _text(entry, "username"), _text(entry, "password")
    if encoded := _text(entry, "auth"):
        try:
            user, colon, password = base64.b64decode(encoded, validate=False).decode("utf-8").partition(":")
        except (binascii.Error, ValueError) as error:
            raise _wrong(path, f"'auth' of '{key[:100]}' is not base64") from error
        if not colon:
            raise _wrong(path, f"'auth' of '{key[:100]}' is not user and password")
        password = password.rstrip("\0")
    if not (user or token or registry):
        return None
    return Login(user, password, token, registry)


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _server(host: str) -> str:
    return _HUB_KEY if host == DOCKER_HUB else host


def _helper_failed(program: str, why: str) -> Unavailable:
    return Unavailable(
        "auth_helper_failed",
        f"The credential helper '{program}' failed: {why}.",
        advice="Try it by hand: echo HOST | docker-credential-NAME get.",
    )


def _wrong(path: Path, why: str) -> Invalid:
    return Invalid(
        "auth_file_invalid",
        f"The auth file '{path}' cannot be used: {why}.",
        advice="Correct it, or write it anew with `docker login` or `podman login`.",
    )

"""Bearer tokens and basic authentication for one registry: fetched when asked for, renewed before they expire.

distribution: "Token Authentication" (GET with basic authentication) and "OAuth2 Token Authentication" (POST).
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from ferryman.core.errors import Denied, FerryError, Unavailable
from ferryman.oci.auth import Challenge, join_scopes
from ferryman.oci.failures import MOST_ERROR, answer_error, temporary
from ferryman.oci.http import Http, Request, Response
from ferryman.oci.options import Login
from ferryman.transfer.failures import shown

DEFAULT_LIFETIME: Final = 60.0
"""Seconds a token lives that does not say so."""
_MOST_TOKEN: Final = 1024 * 1024
_MOST_TOKENS: Final = 512
_MARGIN: Final = 30.0
_TRIES: Final = 3
_CLIENT: Final = "ferryman"
_PRINTABLE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and when it is not used any more (monotonic seconds)."""

    value: str
    until: float


def usable_until(now: float, lifetime: float) -> float:
    """Return until when a token that lives `lifetime` seconds is used: some time before it expires."""
    return now + lifetime - min(_MARGIN, lifetime / 4)


class Authorizer:
    """Answers the challenges of one registry. Thread-safe; equal questions to the token server are asked once."""

    def __init__(
        self,
        http: Http,
        login: Login | None,
        *,
        plain_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        user_agent: str = _CLIENT,
    ) -> None:
        """`plain_http` also allows a token server without TLS."""
        self._http, self._login, self._plain_http = http, login, plain_http
        self._clock, self._sleep, self._user_agent = clock, sleep, user_agent
        self._challenge: Challenge | None = None
        self._tokens: dict[tuple[str, ...], Token] = {}
        self._refresh = login.identity_token if login else ""
        self._by_post = bool(self._refresh)
        self._lock = threading.Lock()
        self._asking: dict[tuple[str, ...], threading.Lock] = {}

    def header(self, scopes: Iterable[str]) -> str | None:
        """Return the value of Authorization for `scopes`; None as long as the registry has not asked.

        Fetches a token when none is valid for a while. Raises `Denied`, `Unavailable`.
        """
        if self._login and self._login.registry_token:
            return f"Bearer {self._login.registry_token}"
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return _basic(self._login) if self._login else None
        return f"Bearer {self._token(challenge, join_scopes(scopes)).value}"

    def challenged(self, challenges: list[Challenge], scopes: Iterable[str], sent: str | None) -> bool:
        """Learn from a 401 to a request with `sent` as its Authorization. True: ask again with a new header."""
        chosen = next((one for one in challenges if one.scheme == "bearer" and one.realm), None)
        if chosen is None and self._login and self._login.username:
            chosen = next((one for one in challenges if one.scheme == "basic"), None)
        if chosen is None or (self._login and self._login.registry_token):
            return False
        with self._lock:
            first = self._challenge is None or self._challenge.scheme != chosen.scheme
            self._challenge = chosen
        if chosen.scheme == "basic":
            return first or sent != self.header(())
        wanted = join_scopes(scopes)
        with self._lock:
            known = self._tokens.get(wanted)
            if known and sent == f"Bearer {known.value}":
                del self._tokens[wanted]
        return True

    def _token(self, challenge: Challenge, scopes: tuple[str, ...]) -> Token:
        scopes = scopes or tuple(sorted(challenge.scopes))
        with self._lock:
            if (known := self._tokens.get(scopes)) and known.until > self._clock():
                return known
            asking = self._asking.setdefault(scopes, threading.Lock())
        with asking:
            with self._lock:
                if (known := self._tokens.get(scopes)) and known.until > self._clock():
                    return known
            token = self._fetch(challenge, scopes)
            with self._lock:
                if len(self._tokens) >= _MOST_TOKENS:
                    now = self._clock()
                    self._tokens = {key: one for key, one in self._tokens.items() if one.until > now}
                    self._asking = {key: one for key, one in self._asking.items() if one.locked()}
                self._tokens[scopes] = token
            return token

    def _fetch(self, challenge: Challenge, scopes: tuple[str, ...]) -> Token:
        realm = self._realm(challenge)
        for number in range(_TRIES):
            asked = self._clock()
            try:
                with self._ask(realm, challenge.service, scopes) as answer:
                    if answer.status == 200:
                        return self._read(answer, realm, asked)
                    if answer.status in {404, 405} and not self._by_post and self._login:
                        self._by_post = True  # a server that knows only OAuth2
                        continue
                    error = _refused(answer, realm)
            except Unavailable as lost:
                error = lost
            if not isinstance(error, Unavailable) or number == _TRIES - 1:
                raise error
            self._sleep(min(10.0, error.retry_after or 0.5 * 2**number))
        raise Denied("auth_failed", f"{shown(realm)} gives no token.", advice="Check user and password.")

    def _realm(self, challenge: Challenge) -> str:
        parts = urlsplit(challenge.realm)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or not _PRINTABLE.fullmatch(challenge.realm)
        ):
            raise Unavailable(
                "realm_invalid", f"The registry names '{challenge.realm[:200]}' as its token server."
            )
        if parts.scheme == "http" and not self._plain_http:
            raise Denied(
                "realm_insecure",
                f"The token server {shown(challenge.realm)} is not encrypted, but the registry is.",
                advice="Tell who runs the registry: credentials are not sent there.",
            )
        return challenge.realm

    def _ask(self, realm: str, service: str, scopes: tuple[str, ...]) -> Response:
        headers = {"Accept": "application/json", "User-Agent": self._user_agent}
        if self._by_post and self._login:
            return self._http.send(self._post(realm, service, scopes, headers))
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        if self._login:
            query.append(("account", self._login.username))
            headers["Authorization"] = _basic(self._login)
        join = "&" if "?" in realm else "?"
        return self._http.send(
            Request("GET", f"{realm}{join}{urlencode(query)}" if query else realm, headers)
        )

    def _post(self, realm: str, service: str, scopes: tuple[str, ...], headers: dict[str, str]) -> Request:
        assert self._login
        form = {"client_id": _CLIENT, "service": service, "scope": " ".join(scopes)}
        if self._refresh:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh}
        else:
            form |= {
                "grant_type": "password",
                "username": self._login.username,
                "password": self._login.password,
            }
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Request("POST", realm, headers, urlencode(form).encode())

    def _read(self, answer: Response, realm: str, asked: float) -> Token:
        document = _document(answer.read(_MOST_TOKEN), realm)
        value = document.get("token") or document.get("access_token")
        if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
            raise _no_token(realm)
        lifetime = document.get("expires_in")
        good = isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and 0 < lifetime < 10**9
        renewed = document.get("refresh_token")
        if self._by_post and isinstance(renewed, str) and renewed:
            self._refresh = renewed
        seconds = float(lifetime) if good and lifetime is not None else DEFAULT_LIFETIME
        return Token(value, usable_until(asked, max(seconds, 1.0)))


def _basic(login: Login) -> str:
    return f"Basic {base64.b64encode(f'{login.username}:{login.password}'.encode()).decode()}"


def _document(raw: bytes, realm: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _no_token(realm) from error
    if not isinstance(document, dict):
        raise _no_token(realm)
    return document


def _no_token(realm: str) -> Unavailable:
    return Unavailable(
        "token_invalid", f"{shown(realm)} answered without a token.", advice="Try again later."
    )


def _refused(answer: Response, realm: str) -> FerryError:
    body = answer.read(MOST_ERROR) if (answer.length or 0) <= MOST_ERROR else b""
    if temporary(answer.status):
        return answer_error(answer.status, shown(realm), body)
    return Denied(
        "auth_failed",
        f"{shown(realm)} refuses user or password ({answer.status}).",
        advice="Sign in again with `docker login` or `podman login`, or correct user and password.",
    )

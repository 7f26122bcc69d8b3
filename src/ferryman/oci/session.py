"""One registry as it is asked: with authentication, at its pace, again when it fails. Shared by all its repositories."""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, urlsplit

from ferryman.core.errors import Denied, FerryError, Invalid, Unavailable
from ferryman.oci.auth import parse_challenges
from ferryman.oci.failures import MOST_ERROR, answer_error, tries_for
from ferryman.oci.http import Body, Http, Request, Response
from ferryman.oci.mirrors import Endpoint
from ferryman.oci.options import Login, RegistryOptions
from ferryman.oci.pace import Pace
from ferryman.oci.tokens import Authorizer
from ferryman.transfer.http import host_key, redirect_target, retry_after

_MOST_WAIT: Final = 60.0
_LONGEST_BACKOFF: Final = 20.0


@dataclass(slots=True)
class Ask:
    """One question to a registry. `path` is below `/v2/`, or a whole URL that the registry named (`at_url`).

    `what` names it for people; `expected` are statuses beside 2xx that the caller handles; `timed` says that the time to
    the answer tells how busy the registry is.
    """

    method: str
    path: str
    what: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    body: Body | None = None
    expected: Collection[int] = ()
    timed: bool = True

    @property
    def writing(self) -> bool:
        """Whether it changes something there."""
        return self.method not in {"GET", "HEAD"}


class Registry:
    """A registry at an endpoint. Thread-safe."""

    def __init__(self, endpoint: Endpoint, login: Login | None, options: RegistryOptions, http: Http) -> None:
        """Take part in the connections of `http`."""
        self.endpoint, self.options, self.http = endpoint, options, http
        self.pace = Pace(options.most_requests, sleep=options.sleep)
        self.authorizer = Authorizer(
            http,
            login,
            plain_http=endpoint.plain_http,
            sleep=options.sleep,
            user_agent=options.user_agent,
        )
        self.base = f"{'http' if endpoint.plain_http else 'https'}://{endpoint.host}"
        self.no_referrers = False
        """Learned: the registry has no referrers API."""
        self._met = False

    def url(self, path: str) -> str:
        """Return the address of a path below `/v2/`, or check one that the registry named."""
        if "://" in path:
            return path
        url = f"{self.base}/v2/{path}"
        if self.endpoint.namespace:
            url += f"{'&' if '?' in url else '?'}ns={quote(self.endpoint.namespace, safe='')}"
        return url

    def named(self, location: str, base: str) -> str:
        """Return the URL of a Location or Link that an answer from `base` named.

        One that lost its `https` on the way through a proxy gets it back. Raises `Unavailable`, `Denied`.
        """
        try:
            url = redirect_target(base, location)
        except ValueError as error:
            raise Unavailable(
                "redirect_invalid", f"{self.base} names an address that is none: '{location[:200]}'."
            ) from error
        if not self.endpoint.plain_http and url.startswith("http:"):
            parts = urlsplit(url)
            if parts.netloc.lower() != urlsplit(base).netloc.lower():
                raise Denied(
                    "redirect_insecure",
                    f"{self.base} leads to http://{parts.netloc}, which is not encrypted.",
                    advice="Ask who runs the registry for https there.",
                )
            url = f"https{url[4:]}"
        return url

    def ask(self, ask: Ask) -> Response:
        """Ask, and return an answer that is 2xx or expected; the caller closes it.

        What fails for a while is asked again with growing pauses, unless it has a `body`: that is for the caller to
        repeat. Raises `NotFound`, `Denied`, `Unavailable`, `Invalid`, `Conflict`, `Exhausted`.
        """
        tries = 1 if ask.body else self.options.retries
        for number in range(1, tries + 1):
            try:
                answer = self._authorized(ask)
            except Unavailable as error:
                if number >= tries_for(error, tries, met=self._met):
                    raise
                self._wait(number, error.retry_after)
                continue
            if answer.status < 300 or answer.status in ask.expected:
                return answer
            wait = retry_after(answer.headers.get("retry-after"), time.time())
            refusal = self._error(answer, ask, wait)
            if not isinstance(refusal, Unavailable) or number == tries or (wait or 0) > _MOST_WAIT:
                raise refusal
            self._wait(number, wait)
        raise Unavailable("registry_error", f"{ask.what}: the registry failed.")

    def small(self, ask: Ask, most: int) -> tuple[Response, bytes]:
        """Ask for something small and read it; a body that breaks off is asked for again.

        Raises as `ask`, and `Invalid` (`answer_too_large`).
        """
        for number in range(1, self.options.retries + 1):
            answer = self.ask(ask)
            try:
                return answer, answer.read(most)
            except Unavailable:
                answer.close()
                if number == self.options.retries:
                    raise
                self._wait(number, None)
        raise Unavailable("registry_error", f"{ask.what}: the registry failed.")

    def headers(self, url: str, scopes: Iterable[str]) -> dict[str, str]:
        """Return the headers of a request to `url`: who we are only for the registry itself."""
        headers = {"User-Agent": self.options.user_agent, "Accept-Encoding": "identity"}
        if host_key(url) == host_key(self.base) and (value := self.authorizer.header(scopes)):
            headers["Authorization"] = value
        return headers

    def _authorized(self, ask: Ask) -> Response:
        """Ask, and once again with what a challenge wants to see."""
        url = self.url(ask.path)
        for again in (True, True, False):
            headers = self.headers(url, ask.scopes)
            answer = self._send(ask, url, {**headers, **ask.headers})
            trusted = host_key(answer.url) == host_key(self.base)
            if answer.status != 401 or not (again and trusted):
                return answer
            challenges = parse_challenges(answer.headers.get("www-authenticate", ""))
            if not self.authorizer.challenged(challenges, ask.scopes, headers.get("Authorization")):
                return answer
            answer.close()
            if ask.body and ask.body.length:
                raise Unavailable("auth_renewed", f"{ask.what}: the registry wants a new token.")
        raise AssertionError("unreachable")

    def _send(self, ask: Ask, url: str, headers: Mapping[str, str]) -> Response:
        request = Request(ask.method, url, headers, ask.content, ask.body)
        with self.pace.turn(writing=ask.writing):
            began = time.monotonic()
            answer = self.http.send(request)
            self._met = True
            seconds = time.monotonic() - began
        if answer.status in {429, 503}:
            wait = retry_after(answer.headers.get("retry-after"), time.time())
            self.pace.refused(min(_MOST_WAIT, wait if wait is not None else self.options.backoff))
        elif ask.timed and not ask.writing:
            self.pace.answered(seconds)
        return answer

    def _error(self, answer: Response, ask: Ask, wait: float | None = None) -> FerryError:
        body = b""
        try:
            if (answer.length or 0) <= MOST_ERROR:
                body = answer.read(MOST_ERROR)
        except (Unavailable, Invalid):
            body = b""
        answer.close()
        return answer_error(answer.status, ask.what, body, wait)

    def _wait(self, number: int, wanted: float | None) -> None:
        backoff = min(_LONGEST_BACKOFF, self.options.backoff * 2 ** (number - 1))
        self.options.sleep(max(backoff, min(wanted or 0.0, _MOST_WAIT)))


class Registries:
    """The registries of one request or one process, each with its tokens, pace and connections. Thread-safe."""

    def __init__(self, options: RegistryOptions) -> None:
        """Connect to nothing yet."""
        self.options = options
        self._http = Http(options)
        self._known: dict[tuple[Endpoint, Login | None], Registry] = {}
        self._lock = threading.Lock()

    def at(self, endpoint: Endpoint, login: Login | None) -> Registry:
        """Return the registry at an endpoint, as somebody."""
        with self._lock:
            key = (endpoint, login)
            if key not in self._known:
                options = replace(self.options, retries=min(2, self.options.retries))
                chosen = options if endpoint.mirror else self.options  # others can answer for a mirror
                self._known[key] = Registry(endpoint, login, chosen, self._http)
            return self._known[key]

    def login(self, name: str, *, mirror: bool = False) -> Login | None:
        """Return who we are at `HOST/REPOSITORY`: what was given by hand, else what is kept; may run a helper."""
        if self.options.login and not mirror:
            return self.options.login
        find: Callable[[str], Login | None] | None = self.options.logins
        return find(name) if find else None

    def close(self) -> None:
        """Close the connections. Repeatable."""
        self._http.close()

"""What is sent: request headers, and which credentials may go to which host. Pure."""

import base64
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit, urlunsplit

from ferryman.transfer.http import host_key
from ferryman.transfer.judge import Pins
from ferryman.transfer.model import Options

_SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
_OURS = frozenset(
    {"range", "if-range", "accept-encoding", "host", "connection", "transfer-encoding", "content-length"}
)


def bare(url: str) -> str:
    """The URL without user, password and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def credentials(origin: str, options: Options) -> tuple[str, str] | None:
    """User and password for the origin: those of the options, else those in the URL."""
    if options.username is not None:
        return options.username, options.password or ""
    parts = urlsplit(origin)
    if parts.username is None:
        return None
    return unquote(parts.username), unquote(parts.password or "")


def without_secrets(options: Options) -> Options:
    """Return `options` without what signs in: for hosts it is not meant for."""
    headers = tuple(pair for pair in options.headers if pair[0].lower() not in _SECRET)
    return replace(options, headers=headers, username=None, password=None, bearer=None)


def options_beside(url: str, origin: str, options: Options) -> Options:
    """Return the options for `url`, which belongs to `origin`: secrets stay with the host of `origin`."""
    return options if host_key(url) == host_key(origin) else without_secrets(options)


@dataclass(frozen=True, slots=True)
class Own:
    """What the user's files know of one host: its login in netrc, the Cookie header for a URL."""

    login: tuple[str, str] | None = None
    cookie: str | None = None


def headers_for(
    url: str, origin: str, options: Options, pins: Pins | None, basic: bool = True, own: Own = Own()
) -> tuple[tuple[str, str], ...]:
    """Build all headers of a request to `url`.

    Secrets of `options` go only to the host of `origin`, those of `own` are for the host of `url`; what was given by hand
    wins. A pinned object gets If-Range; without `basic` user and password are left to the carrier.
    """
    trusted = host_key(url) == host_key(origin)
    given = {name.lower() for name, _ in options.headers}
    headers = [("Accept-Encoding", "identity")]
    if "user-agent" not in given:
        headers.append(("User-Agent", options.user_agent))
    if "accept" not in given:
        headers.append(("Accept", "*/*"))
    if trusted and options.bearer and "authorization" not in given:
        headers.append(("Authorization", f"Bearer {options.bearer}"))
    elif basic and not (trusted and "authorization" in given):
        found = (credentials(origin, options) if trusted else None) or own.login
        if found:
            token = base64.b64encode(f"{found[0]}:{found[1]}".encode()).decode()
            headers.append(("Authorization", f"Basic {token}"))
    if own.cookie and not (trusted and "cookie" in given):
        headers.append(("Cookie", own.cookie))
    headers += [
        (name, value)
        for name, value in options.headers
        if name.lower() not in _OURS and (trusted or name.lower() not in _SECRET)
    ]
    if pins and pins.validator:
        headers.append(("If-Range", pins.validator))
    return tuple(headers)

"""Addresses people type, read once into checked values. Pure; everything read is hostile."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from ferryman.core.errors import Invalid
from ferryman.transfer.policy import literal_address

PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ftps": 990}
"""Supported schemes and their usual ports."""
LONGEST: Final = 8 * 1024

_TORRENT: Final = "Ferryman does not take part in BitTorrent: look for the http address or the Metalink file on the same page."
_INSTEAD: Final = {
    "magnet": _TORRENT,
    "ed2k": "Ferryman does not take part in eDonkey: look for an http address of the same file.",
    "file": "The file is on a disk already: copy it.",
    "data": "The data is in the address itself: save it where it came from.",
    "blob": "This address only exists inside one page: use the address the page fetches it from.",
    "javascript": "This is a script, not an address: use the address it leads to.",
    "s3": "Use the https address of the object, signed if it has to be.",
}
"""What to do instead, for schemes people try."""
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LABEL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_PATH_SAFE: Final = "/:;=@!$&'()*+,-._~%[]"
_QUERY_SAFE: Final = _PATH_SAFE + "?"


@dataclass(frozen=True, slots=True)
class Source:
    """A checked address. `url` has no credentials, fragment or characters outside ASCII and may be logged.

    `host` is in lower case, without brackets; an address in an odd spelling is turned into the usual one.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_source(text: str) -> Source:
    """Read a URL. Raises `Invalid`: `url_scheme`, `url_invalid`, `url_host` or `url_credentials`.

    Messages never show a password.
    """
    cleaned = text.strip()
    _check_characters(cleaned)
    scheme = _scheme(cleaned)
    try:
        parts = urlsplit(cleaned)
        port = parts.port
    except ValueError as error:
        raise _invalid(cleaned) from error
    if not parts.netloc:
        raise _no_host(cleaned)
    if port == 0:
        raise _invalid(cleaned)
    host = _host(parts.hostname or "", cleaned)
    username, password = _credentials(parts.username, parts.password, cleaned)
    shown = f"[{host}]" if ":" in host else host
    where = shown if port is None or port == PORTS[scheme] else f"{shown}:{port}"
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    query = f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else ""
    return Source(
        url=f"{scheme}://{where}{path}{query}",
        scheme=scheme,
        host=host,
        port=port or PORTS[scheme],
        path=path,
        username=username,
        password=password,
    )


def without_credentials(url: str) -> str:
    """Render any text that may be a URL for a message: what stands before `@` in its host is taken out."""
    return re.sub(r"(?<=//)[^/?#]*@", "", url, count=1)


def _check_characters(text: str) -> None:
    if len(text) > LONGEST:
        raise Invalid(
            "url_invalid", f"The URL has {len(text)} characters.", advice=f"Use one of at most {LONGEST}."
        )
    if any(char.isspace() or ord(char) < 32 or ord(char) == 127 for char in text):
        raise _invalid(text)


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme in PORTS and text[len(scheme) : len(scheme) + 3] == "://":
        return scheme
    if scheme in PORTS:
        raise _invalid(text)
    shown = without_credentials(text)[:200]
    if found and (text[found.end() : found.end() + 2] == "//" or not re.match(r"\d", text[found.end() :])):
        message = f"The scheme '{scheme[:40]}' of '{shown}' is not supported."
    else:
        message = f"'{shown}' has no scheme." if text else "The URL is empty."
    advice = f"{_INSTEAD.get(scheme, '')} Use a URL that starts with {_listed()}.".lstrip()
    raise Invalid("url_scheme", message, advice=advice)


def _listed() -> str:
    names = [f"{scheme}://" for scheme in PORTS]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _host(host: str, text: str) -> str:
    name = host.lower()
    if not name:
        raise _no_host(text)
    literal = literal_address(name)
    if literal is not None:
        return str(literal)
    if ":" in name or len(name) > 253:
        raise _invalid(text)
    try:
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _invalid(text) from error
    if not all(_LABEL.fullmatch(label) for label in name.removesuffix(".").split(".")):
        raise _invalid(text)
    return name


def _credentials(username: str | None, password: str | None, text: str) -> tuple[str | None, str | None]:
    if username is None:
        return None, None
    user, secret = unquote(username), unquote(password or "")
    if not user or any(ord(char) < 32 or ord(char) == 127 for char in user + secret):
        raise Invalid(
            "url_credentials",
            f"The user and password in front of '{without_credentials(text)[:200]}' cannot be used.",
            advice="Write user:password@ with a user name and without control characters, or use netrc.",
        )
    return user, secret


def _invalid(text: str) -> Invalid:
    shown = without_credentials(text)[:200]
    return Invalid(
        "url_invalid",
        f"{shown!r} is not a valid URL.",
        advice="Write it as https://host[:port]/path; encode spaces as %20.",
    )


def _no_host(text: str) -> Invalid:
    return Invalid(
        "url_host",
        f"'{without_credentials(text)[:200]}' names no host.",
        advice="Write it as https://host[:port]/path.",
    )

"""Secrets kept in files of the user: netrc, and cookies in Netscape's format. Values never appear in messages."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ferryman.core.errors import Invalid
from ferryman.transfer.ask import Own
from ferryman.transfer.model import Options
from ferryman.transfer.policy import parse_address

_LARGEST: Final = 4 * 1024 * 1024
_HTTP_ONLY: Final = "#HttpOnly_"


def netrc_login(host: str, path: Path | None = None) -> tuple[str, str] | None:
    """Look up user and password of `host` in a netrc file (default `~/.netrc`, which may be missing).

    Raises `Invalid` (`netrc_invalid`) for a file that cannot be read.
    """
    file = path or Path.home() / ".netrc"
    if path is None and not file.is_file():
        return None
    import netrc  # noqa: PLC0415 - few have such a file, and every transfer would wait for the import

    try:
        entry = netrc.netrc(str(file)).authenticators(host)
    except netrc.NetrcParseError as error:
        raise Invalid(
            "netrc_invalid",
            f"'{file}' cannot be understood at line {error.lineno}.",
            advice="Write lines such as: machine HOST login USER password SECRET",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable("netrc_invalid", file, error) from error
    if entry is None:
        return None
    user, _account, password = entry
    return (user or "", password or "")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie. `expires` is UNIX seconds, 0 for as long as the file says so; `subdomains` also sends it below."""

    domain: str
    subdomains: bool
    path: str
    secure: bool
    expires: float
    name: str
    value: str = field(repr=False)

    def suits(self, scheme: str, host: str, path: str, now: float) -> bool:
        """Whether it goes to a URL (RFC 6265, section 5.4)."""
        if (self.secure and scheme != "https") or (self.expires and self.expires <= now):
            return False
        return self._suits_host(host) and self._suits_path(path)

    def _suits_host(self, host: str) -> bool:
        if host == self.domain:
            return True
        return self.subdomains and host.endswith(f".{self.domain}") and parse_address(host) is None

    def _suits_path(self, path: str) -> bool:
        return path == self.path or path.startswith(self.path.rstrip("/") + "/")


def read_cookies(path: Path) -> tuple[Cookie, ...]:
    """Read a cookies file. Raises `Invalid` (`cookies_invalid`)."""
    try:
        if path.stat().st_size > _LARGEST:
            raise Invalid(
                "cookies_invalid",
                f"'{path}' is too large for a cookies file.",
                advice="Choose the right file.",
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable("cookies_invalid", path, error) from error
    return parse_cookies(text, str(path))


def parse_cookies(text: str, origin: str = "the cookies file") -> tuple[Cookie, ...]:
    """Read Netscape's format: seven fields with tabs between. Raises `Invalid` (`cookies_invalid`) with the line."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.removeprefix(_HTTP_ONLY)
        if not line.strip() or (line.startswith("#") and line == raw):
            continue
        parts = line.split("\t")
        expires = parts[4] if len(parts) in {6, 7} else "x"
        value = parts[6] if len(parts) == 7 else ""
        if not expires.lstrip("-").isdecimal() or not expires.isascii() or not _plain(parts[5] + value):
            raise Invalid(
                "cookies_invalid",
                f"Line {number} of '{origin}' is not a cookie.",
                advice="Export cookies in Netscape's format: seven fields with tabs between them.",
            )
        domain, subdomains, path, secure = parts[:4]
        found.append(
            Cookie(
                domain=domain.lstrip(".").lower(),
                subdomains=subdomains.upper() == "TRUE" or domain.startswith("."),
                path=path or "/",
                secure=secure.upper() == "TRUE",
                expires=max(0.0, float(expires)),
                name=parts[5],
                value=value,
            )
        )
    return tuple(found)


def cookie_header(cookies: Iterable[Cookie], url: str, now: float) -> str | None:
    """Return the value of the Cookie header for `url` at UNIX time `now`, longest paths first; None for none."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path or "/"
    suiting = [cookie for cookie in cookies if cookie.suits(parts.scheme, host, path, now)]
    suiting.sort(key=lambda cookie: -len(cookie.path))
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in suiting) or None


def own_of(url: str, options: Options, now: float) -> Own:
    """Return what the user's files hold for `url`. Raises `Invalid` (`netrc_invalid`, `cookies_invalid`)."""
    host = urlsplit(url).hostname or ""
    login = netrc_login(host) if options.netrc else None
    cookie = cookie_header(read_cookies(options.cookies), url, now) if options.cookies else None
    return Own(login, cookie)


def _plain(text: str) -> bool:
    return all(" " <= char <= "~" and char != ";" for char in text)


def _unreadable(code: str, path: Path, error: OSError | UnicodeDecodeError) -> Invalid:
    reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    return Invalid(
        code, f"'{path}' cannot be read: {reason}.", advice="Check the path and that you may read the file."
    )

"""Cookies people paste, and which of them a download may keep. Shows none of them again. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ferryman.core.errors import Invalid
from ferryman.transfer.credentials import Cookie, parse_cookies
from ferryman.transfer.headers import check_header
from ferryman.transfer.policy import parse_address
from ferryman.transfer.source import Source


def read_cookies(text: str) -> tuple[Cookie, ...] | str:
    """Read cookies: the text of a cookies.txt, or what follows `Cookie:`, which is returned as it is.

    Raises `Invalid` (`cookies_invalid`).
    """
    stripped = text.strip()
    if "\t" in stripped or stripped.startswith("#"):
        return parse_cookies(text, "the cookies")
    header = stripped.partition(":")[2].strip() if stripped.lower().startswith("cookie:") else stripped
    pairs = [pair.strip() for pair in header.split(";") if pair.strip()]
    if "\n" in header or not pairs or not all("=" in pair.strip("=") for pair in pairs):
        raise Invalid(
            "cookies_invalid",
            "These are no cookies.",
            advice="Paste the text of a cookies.txt, or the Cookie header: name=value; other=value.",
        )
    check_header("Cookie", header)
    return header


def cookies_for(cookies: tuple[Cookie, ...] | str, sources: Sequence[Source]) -> str | None:
    """Return what of `cookies` the hosts of `sources` may see, as the text of a cookies.txt; None for nothing.

    A header is for the host of the first source alone.
    """
    if isinstance(cookies, str):
        first = sources[0]
        pairs = (pair.strip().partition("=") for pair in cookies.split(";") if pair.strip())
        plain = Cookie(first.host, False, "/", first.scheme == "https", 0, "", "")
        return _text(replace(plain, name=name, value=value) for name, _, value in pairs)
    hosts = {source.host for source in sources}
    return _text(cookie for cookie in cookies if any(_reaches(cookie, host) for host in hosts))


def _reaches(cookie: Cookie, host: str) -> bool:
    """Whether the host, or one it may lead to below the same domain, gets the cookie."""
    if host == cookie.domain:
        return True
    return cookie.subdomains and host.endswith(f".{cookie.domain}") and parse_address(host) is None


def _text(cookies: Iterable[Cookie]) -> str | None:
    lines = [
        "\t".join(
            (
                f".{cookie.domain}" if cookie.subdomains else cookie.domain,
                str(cookie.subdomains).upper(),
                cookie.path,
                str(cookie.secure).upper(),
                str(int(cookie.expires)),
                cookie.name,
                cookie.value,
            )
        )
        for cookie in cookies
    ]
    return "\n".join(["# Netscape HTTP Cookie File", *lines, ""]) if lines else None

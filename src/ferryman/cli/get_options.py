"""From the words of `ferry get` to the engine's options: numbers, headers, certificates and secrets, checked."""

import os
import sys
from getpass import getpass
from pathlib import Path

from ferryman.cli.get_words import Words
from ferryman.core.errors import FerryError, Invalid
from ferryman.transfer.headers import parse_headers
from ferryman.transfer.model import Options, Overwrite

PROXIES = ("http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://")


def options_of(words: Words) -> Options:
    """Return the options all sources share. Raises `Invalid` that names the wrong value."""
    insecure = words.has("insecure")
    ca = _file(words, "cacert")
    if insecure and ca:
        raise Invalid(
            "options_clash", "--insecure and --cacert cannot be used together.", advice="Use one of them."
        )
    user = words.value("user")
    name, colon, typed = (user or "").partition(":")
    return Options(
        connections=connections_of(words.value("connections")),
        headers=parse_headers(words.all("header")),
        username=name if user else None,
        password=(typed if colon else password_of(words, name)) if user else None,
        bearer=_bearer(words),
        proxy=proxy_of(words.value("proxy")),
        netrc=True,
        cookies=_file(words, "cookies"),
        ca=ca,
        client_cert=_file(words, "cert"),
        client_key=_file(words, "key"),
        insecure=insecure,
    )


def connections_of(text: str | None) -> int:
    """Read a number of connections. Raises `Invalid` (`connections_invalid`)."""
    if text is None:
        return Options().connections
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 32):
        raise Invalid(
            "connections_invalid", f"'{text[:40]}' is not a number of connections.", advice="Use 1 to 32."
        )
    return int(text)


def overwrite_of(text: str | None) -> Overwrite:
    """Read what to do with files that are there. Raises `Invalid` (`overwrite_invalid`)."""
    if text is None:
        return Overwrite.ASK
    try:
        return Overwrite(text.lower())
    except ValueError as error:
        raise Invalid(
            "overwrite_invalid",
            f"'{text[:40]}' is not a way to treat files that are there.",
            advice=f"Use one of {', '.join(Overwrite)}.",
        ) from error


def proxy_of(text: str | None) -> str | None:
    """Check the address of a proxy. Raises `Invalid` (`proxy_invalid`), without repeating a password."""
    if text is None or (text.lower().startswith(PROXIES) and len(text.partition("://")[2].strip("/")) > 0):
        return text
    shown = text.rpartition("@")[2][:80]
    raise Invalid(
        "proxy_invalid",
        f"'{shown}' is not the address of a proxy.",
        advice=f"Write it as {', '.join(PROXIES[:-1])} or {PROXIES[-1]} with host and port.",
    )


def password_of(words: Words, user: str) -> str:
    """Return the password of `user`: from --password, else asked for at the terminal. Raises `Invalid`."""
    source = words.value("password")
    if source is not None:
        return secret_from(source, "--password")
    if not sys.stdin.isatty():
        raise Invalid(
            "password_source",
            f"There is no terminal to ask for the password of '{user[:80]}' on.",
            advice="Use --password env:NAME or --password FILE, or write it into ~/.netrc.",
        )
    return getpass(f"Password for {user}: ")


def secret_from(source: str, option: str) -> str:
    """Read a secret from `env:NAME`, or the first line of a file. Raises `Invalid` (`secret_source`)."""
    if source.startswith("env:"):
        found = os.environ.get(source[4:])
        if not found:
            raise _no_secret(option, f"The environment has no {source[4:][:80]!r}")
        return found
    try:
        with Path(source).open(encoding="utf-8") as file:
            first = file.readline(65_536).strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _no_secret(option, f"The file {source[:200]!r} cannot be read: {reason}") from error
    if not first:
        raise _no_secret(option, f"The file {source[:200]!r} is empty")
    return first


def _no_secret(option: str, what: str) -> FerryError:
    return Invalid(
        "secret_source",
        f"{what}.",
        advice=f"Give {option} env:NAME, or a file whose first line is the secret.",
    )


def _bearer(words: Words) -> str | None:
    source = words.value("bearer")
    return None if source is None else secret_from(source, "--bearer")


def _file(words: Words, name: str) -> Path | None:
    text = words.value(name)
    if text is None:
        return None
    path = Path(text).expanduser()
    if not path.is_file() or not os.access(path, os.R_OK):
        raise Invalid(
            "file_unreadable",
            f"The file '{text[:200]}' of --{name} is not there or cannot be read.",
            advice="Check its path.",
        )
    return path.absolute()

"""From the words of the commands about images to how each side is reached: logins, certificates, plain HTTP; checked."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ferryman.cli.get_options import secret_from
from ferryman.cli.get_words import Words
from ferryman.core.errors import Invalid
from ferryman.core.home import default_home
from ferryman.depot.copying.ends import Side
from ferryman.oci.authfile import AuthFiles
from ferryman.oci.mirrors import Mirrors
from ferryman.oci.options import Login, RegistryOptions
from ferryman.transfer.policy import AddressPolicy

if TYPE_CHECKING:
    from ferryman.oci.transports import TransportOptions

ALLOWED: Final = AddressPolicy(private=True)
"""Whoever runs the command may reach what they can reach anyway; metadata services stay refused."""
MIRRORS: Final = "registries.toml"
"""The file of mirrors in the home."""


def sides_of(words: Words) -> tuple[Side, Side]:
    """Return how the source and the target are reached. Raises `Invalid`."""

    def local(registry: RegistryOptions) -> "TransportOptions":
        return local_options(words, registry)

    return Side(registry_options(words, "src"), local), Side(registry_options(words, "dst"), local)


def registry_options(words: Words, side: str) -> RegistryOptions:
    """Return the options of one side: its own words, else those for both. Raises `Invalid` that names what is wrong."""
    ca, insecure = _file(words, f"{side}-cacert", "cacert"), _flag(words, side, "insecure")
    if insecure and ca:
        raise Invalid(
            "options_clash", "--insecure and --cacert cannot be used together.", advice="Use one of them."
        )
    creds = words.value(f"{side}-creds")
    authfile = _file(words, f"{side}-authfile", "authfile")
    return RegistryOptions(
        plain_http=_flag(words, side, "plain-http"),
        insecure=insecure,
        ca=ca,
        client_cert=_file(words, "cert"),
        client_key=_file(words, "key"),
        login=login_of(secret_from(creds, f"--{side}-creds")) if creds is not None else None,
        logins=AuthFiles(os.environ, Path.home(), file=authfile).login,
        mirrors=mirrors_of(default_home()) if side == "src" else Mirrors(),
        allow=ALLOWED,
    )


def login_of(text: str) -> Login:
    """Read `user:password`. Raises `Invalid` (`credentials_invalid`), without repeating it."""
    name, colon, password = text.partition(":")
    if not (name and colon):
        raise Invalid(
            "credentials_invalid",
            "The credentials are not of the form user:password.",
            advice="Write them as user:password into the variable or the first line of the file.",
        )
    return Login(name, password)


def mirrors_of(home: Path) -> Mirrors:
    """Read the file of mirrors in `home`, when there is one. Raises `Invalid` (`mirrors_invalid`)."""
    try:
        text = (home / MIRRORS).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Mirrors()
    from ferryman.oci.mirrors import parse_mirrors  # noqa: PLC0415 - few have such a file

    return parse_mirrors(text, str(home / MIRRORS))


def local_options(words: Words, registry: RegistryOptions) -> "TransportOptions":
    """Return how places on this machine are reached. Engines check what is said about them when they are asked."""
    from ferryman.oci.transports import TransportOptions  # noqa: PLC0415 - registries need none of it

    return TransportOptions(
        registry=registry,
        docker_host=words.value("docker-host") or os.environ.get("DOCKER_HOST", ""),
        containerd_address=(words.value("containerd-address") or "").removeprefix("unix://"),
        containerd_namespace=words.value("containerd-namespace") or "",
        replace=words.has("replace"),
    )


def _flag(words: Words, side: str, name: str) -> bool:
    return words.has(name) or words.has(f"{side}-{name}")


def _file(words: Words, *names: str) -> Path | None:
    name = next((one for one in names if words.value(one) is not None), None)
    if name is None:
        return None
    text = words.value(name) or ""
    path = Path(text).expanduser()
    if not path.is_file() or not os.access(path, os.R_OK):
        raise Invalid(
            "file_unreadable",
            f"The file '{text[:200]}' of --{name} is not there or cannot be read.",
            advice="Check its path.",
        )
    return path.absolute()

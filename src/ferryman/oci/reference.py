"""Names of images: `HOST/REPOSITORY:TAG@DIGEST`, by the grammar of the distribution specification. Pure; hostile."""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid

DOCKER_HUB: Final = "docker.io"
LONGEST_REPOSITORY: Final = 255
ALGORITHMS: Final = ("sha256", "sha512")
"""Algorithms that registries know (image-spec, "Registered algorithms")."""

_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_LABEL: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_EXAMPLE: Final = "Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:HEX, such as quay.io/team/app:1.2."


@dataclass(frozen=True, slots=True)
class Reference:
    """Something in a repository. `host` is `name[:port]` in lower case, empty where a place has no hosts (the depot).

    With both, `digest` decides and `tag` is a remark. With neither, the whole repository is meant, or its tag `latest`.
    """

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """`HOST/REPOSITORY`, without tag and digest."""
        return f"{self.host}/{self.repository}" if self.host else self.repository

    @property
    def wanted(self) -> str:
        """What to ask a registry for: the digest, else the tag, else `latest`."""
        return str(self.digest) if self.digest else self.tag or "latest"

    def with_digest(self, digest: Digest) -> "Reference":
        """Return the same place pinned to `digest`, without tag."""
        return replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        """Render as people write it; parsing that gives the same reference."""
        tag = f":{self.tag}" if self.tag else ""
        if not self.name:
            return str(self.digest)
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str, default_host: str = DOCKER_HUB) -> Reference:
    """Read a reference as `docker` does: `alpine` is `docker.io/library/alpine`. Raises `Invalid` (`reference_invalid`)."""
    rest = text.strip()
    if "://" in rest:
        raise _wrong(text, "it begins with a scheme", "Leave out everything up to '://'.")
    rest, digest = _cut_digest(rest, text)
    rest, tag = _cut_tag(rest)
    first, slash, after = rest.partition("/")
    if slash and _is_host(first):
        host, repository = check_host(first), after
    else:
        host, repository = default_host, rest
    if host in {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}:
        host = DOCKER_HUB
    if host == DOCKER_HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(host, _repository(repository, text), _tag(tag, text), digest)


def parse_local(text: str) -> Reference:
    """Read a reference to the depot: its repositories may begin with a host, and none is added.

    Raises `Invalid` (`reference_invalid`).
    """
    rest, digest = _cut_digest(text.strip(), text)
    rest, tag = _cut_tag(rest)
    first, slash, after = rest.partition("/")
    if slash and ":" in first:
        repository = f"{check_host(first)}/{_repository(after, text)}"
    else:
        repository = _repository(rest, text)
    return Reference("", repository, _tag(tag, text), digest)


def check_repository(name: str) -> str:
    """Return `name` when it is one of a repository (distribution-spec, "Pulling manifests"). Raises `Invalid`."""
    if len(name) > LONGEST_REPOSITORY:
        raise _wrong(name, f"the repository has more than {LONGEST_REPOSITORY} characters", "Shorten it.")
    if _REPOSITORY.fullmatch(name):
        return name
    if not name:
        raise _wrong(name, "it names no repository")
    if name != name.lower():
        raise _wrong(name, "repositories are written in lower case", f"Write '{name.lower()[:100]}'.")
    raise _wrong(name, "this is no name of a repository")


def check_tag(tag: str) -> str:
    """Return `tag` when it is one: letters, digits, `_`, `.`, `-`, at most 128. Raises `Invalid`."""
    if _TAG.fullmatch(tag):
        return tag
    why = "a tag has at most 128 characters" if len(tag) > 128 else f"'{tag[:60]}' is no tag"
    raise _wrong(
        tag, why, "Use letters, digits, '_', '.' and '-', and none of the last two at the beginning."
    )


def parse_digest(text: str) -> Digest:
    """Read a digest as registries write it: sha256 or sha512, lower case. Raises `Invalid` (`digest_invalid`)."""
    algorithm = text.partition(":")[0]
    try:
        digest = Digest.parse(text) if algorithm in ALGORITHMS else None
    except Invalid as error:
        raise _no_digest(text) from error
    if digest is None or str(digest) != text:
        raise _no_digest(text)
    return digest


def check_host(text: str) -> str:
    """Return `name[:port]`, also `[IPv6][:port]`, in lower case. Raises `Invalid` (`reference_invalid`)."""
    host = text.lower()
    name, bracket, port = host.partition("]")
    if bracket:
        good = name.startswith("[") and _is_ipv6(name[1:]) and (not port or port.startswith(":"))
        port = port[1:] if good and port else ("0" if port else "")
    else:
        name, colon, port = host.partition(":")
        good = bool(_NAME.fullmatch(name)) and len(name) <= 253 and (bool(port) or not colon)
    if not good or (port and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536)):
        raise _wrong(
            text, f"'{text[:100]}' is no host", "Write HOST or HOST:PORT, an IPv6 address in brackets."
        )
    return host


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first.lower() == "localhost"


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _cut_digest(rest: str, text: str) -> tuple[str, Digest | None]:
    before, at, digest = rest.partition("@")
    if not at:
        return rest, None
    try:
        return before, parse_digest(digest)
    except Invalid as error:
        raise _wrong(text, f"'{digest[:100]}' is no digest", error.advice) from error


def _cut_tag(rest: str) -> tuple[str, str | None]:
    at = rest.rfind(":")
    if at < 0 or "/" in rest[at:] or (rest.startswith("[") and "/" not in rest):
        return rest, None
    return rest[:at], rest[at + 1 :]


def _repository(name: str, text: str) -> str:
    try:
        return check_repository(name)
    except Invalid as error:
        why = error.message.rpartition(": ")[2].rstrip(".")
        raise _wrong(text, why, error.advice) from error


def _tag(tag: str | None, text: str) -> str | None:
    if tag is None:
        return None
    try:
        return check_tag(tag)
    except Invalid as error:
        raise _wrong(text, f"'{tag[:60]}' is no tag", error.advice) from error


def _no_digest(text: str) -> Invalid:
    return Invalid(
        "digest_invalid",
        f"'{text[:160]}' is no digest.",
        advice="A digest is sha256: with 64, or sha512: with 128 lower-case hexadecimal digits.",
    )


def _wrong(text: str, why: str, advice: str = _EXAMPLE) -> Invalid:
    return Invalid("reference_invalid", f"'{text[:200]}' names no image: {why}.", advice=advice)

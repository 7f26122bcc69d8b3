"""Which resource of the protocol a path names. Pure; the paths are those of distribution-spec 1.1 section Endpoints."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

PREFIX: Final = "/v2"
"""Everything of the protocol is at this path and below it."""


class Kind(StrEnum):
    """The resources there are."""

    BASE = "base"
    CATALOG = "catalog"
    TAGS = "tags"
    MANIFEST = "manifest"
    BLOB = "blob"
    UPLOADS = "uploads"
    UPLOAD = "upload"
    REFERRERS = "referrers"


METHODS: Final = {
    Kind.BASE: ("GET", "HEAD"),
    Kind.CATALOG: ("GET",),
    Kind.TAGS: ("GET",),
    Kind.MANIFEST: ("GET", "HEAD", "PUT", "DELETE"),
    Kind.BLOB: ("GET", "HEAD", "DELETE"),
    Kind.UPLOADS: ("POST",),
    Kind.UPLOAD: ("GET", "PATCH", "PUT", "DELETE"),
    Kind.REFERRERS: ("GET",),
}
"""What may be asked of each."""


@dataclass(frozen=True, slots=True)
class Route:
    """A resource: `repository` as the client wrote it, not yet checked; `last` is the tag, digest or id."""

    kind: Kind
    repository: str = ""
    last: str = ""


def route_of(path: str) -> Route | None:
    """Return what `path` (decoded, without query) names, None when it is nothing of the protocol."""
    if path in {"/v2", "/v2/"}:
        return Route(Kind.BASE)
    if path == "/v2/_catalog":
        return Route(Kind.CATALOG)
    if not path.startswith("/v2/"):
        return None
    name, slash, last = path[4:].rpartition("/")
    name, second, word = name.rpartition("/")
    if not slash or not second or not name:
        return None
    return _by_word(name, word, last)


def _by_word(name: str, word: str, last: str) -> Route | None:
    if word == "manifests" and last:
        return Route(Kind.MANIFEST, name, last)
    if word == "blobs" and last:
        return Route(Kind.UPLOADS, name) if last == "uploads" else Route(Kind.BLOB, name, last)
    if word == "tags" and last == "list":
        return Route(Kind.TAGS, name)
    if word == "referrers" and last:
        return Route(Kind.REFERRERS, name, last)
    if word == "uploads" and name.endswith("/blobs"):
        name = name.removesuffix("/blobs")
        return Route(Kind.UPLOAD, name, last) if last else Route(Kind.UPLOADS, name)
    return None


class Query:
    """The query of a request; a name without a value counts as empty."""

    __slots__ = ("_pairs",)

    def __init__(self, raw: bytes) -> None:
        """Read `raw` as it stands behind the question mark. At most 200 fields are looked at."""
        self._pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)[:200] if raw else []

    def one(self, name: str) -> str | None:
        """Return the first value of `name`."""
        return next((value for key, value in self._pairs if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return all values of `name` in order."""
        return [value for key, value in self._pairs if key == name]

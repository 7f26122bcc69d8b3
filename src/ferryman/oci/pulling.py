"""Reading a repository, through its mirrors first: the port `Source` on a registry."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.blobs import RegistryBlob
from ferryman.oci.http import Response
from ferryman.oci.manifest import Descriptor, Manifest, parse_descriptor
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import check_tag, parse_digest
from ferryman.oci.repository import Repository
from ferryman.oci.session import Ask
from ferryman.oci.streams import BytesStream

REF_NAME: Final = "org.opencontainers.image.ref.name"
COSIGN_ENDS: Final = (".sig", ".att", ".sbom")
"""Ends of the tags under which cosign keeps what belongs to a manifest."""
_MOST_TAGS: Final = 20_000
_ELSEWHERE: Final = (NotFound, Unavailable, Denied, Corrupt)
_Found = TypeVar("_Found")


def fallback_tag(digest: Digest) -> str:
    """Return the tag that lists referrers where there is no API (distribution-spec, "Referrers Tag Schema")."""
    return f"{digest.algorithm}-{digest.hex}"[:128]


class RegistrySource:
    """The port `Source`. Asks the mirrors in order, then the registry; one that does not answer is not asked again."""

    def __init__(
        self, places: tuple[Repository, ...], close: Callable[[], None], retries: int | None = None
    ) -> None:
        """`places` are the repository at every endpoint, in order; `retries` are those of blobs that break off."""
        self._places, self._close = places, close
        self._down: set[Repository] = set()
        self._lock, self._listing = threading.Lock(), threading.Lock()
        self._marks: frozenset[str] | None = None
        self._listed = False
        options = places[-1].registry.options
        self._retries = retries or options.retries
        self._pause = lambda number: options.sleep(min(20.0, options.backoff * 2 ** (number - 1)))

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag or digest; None is `latest`."""
        wanted = tag_or_digest or "latest"
        if ":" in wanted:
            return self.manifest(parse_digest(wanted))
        check_tag(wanted)
        return self._first(lambda place: place.manifest(wanted, None), tags=True)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest by digest."""
        return self._first(lambda place: place.manifest(str(digest), digest))

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob; embedded ones are not asked for, and what the registry lacks is fetched from its `urls`."""
        if not 0 <= offset <= blob.size:
            raise Invalid(
                "offset_invalid",
                f"{blob.digest} has {blob.size:,} bytes: {offset:,} is not in it.",
                advice="Begin at 0.",
            )
        if blob.data is not None:
            return BytesStream(blob.data, offset)
        try:
            return self._first(lambda place: self._stream(place, blob, offset))
        except NotFound:
            if not blob.urls:
                raise
            return self._elsewhere(blob, offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest. Those under tags of cosign have the tag as annotation `REF_NAME`."""
        found = self._first(lambda place: self._listed_by_api(place, digest))
        if found is None:
            found = self._by_tag(digest)
        for end in COSIGN_ENDS:
            tag = f"{digest.algorithm}-{digest.hex}{end}"
            if len(tag) <= 128 and self._may_exist(tag) and (manifest := self._maybe(tag)):
                found.append(replace(manifest.descriptor, annotations={REF_NAME: tag}))
        return found

    def tags(self) -> Iterator[str]:
        """Yield the tags, from the first place that lists them."""
        first: FerryError | None = None
        for place in self._asked(tags=True):
            pages = place.tags()
            try:
                head = next(pages, None)
            except _ELSEWHERE as error:
                first = error
                continue
            if head is not None:
                yield head
                yield from pages
            return
        if first:
            raise first

    def close(self) -> None:
        """Give connections back. Repeatable."""
        self._close()

    def attached(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest by the referrers API or its fallback tag: one question, or two."""
        found = self._first(lambda place: self._listed_by_api(place, digest))
        if found is not None:
            return found
        manifest = self._maybe(fallback_tag(digest))
        return list(manifest.children) if manifest and manifest.is_index else []

    def _first(self, call: Callable[[Repository], _Found], *, tags: bool = False) -> _Found:
        """Return what the first place answers that has it; else what the last says."""
        last: FerryError | None = None
        for place in self._asked(tags=tags):
            try:
                return call(place)
            except _ELSEWHERE as error:
                last = error
                if isinstance(error, Unavailable) and place.registry.endpoint.mirror:
                    with self._lock:
                        self._down.add(place)
        assert last
        raise last

    def _asked(self, *, tags: bool) -> list[Repository]:
        with self._lock:
            down = set(self._down)
        found = [
            place
            for place in self._places
            if place not in down and not (tags and place.registry.endpoint.digests_only)
        ]
        return found or [self._places[-1]]

    def _stream(self, place: Repository, blob: Descriptor, offset: int) -> RegistryBlob:
        return RegistryBlob(lambda at: place.blob(blob.digest, at), blob, offset, self._retries, self._pause)

    def _elsewhere(self, blob: Descriptor, offset: int) -> RegistryBlob:
        registry, shown = self._places[-1].registry, self._places[-1].what(blob.digest)
        last: FerryError | None = None
        for url in blob.urls:
            if not url.startswith("https://"):
                continue

            def ask(at: int, url: str = url) -> Response:
                headers = {"Range": f"bytes={at}-"} if at else {}
                return registry.ask(Ask("GET", url, f"{shown} at its own address", headers=headers))

            try:
                return RegistryBlob(ask, blob, offset, self._retries, self._pause)
            except _ELSEWHERE as error:
                last = error
        raise last or NotFound(
            "blob_unknown",
            f"{shown}: only addresses without https are known.",
            advice="Push the layer to the registry.",
        )

    def _listed_by_api(self, place: Repository, digest: Digest) -> list[Descriptor] | None:
        if place.registry.no_referrers:
            return None
        found = place.referrers(digest)
        if found is None:
            place.registry.no_referrers = True
            return None
        return [parse_descriptor(item, "referrers") for item in found]

    def _by_tag(self, digest: Digest) -> list[Descriptor]:
        tag = fallback_tag(digest)
        manifest = self._maybe(tag) if self._may_exist(tag) else None
        return list(manifest.children) if manifest and manifest.is_index else []

    def _maybe(self, tag: str) -> Manifest | None:
        try:
            return self.resolve(tag)
        except NotFound:
            return None

    def _may_exist(self, tag: str) -> bool:
        """Whether a tag is among those of the repository: one list instead of a question for each."""
        with self._listing:
            if not self._listed:
                self._listed, self._marks = True, self._read_marks()
            return self._marks is None or tag in self._marks

    def _read_marks(self) -> frozenset[str] | None:
        found: set[str] = set()
        try:
            for number, tag in enumerate(self.tags()):
                if number >= _MOST_TAGS:
                    return None
                if tag.startswith(("sha256-", "sha512-")):
                    found.add(tag)
        except FerryError:
            return None  # who may not list may still ask
        return frozenset(found)

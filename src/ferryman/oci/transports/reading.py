"""Reads images from an OCI layout, wherever its bytes lie: in a folder or inside a tar."""

import threading
from collections.abc import Iterator
from typing import Final, Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Invalid, NotFound
from ferryman.oci.manifest import MOST_MANIFEST, Descriptor, Manifest, parse_manifest, too_large
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import parse_digest
from ferryman.oci.transports.entries import COSIGN, REF_NAME, Entry, LayoutIndex, choose
from ferryman.oci.transports.streams import Region

MOST_ENTRIES: Final = 50_000
"""Manifests that a layout may list: each may be read to learn what it refers to."""


class Contents(Protocol):
    """The bytes of a layout. Thread-safe."""

    @property
    def place(self) -> str:
        """What to call it in errors."""
        ...

    def index(self) -> LayoutIndex:
        """Return its list as it is now."""
        ...

    def size(self, digest: Digest) -> int | None:
        """Return the length of a blob; None when it is not there."""
        ...

    def open(self, digest: Digest, offset: int = 0) -> Region:
        """Open a blob that is there. Raises `NotFound` (`blob_unknown`)."""
        ...

    def close(self) -> None:
        """Give it up. Repeatable."""
        ...


class LayoutSource:
    """A layout as a `Source`. Thread-safe. `notes` are sentences that a person should be told about it."""

    def __init__(self, contents: Contents, notes: tuple[str, ...] = ()) -> None:
        """Read from `contents`, and close them at the end."""
        self._contents = contents
        self.notes = notes
        self._lock = threading.Lock()
        self._types: dict[Digest, str] = {}
        self._subjects: dict[Digest, Descriptor | None] = {}

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a name or digest; None: the only image, or the one named `latest`.

        Raises `NotFound` (`manifest_unknown`), `Invalid` (`image_ambiguous`), `Corrupt`.
        """
        index = self._index()
        if tag_or_digest is None:
            entry = choose(index, self._contents.place, self._images(index))
        else:
            entry = index.find(tag_or_digest)
            if entry is None and (digest := _as_digest(tag_or_digest)):
                return self.manifest(digest)
        if entry is None:
            raise self._unknown(tag_or_digest, index)
        return self._read(entry.descriptor.digest, entry.descriptor.media_type)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest by digest, listed or not. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        with self._lock:
            known = self._types.get(digest)
        if known is None:
            entry = self._index().by_digest(digest)
            known = entry.descriptor.media_type if entry else ""
        return self._read(digest, known)

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob. Raises `NotFound` (`blob_unknown`), and `Corrupt` (`blob_length`) when it has another length."""
        size = self._contents.size(blob.digest)
        if size is not None and size != blob.size:
            raise Corrupt(
                "blob_length",
                f"The blob {blob.digest} in {self._contents.place} has {size} bytes; its manifest says {blob.size}.",
                advice="The layout is damaged: make it anew, or use another source.",
            )
        return self._contents.open(blob.digest, offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What refers to a manifest: by its subject, by the fallback tag, and by cosign's names (told in an annotation)."""
        index = self._index()
        found: dict[Digest, Descriptor] = {}
        fallback = index.find(f"{digest.algorithm}-{digest.hex}")
        if fallback is not None:
            found |= {one.digest: one for one in self._children(fallback)}
        for entry in index.entries[:MOST_ENTRIES]:
            named = COSIGN.fullmatch(entry.name or "")
            if named and Digest(named[1], named[2]) == digest:
                found[entry.descriptor.digest] = entry.descriptor
            elif entry.descriptor.digest not in found and self._subject_of(entry) == digest:
                found[entry.descriptor.digest] = self._referrer(entry)
        return list(found.values())

    def tags(self) -> Iterator[str]:
        """Yield the names in the layout, each once."""
        yield from dict.fromkeys(entry.name for entry in self._index().entries if entry.name)

    def close(self) -> None:
        """Close the contents. Repeatable."""
        self._contents.close()

    def _index(self) -> LayoutIndex:
        index = self._contents.index()
        with self._lock:
            self._types |= {one.descriptor.digest: one.descriptor.media_type for one in index.entries}
        return index

    def _images(self, index: LayoutIndex) -> list[Entry]:
        """What a person may mean: no signatures, and nothing that refers to something else."""
        named = [one for one in index.entries if one.name and not COSIGN.fullmatch(one.name)]
        others = [one for one in index.entries[:MOST_ENTRIES] if not one.name]
        return named + [one for one in others if self._subject_of(one) is None]

    def _children(self, entry: Entry) -> tuple[Descriptor, ...]:
        manifest = self._read(entry.descriptor.digest, entry.descriptor.media_type)
        return tuple(one for one in manifest.children if self._contents.size(one.digest) is not None)

    def _referrer(self, entry: Entry) -> Descriptor:
        manifest = self._read(entry.descriptor.digest, entry.descriptor.media_type)
        annotations = {**manifest.annotations, **({REF_NAME: entry.name} if entry.name else {})}
        return Descriptor(
            manifest.media_type,
            manifest.digest,
            len(manifest.raw),
            annotations=annotations,
            artifact_type=manifest.artifact_type,
        )

    def _subject_of(self, entry: Entry) -> Digest | None:
        """What a listed manifest refers to. One that is missing or unreadable refers to nothing."""
        digest = entry.descriptor.digest
        with self._lock:
            if digest in self._subjects:
                known = self._subjects[digest]
                return known.digest if known else None
        try:
            subject = self._read(digest, entry.descriptor.media_type).subject
        except (NotFound, Corrupt, Invalid):
            subject = None
        with self._lock:
            self._subjects[digest] = subject
        return subject.digest if subject else None

    def _read(self, digest: Digest, media_type: str) -> Manifest:
        size = self._contents.size(digest)
        if size is None:
            raise NotFound(
                "manifest_unknown",
                f"{self._contents.place} has no manifest {digest}.",
                advice="It holds fewer platforms than its index lists; choose one that is there, or copy it anew.",
            )
        if size > MOST_MANIFEST:
            raise too_large(size)
        with self._contents.open(digest) as stream:
            raw = read_all(stream, size)
        manifest = parse_manifest(raw, media_type, digest)
        with self._lock:
            self._types |= {child.digest: child.media_type for child in manifest.children}
        return manifest

    def _unknown(self, wanted: str | None, index: LayoutIndex) -> NotFound:
        names = sorted({entry.name for entry in index.entries if entry.name})
        some = ", ".join(name[:100] for name in names[:10])
        what = "no image" if wanted is None else f"no image named '{wanted[:200]}'"
        return NotFound(
            "manifest_unknown",
            f"{self._contents.place} has {what}.",
            advice=f"It has {some}{' and more' if len(names) > 10 else ''}." if names else "It has no names.",
        )


def read_all(stream: BlobStream, size: int) -> bytes:
    """Return `size` bytes of a stream, or fewer when it ends before."""
    data = memoryview(bytearray(size))
    at = 0
    while at < size and (count := stream.readinto(data[at:])):
        at += count
    return bytes(data[:at])


def _as_digest(text: str) -> Digest | None:
    if ":" not in text:
        return None
    try:
        return parse_digest(text)
    except Invalid:
        return None

"""Archives read where they lie: `oci-archive:FILE` and `docker-archive:FILE`.

Only headers are read to learn what is inside; blobs are then read at their place in the file. A compressed archive is
first decompressed into a file without a name, within limits. Only `blobs/ALGORITHM/HEX`, `index.json`, `oci-layout` and
`manifest.json`, with the members that the last one names, are ever read.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ferryman.core.archives import guard
from ferryman.core.archives.streams import compression_of, opened
from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import NotFound
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference
from ferryman.oci.transports.entries import (
    MOST_INDEX,
    LayoutIndex,
    ambiguous,
    check_version,
    damaged_layout,
    parse_index,
)
from ferryman.oci.transports.layout import missing, open_file, unknown_blob
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.reading import LayoutSource, read_all
from ferryman.oci.transports.saved import (
    LAYER_TYPES,
    MADE,
    MOST_DOCUMENT,
    SavedImage,
    blob_name,
    damaged_saved,
    diff_ids,
    make_manifest,
    parse_saved,
)
from ferryman.oci.transports.streams import PIECE, Region, writing
from ferryman.oci.transports.tars import Member, no_links, refuse_twice, scan

DOCUMENTS: Final = frozenset({"index.json", "oci-layout", "manifest.json"})


class Archive:
    """A tar in a file, with the index of its members. Thread-safe."""

    def __init__(self, file: BinaryIO, place: str, options: TransportOptions) -> None:
        """Take over `file` and read all headers. Raises what `tars.scan` raises."""
        self.place = place
        self._file = file
        try:
            self.members = scan(file.fileno(), options.limits)
            refuse_twice(self.members, DOCUMENTS)
        except BaseException:
            file.close()
            raise

    def open(self, member: Member, offset: int = 0, what: str = "") -> Region:
        """Open a member."""
        descriptor = os.open(f"/proc/self/fd/{self._file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
        return Region(descriptor, member.start, member.size, offset, f"{what or 'A member'} in {self.place}")

    def document(self, name: str, most: int) -> bytes | None:
        """Return a whole member of at most `most` bytes; None when there is none. Raises `Corrupt`."""
        member = self.members.find(name)
        if member is None:
            return None
        if member.size > most:
            raise damaged_layout(
                self.place, f"its {guard.shown(name)} has {member.size} bytes, more than {most}"
            )
        with self.open(member) as stream:
            return read_all(stream, member.size)

    def close(self) -> None:
        """Close the file; streams that are open stay so. Repeatable."""
        self._file.close()


class TarContents:
    """The bytes of a layout in a tar. Thread-safe."""

    def __init__(self, archive: Archive, wanted: Reference | None = None) -> None:
        """Read the list in it, only what is of the repository of `wanted`. Raises `Corrupt` (`layout_damaged`)."""
        self._archive = archive
        self.place = archive.place
        version = archive.document("oci-layout", 4096)
        listed = archive.document("index.json", MOST_INDEX)
        if version is None or listed is None:
            lacking = "oci-layout" if version is None else "index.json"
            raise damaged_layout(self.place, f"it has no {lacking}")
        check_version(version, self.place)
        index = parse_index(listed, self.place)
        self._index = index.of_repository(wanted.name) if wanted else index

    def index(self) -> LayoutIndex:
        """Return the list."""
        return self._index

    def size(self, digest: Digest) -> int | None:
        """Return the length of a blob; None when it is not there."""
        member = self._archive.members.find(blob_name(digest))
        return member.size if member else None

    def open(self, digest: Digest, offset: int = 0) -> Region:
        """Open a blob. Raises `NotFound` (`blob_unknown`)."""
        member = self._archive.members.find(blob_name(digest))
        if member is None:
            raise unknown_blob(digest, self.place)
        return self._archive.open(member, offset, str(digest))

    def close(self) -> None:
        """Close the archive. Repeatable."""
        self._archive.close()


class SavedSource:
    """The images of a docker archive without manifests, as a `Source`. Thread-safe.

    `resolve` takes tags when a repository was named, and whole references otherwise. `notes` tell that manifests were made.
    """

    def __init__(self, archive: Archive, wanted: Reference | None) -> None:
        """Read what is inside; `wanted` names the repository that is meant. Raises `Corrupt` (`archive_damaged`)."""
        self._archive = archive
        self._wanted = wanted
        self._lock = threading.Lock()
        self._blobs: dict[Digest, Member] = {}
        self._manifests: dict[Digest, Manifest] = {}
        raw = archive.document("manifest.json", MOST_DOCUMENT)
        if raw is None:
            raise damaged_saved(archive.place, "it has no manifest.json")
        self._images = parse_saved(raw, archive.place)
        self._made: dict[int, Manifest] = {}
        self.notes = (MADE,)

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest made for a tag or digest; None: the only image. Raises `NotFound`, `Invalid`, `Corrupt`."""
        names = self._names()
        if tag_or_digest is not None and tag_or_digest in names:
            return self._manifest_of(names[tag_or_digest])
        everything = range(len(self._images))
        if tag_or_digest is None:
            meant = sorted(set(names.values())) if self._wanted else list(everything)
            if len(meant) > 1:
                raise ambiguous(self._archive.place, sorted(names) or [f"image {one}" for one in meant])
            if meant:
                return self._manifest_of(meant[0])
        for number in everything if ":" in (tag_or_digest or "") else ():
            if str(self._manifest_of(number).digest) == tag_or_digest:
                return self._manifest_of(number)
        raise self._unknown(tag_or_digest, names)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest that was made. Raises `NotFound` (`manifest_unknown`), `Corrupt`."""
        return self.resolve(str(digest))

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a configuration or layer of a manifest that was resolved. Raises `NotFound` (`blob_unknown`)."""
        with self._lock:
            member = self._blobs.get(blob.digest)
        if member is None:
            raise unknown_blob(blob.digest, self._archive.place)
        return self._archive.open(member, offset, str(blob.digest))

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """Nothing: these archives keep no signatures."""
        del digest
        return []

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository, or all references."""
        yield from self._names()

    def close(self) -> None:
        """Close the archive. Repeatable."""
        self._archive.close()

    def _names(self) -> dict[str, int]:
        """What each image may be called, with its number."""
        found: dict[str, int] = {}
        for number, image in enumerate(self._images):
            for name in image.names:
                if self._wanted is None:
                    found[str(name)] = number
                elif name.name == self._wanted.name:
                    found[name.tag or "latest"] = number
        return found

    def _manifest_of(self, number: int) -> Manifest:
        with self._lock:
            if number not in self._made:
                self._made[number] = self._make(self._images[number])
            return self._made[number]

    def _make(self, image: SavedImage) -> Manifest:
        config = self._archive.document(image.config, MOST_DOCUMENT)
        if config is None:
            raise damaged_saved(self._archive.place, f"'{guard.shown(image.config)}' is not in it")
        ids = diff_ids(config, len(image.layers), self._archive.place)
        described = Descriptor.of(media.OCI_CONFIG, config)
        self._blobs[described.digest] = self._member(image.config)
        layers = [self._layer(name, diff) for name, diff in zip(image.layers, ids, strict=True)]
        return make_manifest(described, layers)

    def _layer(self, name: str, diff_id: Digest) -> Descriptor:
        """Describe a layer as it lies there. One that is compressed after all is read once for its digest."""
        member = self._member(name)
        with self._archive.open(member) as stream:
            compression = compression_of(read_all(stream, min(8, member.size)))
        if compression not in LAYER_TYPES:
            raise damaged_saved(
                self._archive.place, f"the layer '{guard.shown(name)}' is packed with {compression}"
            )
        digest = diff_id if compression is None else self._digest(member)
        self._blobs[digest] = member
        return Descriptor(LAYER_TYPES[compression], digest, member.size)

    def _digest(self, member: Member) -> Digest:
        hasher = new_hasher("sha256")
        view = memoryview(bytearray(PIECE))
        with self._archive.open(member) as stream:
            while count := stream.readinto(view):
                hasher.update(view[:count])
        return Digest("sha256", hasher.hexdigest())

    def _member(self, name: str) -> Member:
        member = self._archive.members.find(name)
        if member is None:
            raise damaged_saved(self._archive.place, f"'{guard.shown(name)}' is not in it")
        return member

    def _unknown(self, wanted: str | None, names: dict[str, int]) -> NotFound:
        there = sorted(names) or sorted(str(name) for image in self._images for name in image.names)
        return NotFound(
            "manifest_unknown",
            f"{self._archive.place} has no image {wanted or self._wanted or ''}".rstrip() + ".",
            advice=f"It has {', '.join(name[:200] for name in there[:10])}." if there else "It has no names.",
        )


def open_oci_archive(path: Path, options: TransportOptions) -> LayoutSource:
    """Open an OCI layout in a tar. Raises `NotFound` (`place_missing`), `Corrupt`, `Invalid` for one that is refused."""
    archive = open_archive(path, options)
    try:
        no_links(archive.members)
        return LayoutSource(TarContents(archive))
    except BaseException:
        archive.close()
        raise


def open_docker_archive(
    path: Path, wanted: Reference | None, options: TransportOptions
) -> LayoutSource | SavedSource:
    """Open what `docker save` wrote. One with an OCI layout inside keeps its manifests; for others they are made."""
    return saved_source(open_archive(path, options), wanted)


def saved_source(archive: Archive, wanted: Reference | None) -> LayoutSource | SavedSource:
    """Return the source for an archive that `docker save` wrote, and take it over."""
    try:
        if "index.json" in archive.members.files and "oci-layout" in archive.members.files:
            return LayoutSource(TarContents(archive, wanted))
        return SavedSource(archive, wanted)
    except BaseException:
        archive.close()
        raise


def open_archive(path: Path, options: TransportOptions) -> Archive:
    """Open a tar, decompressed first where that is needed. Raises `NotFound` (`place_missing`), `Corrupt`, `Invalid`."""
    descriptor = open_file(path)
    if descriptor is None:
        raise missing(str(path), "file")
    file = os.fdopen(descriptor, "rb")
    compression = compression_of(os.pread(descriptor, 8, 0))
    if compression is None:
        return Archive(file, str(path), options)
    with file:
        return Archive(_decompressed(file, compression, str(path), options), str(path), options)


def _decompressed(file: BinaryIO, compression: str, name: str, options: TransportOptions) -> BinaryIO:
    """Return the content in a file without a name: it is gone with the process. Raises `Invalid` (`archive_limit`)."""
    limits = options.limits
    budget = guard.Budget(limits, os.fstat(file.fileno()).st_size)
    fresh = tempfile.TemporaryFile(dir=options.temporary, buffering=0)  # noqa: SIM115 - it is the answer
    try:
        with opened(file, compression, limits.memory) as stream:
            while data := stream.read1(PIECE):
                budget.add(name, len(data))
                with writing(Path(name)):
                    fresh.write(data)
    except BaseException:
        fresh.close()
        raise
    return fresh

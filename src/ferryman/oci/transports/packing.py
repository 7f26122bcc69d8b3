"""An OCI layout written into a tar as its blobs arrive: what archives, the Docker Engine and containerd are given.

The same tar is read as `oci-archive` and, with its `manifest.json`, by `docker load`: it points to the same blobs, so that
nothing is repacked and digests stay. The list is written last, when everything it names is there.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.oci.manifest import Descriptor, Manifest, Platform
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference
from ferryman.oci.transports.entries import COSIGN, IMAGE_NAME, VERSION, LayoutIndex
from ferryman.oci.transports.saved import blob_name, render_saved
from ferryman.oci.transports.streams import pour
from ferryman.oci.transports.tars import END, header, padding

_ABOUT: Final = "vnd.docker.reference.digest"


class Sink(Protocol):
    """Where the tar goes. Used by one thread at a time."""

    def write(self, piece: bytes | memoryview, /) -> None:
        """Take all bytes. Raises `Unavailable` when the other side is gone."""
        ...

    def undo(self, to: int, /) -> bool:
        """Forget what was written after the first `to` bytes; False when that cannot be."""
        ...


@dataclass(frozen=True, slots=True)
class Style:
    """What the reader of the tar wants. `reference` names the repository of the tags; `platform` the image it runs.

    `saved` adds `manifest.json` for those that know no OCI layout, `full_names` the whole references. `all_named` is for
    receivers that forget what has no name, and take no index with children left out: those are told in `Packer.sparse`,
    and what there is of them is listed under its digest.
    """

    reference: Reference | None = None
    saved: bool = False
    full_names: bool = False
    all_named: bool = False
    platform: str = ""

    def full(self, tag: str) -> str:
        """Return the whole reference of a tag; one that is whole already stays as it is."""
        return whole_name(self.reference, tag)


@dataclass(frozen=True, slots=True)
class Sparse:
    """An index of which some children were left out, its tags, and a child that is there."""

    index: Manifest
    tags: tuple[str, ...]
    child: Descriptor


class Packer:
    """Writes the tar. Thread-safe: one blob at a time, others wait.

    After a blob that failed in a sink that cannot `undo`, every further call raises that the tar is lost.
    """

    def __init__(self, sink: Sink, style: Style, elsewhere: Callable[[Digest], bool] | None = None) -> None:
        """Write to `sink`, nothing yet. `elsewhere` tells which manifests the receiver has already, with all they need."""
        self._sink = sink
        self._style = style
        self._elsewhere = elsewhere
        self.sparse: tuple[Sparse, ...] = ()
        self._lock = threading.RLock()
        self._at = 0
        self._lost: BaseException | None = None
        self._there: set[Digest] = set()
        self._manifests: dict[Digest, Manifest] = {}
        self._tags: dict[str, Digest] = {}

    def has(self, digest: Digest) -> bool:
        """Whether the blob or manifest is in the tar."""
        with self._lock:
            return digest in self._there

    def tagged(self, tag: str) -> Digest | None:
        """Return what was put under the tag."""
        with self._lock:
            return self._tags.get(tag)

    @property
    def empty(self) -> bool:
        """Whether no manifest was put."""
        with self._lock:
            return not self._manifests

    def blob(
        self, blob: Descriptor, source: Callable[[int], BlobStream], tell: Callable[[int], None]
    ) -> None:
        """Write a blob. Raises `Corrupt` when the bytes do not match."""
        with self._lock:
            if blob.digest in self._there:
                return
            self._member(
                blob_name(blob.digest),
                blob.size,
                lambda: pour(blob, source, self._write, tell),
            )
            self._there.add(blob.digest)

    def manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Write a manifest and remember its tag."""
        with self._lock:
            if manifest.digest not in self._there:
                self._whole(blob_name(manifest.digest), manifest.raw)
            self._there.add(manifest.digest)
            self._manifests[manifest.digest] = manifest
            if tag is not None:
                self._tags[tag] = manifest.digest

    def finish(self) -> None:
        """Write the lists and the end. Raises `Invalid` (`one_platform_only`) when the reader needs one image of several."""
        with self._lock:
            saved = self._saved() if self._style.saved else None
            self._whole("index.json", self._listed().render())
            if saved is not None:
                self._whole("manifest.json", saved)
            self._whole("oci-layout", VERSION)
            self._write(END)

    def _listed(self) -> LayoutIndex:
        index = LayoutIndex()
        self.sparse = self._left_out() if self._style.all_named else ()
        sparse = {one.index.digest for one in self.sparse}
        for tag, digest in self._tags.items():
            if digest not in sparse:
                name = short(tag) if self._style.full_names else tag
                index = index.having(self._manifests[digest].descriptor, name, self._annotations(tag))
        inner = {
            child.digest
            for one in self._manifests.values()
            if one.digest not in sparse
            for child in one.children
        }
        for digest, manifest in self._manifests.items():
            if digest not in inner | sparse:
                index = index.having(manifest.descriptor, None, self._loose(digest))
        return index

    def _left_out(self) -> tuple[Sparse, ...]:
        """The indexes that lack children, of which at least one is there."""
        found = []
        for digest, manifest in self._manifests.items():
            there = [child for child in manifest.children if self._is_whole(child.digest)]
            if there and len(there) < len(manifest.children):
                tags = tuple(tag for tag, tagged in self._tags.items() if tagged == digest)
                found.append(Sparse(manifest, tags, next((one for one in there if one.platform), there[0])))
        return tuple(found)

    def _is_whole(self, digest: Digest, depth: int = 0) -> bool:
        manifest = self._manifests.get(digest)
        if manifest is None or depth > 16:
            return self._elsewhere is not None and self._elsewhere(digest)
        return all(self._is_whole(child.digest, depth + 1) for child in manifest.children)

    def _annotations(self, tag: str) -> dict[str, str]:
        full = self._style.full(tag)
        return {IMAGE_NAME: full} if self._style.full_names and is_whole(full) else {}

    def _loose(self, digest: Digest) -> dict[str, str]:
        reference = self._style.reference
        return {IMAGE_NAME: f"{reference.name}@{digest}"} if reference and self._style.all_named else {}

    def _saved(self) -> bytes:
        """The list for those that take single images: the tagged ones, or else all that stand for themselves."""
        names: dict[Digest, list[str]] = {}
        for tag, digest in self._tags.items():
            if _is_image(self._manifests[digest]) and not COSIGN.fullmatch(tag):
                full = self._style.full(tag)
                names.setdefault(digest, []).append(full if is_whole(full) else "")
        if not names:
            inner = {child.digest for one in self._manifests.values() for child in one.children}
            names = {d: [] for d, one in self._manifests.items() if d not in inner and _is_image(one)}
        images: list[tuple[Manifest, Sequence[str]]] = []
        for digest, said in names.items():
            one = runnable(self._manifests[digest], self._manifests, self._style.platform)
            images.append((one, [name for name in said if name]))
        return render_saved(images)

    def _whole(self, name: str, data: bytes) -> None:
        self._member(name, len(data), lambda: self._write(data))

    def _member(self, name: str, size: int, write: Callable[[], None]) -> None:
        if self._lost is not None:
            raise self._lost
        before = self._at
        try:
            self._write(header(name, size))
            write()
            self._write(padding(size))
        except BaseException as error:
            if self._sink.undo(before):
                self._at = before
            elif self._at != before:
                self._lost = error
            raise

    def _write(self, piece: bytes | memoryview) -> None:
        self._at += len(piece)
        self._sink.write(piece)


def whole_name(reference: Reference | None, tag: str) -> str:
    """Return the whole reference of a tag in the repository of `reference`; one that is whole already stays as it is."""
    return f"{reference.name}:{tag}" if reference and not is_whole(tag) else tag


def is_whole(name: str) -> bool:
    """Whether a name is a whole reference: tags have neither ':' nor '/'."""
    return ":" in name or "/" in name


def short(name: str) -> str:
    """Return the tag of a name that may be a whole reference."""
    last = name.rpartition("/")[2]
    return last.rpartition(":")[2] if is_whole(name) else name


def runnable(manifest: Manifest, there: Mapping[Digest, Manifest], platform: str) -> Manifest:
    """Return the image that stands for an index where only one can be: for `platform`, or the only one that is there.

    Raises `Invalid` (`one_platform_only`).
    """
    for _ in range(16):
        if not manifest.is_index:
            return manifest
        found = [one for one in manifest.children if one.digest in there and _ABOUT not in one.annotations]
        if len(found) > 1 and platform:
            wanted = Platform.parse(platform)
            found = [one for one in found if one.platform and one.platform.suits(wanted)][:1]
        if len(found) != 1:
            break
        manifest = there[found[0].digest]
    raise Invalid(
        "one_platform_only",
        f"The target takes one image, and {manifest.digest} has several or none that fits.",
        advice="Name one platform with --platform, such as linux/amd64.",
    )


def _is_image(manifest: Manifest) -> bool:
    """Whether a container can be made of it: not a signature or another artifact."""
    if manifest.subject is not None:
        return False
    if manifest.is_index:
        return True
    config = manifest.config
    return config is not None and config.media_type.endswith(
        ("image.config.v1+json", "container.image.v1+json")
    )

"""Values of copying: places, images, and what is to be done. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ferryman.core.digests import Digest
from ferryman.oci.manifest import Descriptor, Manifest, Platform


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One repository at one end. `registry` names what shares blobs between its repositories (`docker://host`, `depot:`)."""

    registry: str
    repository: str

    def __str__(self) -> str:
        """Render registry and repository."""
        if self.registry.endswith(":"):
            return f"{self.registry}{self.repository}"
        return f"{self.registry}/{self.repository}" if self.repository else self.registry


@dataclass(frozen=True, slots=True)
class Wish:
    """One reference to copy. `wanted` is what the source is asked for; `tag` is what the target calls it, None for its digest.

    A `flat` target takes the image of one platform and neither indexes nor what refers to them.
    """

    said: str
    source: Place
    wanted: str | None
    target: Place
    tag: str | None
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What of each reference is taken: `platforms` of an index (None for all), and whether what refers to it comes along."""

    platforms: tuple[Platform, ...] | None = None
    referrers: bool = True


@dataclass(frozen=True, slots=True)
class Image:
    """What one reference came to.

    `manifests` are all of it, each child before its parent and what signs the image before the image; `root` is the last.
    `more` are tags other than `tag` that go with it, such as those of cosign. `left_out` are children of indexes that were
    not asked for. `single` is the manifest of the one platform that was asked for, when it was one.
    """

    said: str
    source: Place
    target: Place
    tag: str | None
    root: Digest
    manifests: tuple[Manifest, ...]
    more: Mapping[Digest, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[Descriptor, ...] = ()
    single: Digest | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What the targets have, as far as they were asked."""

    manifests: frozenset[tuple[Place, Digest]] = frozenset()
    tags: Mapping[tuple[Place, str], Digest] = field(default_factory=dict)
    blobs: frozenset[tuple[Place, Digest]] = frozenset()


class How(StrEnum):
    """How a blob comes to a registry."""

    MOVE = "move"
    """Its bytes are sent."""
    MOUNT = "mount"
    """The registry has it in another repository and only links it."""
    THERE = "there"
    """It is where it is needed."""


@dataclass(frozen=True, slots=True)
class BlobStep:
    """One blob of one registry, once.

    `how` says how `first` gets it, `origin` is where `MOUNT` links it from; `then` are the other repositories that need it:
    they mount it from `first`. `sources` can all give its bytes.
    """

    blob: Descriptor
    sources: tuple[Place, ...]
    how: How
    first: Place
    origin: Place | None = None
    then: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestStep:
    """One manifest to put into one repository, under `tags` or only by its digest.

    `blobs` and `children` have to be in that repository before. With `sparse` some children stay away; `instead` is then
    the child that may take the tag where the target refuses such an index.
    """

    manifest: Manifest
    target: Place
    tags: tuple[str, ...]
    blobs: tuple[Digest, ...]
    children: tuple[Digest, ...]
    sparse: bool = False
    instead: Digest | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one copy has to do. Sizes are bytes, each blob counted once for each registry."""

    images: tuple[Image, ...]
    blobs: tuple[BlobStep, ...]
    manifests: tuple[ManifestStep, ...]
    manifests_there: int = 0

    @property
    def to_move(self) -> int:
        """Bytes of blobs that have to be sent."""
        return self._size(How.MOVE)

    @property
    def to_mount(self) -> int:
        """Bytes of blobs that the target links from another repository of its own."""
        return self._size(How.MOUNT)

    @property
    def there(self) -> int:
        """Bytes of blobs that are there, of those that were asked about."""
        return self._size(How.THERE)

    @property
    def nothing(self) -> bool:
        """Whether nothing has to be done."""
        return not self.manifests and all(step.how is How.THERE and not step.then for step in self.blobs)

    def count(self, how: How) -> int:
        """How many blobs come to their registry like this."""
        return sum(step.how is how for step in self.blobs)

    def _size(self, how: How) -> int:
        return sum(step.blob.size for step in self.blobs if step.how is how)

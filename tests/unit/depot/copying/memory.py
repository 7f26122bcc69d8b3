"""A registry in memory that is as strict as real ones, and counts what is asked of it."""

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid, NotFound
from ferryman.depot.copying.gather import REF_NAME
from ferryman.depot.copying.model import Place
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, Manifest, Platform, parse_manifest
from ferryman.oci.ports import BlobStream, ResumeUpload


def digest_of(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def descriptor(data: bytes, media_type: str = media.OCI_LAYER) -> Descriptor:
    return Descriptor(media_type, digest_of(data), len(data))


class Bytes:
    """A stream of bytes in memory."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.size: int | None = len(data)
        self.offset = offset
        self._file = io.BytesIO(data)
        self._file.seek(offset)

    def readinto(self, view: memoryview, /) -> int:
        return self._file.readinto(view)

    def fileno(self) -> int | None:
        return None

    def moved(self, count: int, /) -> None:
        raise AssertionError(count)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Repository:
    manifests: dict[Digest, Manifest] = field(default_factory=dict)
    tags: dict[str, Digest] = field(default_factory=dict)
    blobs: set[Digest] = field(default_factory=set)


class MemoryRegistry:
    """Repositories that share blobs. `sparse` takes indexes without all children; `mounts` can be off."""

    def __init__(self, name: str = "docker://memory", *, sparse: bool = False, mounts: bool = True) -> None:
        self.name, self.sparse, self.mounts = name, sparse, mounts
        self.repositories: dict[str, Repository] = {}
        self.content: dict[Digest, bytes] = {}
        self.lock = threading.RLock()
        self.sent = self.questions = self.mounted = 0
        self.puts: list[tuple[str, Digest, str | None]] = []
        self.failing: dict[Digest, list[FerryError]] = {}

    def place(self, repository: str) -> Place:
        return Place(self.name, repository)

    def repository(self, name: str) -> Repository:
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    def fail(self, digest: Digest) -> None:
        with self.lock:
            if self.failing.get(digest):
                raise self.failing[digest].pop(0)

    # Filling

    def blob(self, repository: str, data: bytes) -> Descriptor:
        found = descriptor(data)
        self.content[found.digest] = data
        self.repository(repository).blobs.add(found.digest)
        return found

    def image(
        self,
        repository: str,
        layers: list[bytes],
        *,
        tag: str | None = None,
        subject: Manifest | None = None,
        salt: str = "",
    ) -> Manifest:
        config = self.blob(repository, json.dumps({"salt": salt}).encode())
        body: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": {**config.as_json(), "mediaType": media.OCI_CONFIG},
            "layers": [self.blob(repository, layer).as_json() for layer in layers],
        }
        if subject:
            body["subject"] = subject.descriptor.as_json()
        return self.store(repository, body, tag)

    def index(
        self, repository: str, children: list[tuple[Manifest, Platform | None]], *, tag: str | None = None
    ) -> Manifest:
        listed = []
        for child, platform in children:
            one = Descriptor(child.media_type, child.digest, len(child.raw), platform)
            listed.append(one.as_json())
        body = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": listed}
        return self.store(repository, body, tag)

    def store(self, repository: str, body: dict[str, Any], tag: str | None = None) -> Manifest:
        manifest = parse_manifest(json.dumps(body).encode(), body["mediaType"])
        home = self.repository(repository)
        home.manifests[manifest.digest] = manifest
        if tag:
            home.tags[tag] = manifest.digest
        return manifest


class MemoryEnd:
    """One repository as source and target."""

    def __init__(self, registry: MemoryRegistry, place: Place) -> None:
        self.registry, self.name = registry, place.repository
        self.home = registry.repository(place.repository)

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        wanted = tag_or_digest or "latest"
        if ":" in wanted:
            return self.manifest(Digest.parse(wanted))
        if wanted not in self.home.tags:
            raise NotFound("manifest_unknown", f"no tag {wanted}")
        return self.manifest(self.home.tags[wanted])

    def manifest(self, digest: Digest) -> Manifest:
        if digest not in self.home.manifests:
            raise NotFound("manifest_unknown", f"no manifest {digest}")
        return self.home.manifests[digest]

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        self.registry.fail(blob.digest)
        if blob.digest not in self.home.blobs:
            raise NotFound("blob_unknown", f"no blob {blob.digest}")
        return Bytes(self.registry.content[blob.digest], offset)

    def referrers(self, digest: Digest) -> list[Descriptor]:
        found = [
            one.descriptor
            for one in self.home.manifests.values()
            if one.subject is not None and one.subject.digest == digest
        ]
        for ending in ("sig", "att", "sbom"):
            tag = f"sha256-{digest.hex}.{ending}"
            if tag in self.home.tags:
                one = self.home.manifests[self.home.tags[tag]]
                found.append(
                    Descriptor(one.media_type, one.digest, len(one.raw), annotations={REF_NAME: tag})
                )
        return found

    def tags(self) -> Iterator[str]:
        return iter(sorted(self.home.tags))

    def close(self) -> None:
        pass

    def has_manifest(self, digest: Digest) -> bool:
        with self.registry.lock:
            self.registry.questions += 1
            return digest in self.home.manifests

    def tagged(self, tag: str) -> Digest | None:
        with self.registry.lock:
            self.registry.questions += 1
            return self.home.tags.get(tag)

    def has_blob(self, blob: Descriptor) -> bool:
        with self.registry.lock:
            self.registry.questions += 1
            return blob.digest in self.home.blobs

    def mount(self, blob: Descriptor, repository: str) -> bool:
        with self.registry.lock:
            there = blob.digest in self.registry.repository(repository).blobs
            if not self.registry.mounts or not there:
                return False
            self.home.blobs.add(blob.digest)
            self.registry.mounted += 1
            return True

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,
    ) -> None:
        with self.registry.lock:
            if blob.digest in self.home.blobs:
                return
        parts = []
        buffer = bytearray(7)
        with source(0) as stream:
            while count := stream.readinto(memoryview(buffer)):
                parts.append(bytes(buffer[:count]))
                tell(count)
        data = b"".join(parts)
        if digest_of(data) != blob.digest:
            raise Corrupt("blob_mismatch", f"{blob.digest} is something else")
        with self.registry.lock:
            self.registry.content[blob.digest] = data
            self.home.blobs.add(blob.digest)
            self.registry.sent += len(data)

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        with self.registry.lock:
            self.registry.fail(manifest.digest)
            missing = [one.digest for one in manifest.blobs if one.digest not in self.home.blobs]
            if not self.registry.sparse:
                missing += [one.digest for one in manifest.children if one.digest not in self.home.manifests]
            if missing:
                raise Invalid("manifest_blob_unknown", f"{missing[0]} is not there")
            self.home.manifests[manifest.digest] = manifest
            if tag:
                self.home.tags[tag] = manifest.digest
            self.registry.puts.append((self.name, manifest.digest, tag))


class Ends:
    """Opens places of some registries."""

    def __init__(self, *registries: MemoryRegistry) -> None:
        self._registries = {one.name: one for one in registries}

    def __call__(self, place: Place) -> MemoryEnd:
        return MemoryEnd(self._registries[place.registry], place)

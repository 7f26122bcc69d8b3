"""The local Docker Engine as a place of images: `docker-daemon:REFERENCE`.

Its classic store keeps no manifests and no compressed layers: an export is laid down in a file without a name and read like
any docker archive. Engines with containerd's store give and take images unchanged.
"""

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid, NotFound
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference, parse_digest, parse_reference
from ferryman.oci.transports.archive import Archive, SavedSource, saved_source
from ferryman.oci.transports.engine import Engine, Loading
from ferryman.oci.transports.layout import unknown_blob
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.packed import Nothing, PackedTarget
from ferryman.oci.transports.packing import Style, whole_name
from ferryman.oci.transports.reading import LayoutSource
from ferryman.oci.transports.streams import writing

UNPACKED: Final = (
    "This Docker Engine keeps layers without compression and no manifests: what is pushed or saved from it later has other "
    "digests."
)


class EngineSource:
    """One repository of the engine, or one image by its id, as a `Source`. Thread-safe.

    An image is exported when it is resolved first, and read from there. `notes` are sentences that a person should be told.
    """

    def __init__(self, engine: Engine, reference: Reference, options: TransportOptions) -> None:
        """Ask nothing yet."""
        self._engine = engine
        self._reference = reference
        self._options = options
        self._lock = threading.Lock()
        self._exports: dict[str, SavedSource | LayoutSource] = {}
        self._closed = False
        self.notes: tuple[str, ...] = ()

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag, digest or image id. Raises `NotFound` (`manifest_unknown`), `Unavailable`."""
        wanted = tag_or_digest or self._reference.wanted
        if ":" in wanted:
            return self._of_digest(parse_digest(wanted))
        return self._export(f"{self._reference.name}:{wanted}").resolve(None)

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest by digest. Raises `NotFound` (`manifest_unknown`)."""
        return self._of_digest(digest)

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob of an image that was resolved. Raises `NotFound` (`blob_unknown`)."""
        for source in self._sources():
            try:
                return source.open_blob(blob, offset)
            except NotFound:
                continue
        raise unknown_blob(blob.digest, "The Docker Engine")

    def referrers(self, digest: Digest) -> list[Descriptor]:
        """What an engine with containerd's store exported with the image; else nothing."""
        return [one for source in self._sources() for one in source.referrers(digest)]

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository."""
        wanted = json.dumps({"reference": [_short(self._reference)]})
        for image in self._engine.ask(f"/images/json?filters={quote(wanted)}") or ():
            for name in image.get("RepoTags") or ():
                reference = parse_reference(name)
                if reference.name == self._reference.name and reference.tag:
                    yield reference.tag

    def close(self) -> None:
        """Forget the exports. Repeatable."""
        with self._lock:
            self._closed = True
            exports, self._exports = self._exports, {}
        for source in exports.values():
            source.close()

    def _sources(self) -> list[SavedSource | LayoutSource]:
        with self._lock:
            return list(self._exports.values())

    def _of_digest(self, digest: Digest) -> Manifest:
        for source in self._sources():
            try:
                return source.manifest(digest)
            except NotFound:
                continue
        name = f"{self._reference.name}@{digest}" if self._reference.repository else str(digest)
        return self._export(name).resolve(None)

    def _export(self, name: str) -> SavedSource | LayoutSource:
        with self._lock:
            if name not in self._exports:
                self._exports[name] = source = self._exported(name)
                self.notes = tuple(dict.fromkeys((*self.notes, *source.notes)))
            return self._exports[name]

    def _exported(self, name: str) -> SavedSource | LayoutSource:
        file = tempfile.TemporaryFile(dir=self._options.temporary, buffering=0)  # noqa: SIM115 - the archive closes it
        try:
            for piece in self._engine.export(name):
                with writing(self._options.temporary or Path(tempfile.gettempdir())):
                    file.write(piece)
        except BaseException:
            file.close()
            raise
        return saved_source(Archive(file, f"the export of {name}", self._options), None)


class EngineKnown(Nothing):
    """What the engine can tell: only with containerd's store it knows digests of manifests. Thread-safe."""

    def __init__(self, engine: Engine, reference: Reference) -> None:
        """Ask nothing yet."""
        self._engine = engine
        self._reference = reference

    def tagged(self, tag: str) -> Digest | None:
        """Return the digest of the manifest, when the engine keeps manifests."""
        name = quote(whole_name(self._reference, tag), safe="/:@")
        image = self._engine.ask(f"/images/{name}/json")
        said = (image or {}).get("Descriptor") or {}
        return parse_digest(str(said["digest"])) if said.get("digest") else None


def engine_source(reference: Reference, options: TransportOptions) -> EngineSource:
    """Open the engine to read from. Raises `Unavailable` (`engine_unreachable`), `Denied` (`engine_denied`)."""
    engine = Engine(options)
    engine.ask("/version")
    return EngineSource(engine, reference, options)


def engine_target(reference: Reference, options: TransportOptions) -> PackedTarget:
    """Open the engine to write to: the image is there when the target is closed. Raises what `engine_source` raises."""
    if not reference.repository:
        raise Invalid(
            "reference_invalid",
            f"'{reference.digest}' names no image to write to.",
            advice="Give the image a name: docker-daemon:NAME:TAG.",
        )
    engine = Engine(options)
    version: Any = engine.ask("/version") or {}
    platform = options.platform or f"{version.get('Os', 'linux')}/{version.get('Arch', 'amd64')}"
    style = Style(reference, saved=True, full_names=True, platform=platform)
    notes = () if _keeps_manifests(engine.ask("/info")) else (UNPACKED,)
    return PackedTarget(Loading(engine), style, EngineKnown(engine, reference), notes)


def _keeps_manifests(info: Any) -> bool:
    status = (info or {}).get("DriverStatus") or []
    return ["driver-type", "io.containerd.snapshotter.v1"] in status


def _short(reference: Reference) -> str:
    """Return the name as the engine's filter wants it: without what it leaves out itself."""
    return reference.name.removeprefix("docker.io/").removeprefix("library/")

"""Manifests as they are: bytes that never change, and what they say. Pure; everything read is hostile.

image-spec: "Image Manifest", "Image Index", "Descriptor"; Docker's schema 2 has the same shape. Manifests of unknown media types
are kept as they are; what they refer to is found by structure.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import Corrupt, Invalid, NotFound
from ferryman.oci import media
from ferryman.oci.reference import parse_digest

MOST_MANIFEST: Final = 4 * 1024 * 1024
"""Bytes of a manifest that are accepted (distribution-spec, "Pushing manifests": at least 4 MiB)."""
_LARGEST: Final = 2**63 - 1
_NO_TYPES: Final = frozenset({"", "application/json", "application/octet-stream", "text/plain"})
_ALIASES: Final = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armhf": "arm", "i386": "386"}
_DOCKER_SUBJECT: Final = "vnd.docker.reference.digest"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Platform:
    """What a manifest runs on. Empty parts are not known; when something is wanted, they match anything."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read `OS/ARCHITECTURE[/VARIANT]`. Raises `Invalid` (`platform_invalid`)."""
        parts = text.strip().lower().split("/")
        if not 2 <= len(parts) <= 3 or not all(
            part.replace("_", "").replace("-", "").isalnum() for part in parts
        ):
            raise Invalid(
                "platform_invalid",
                f"'{text[:80]}' is no platform.",
                advice="Write OS/ARCHITECTURE[/VARIANT], such as linux/amd64 or linux/arm/v7.",
            )
        parts[1] = _ALIASES.get(parts[1], parts[1])
        return cls(*parts)

    def suits(self, wanted: "Platform") -> bool:
        """Whether this is what is `wanted`."""
        if (self.os, self.architecture) != (wanted.os, wanted.architecture):
            return False
        default = "v8" if self.architecture == "arm64" else ""
        variant = not wanted.variant or (self.variant or default) == wanted.variant
        return variant and (not wanted.os_version or self.os_version == wanted.os_version)

    def __str__(self) -> str:
        """Render `os/architecture[/variant]`."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Points to bytes: what they are, their digest and how many. `data` are the bytes themselves when embedded."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    artifact_type: str | None = None
    urls: tuple[str, ...] = ()
    data: bytes | None = None

    @classmethod
    def of(cls, media_type: str, content: bytes) -> "Descriptor":
        """Describe `content`, with sha256."""
        return cls(media_type, Digest("sha256", hashlib.sha256(content).hexdigest()), len(content))

    def as_json(self) -> dict[str, Any]:
        """Return the descriptor as documents have it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.platform:
            names = ("os", "architecture", "variant", "os.version")
            values = (
                self.platform.os,
                self.platform.architecture,
                self.platform.variant,
                self.platform.os_version,
            )
            found["platform"] = {name: value for name, value in zip(names, values, strict=True) if value}
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.urls:
            found["urls"] = list(self.urls)
        if self.data is not None:
            found["data"] = base64.b64encode(self.data).decode()
        return found


@dataclass(frozen=True)
class Manifest:
    """A manifest: the bytes as they came, their type and digest. Made by `parse_manifest`, which checks all parts."""

    raw: bytes
    media_type: str
    digest: Digest

    @property
    def is_index(self) -> bool:
        """Whether it lists other manifests."""
        return media.is_index(self.media_type) or (
            not media.is_known(self.media_type) and isinstance(self._document.get("manifests"), list)
        )

    @cached_property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests of an index, in order."""
        return _list(self._document, "manifests", self._strict) if self.is_index else ()

    @cached_property
    def config(self) -> Descriptor | None:
        """The configuration of an image."""
        return _one(self._document, "config", self._strict) if not self.is_index else None

    @cached_property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers of an image, or the blobs of an artifact, in order."""
        if self.is_index:
            return ()
        name = "blobs" if media.plain(self.media_type) == media.OCI_ARTIFACT else "layers"
        return _list(self._document, name, self._strict)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Configuration and layers, in order; one that is listed twice comes twice."""
        return ((self.config,) if self.config else ()) + self.layers

    @cached_property
    def subject(self) -> Descriptor | None:
        """The manifest that this one refers to."""
        return _one(self._document, "subject", self._strict)

    @property
    def artifact_type(self) -> str | None:
        """What kind of artifact it is: `artifactType`, else for images the type of the configuration."""
        said = self._document.get("artifactType")
        if isinstance(said, str) and said:
            return said
        return self.config.media_type if self.config else None

    @cached_property
    def annotations(self) -> Mapping[str, str]:
        """Its annotations."""
        return _annotations(self._document, self._strict)

    @property
    def descriptor(self) -> Descriptor:
        """Return what points to this manifest from an index: type, digest and size only."""
        return Descriptor(self.media_type, self.digest, len(self.raw))

    @property
    def _strict(self) -> bool:
        return media.is_known(self.media_type)

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        return _document(self.raw, self._strict)


def parse_manifest(raw: bytes, media_type: str, expected: Digest | None = None) -> Manifest:
    """Check a manifest: its digest when `expected`, its size, its form.

    `media_type` is what was said about it; empty or vague ones are replaced by what the document says. Raises `Invalid`
    (`manifest_too_large`, `manifest_invalid`, `manifest_unsupported`) and `Corrupt` (`manifest_mismatch`).
    """
    if len(raw) > MOST_MANIFEST:
        raise too_large(len(raw))
    digest = _digest(raw, expected)
    said = media.plain(media_type)
    kind = _kind(raw, "" if said in _NO_TYPES else said)
    if kind in media.SCHEMA1:
        raise Invalid(
            "manifest_unsupported",
            "This image has Docker's old manifest of schema 1, which cannot be copied byte by byte.",
            advice="Push it again with a present tool, or convert it: skopeo copy --format v2s2.",
        )
    manifest = Manifest(raw, kind, digest)
    # Reading every part once finds what is wrong before anything is built on it.
    _ = manifest.children, manifest.blobs, manifest.subject, manifest.annotations
    if kind in {media.OCI_MANIFEST, media.DOCKER_MANIFEST} and manifest.config is None:
        raise _wrong("has no config")
    return manifest


def too_large(size: int | None) -> Invalid:
    """The error for a manifest of `size` bytes (None: not known how many)."""
    said = f"{size:,} bytes" if size else "more bytes than"
    return Invalid(
        "manifest_too_large",
        f"The manifest has {said}; {'' if not size else 'at most '}{MOST_MANIFEST:,} are accepted.",
        advice="Check that the reference names an image and not some other content.",
    )


def choose_platforms(index: Manifest, wanted: Sequence[Platform] | None) -> list[Descriptor]:
    """Return the children of `index` for the platforms `wanted` (None: all), in order of the index.

    Attestations that the index holds for a chosen child come along. Raises `NotFound` (`platform_missing`).
    """
    if wanted is None:
        return list(index.children)
    chosen: set[Digest] = set()
    for platform in wanted:
        suiting = [child for child in index.children if child.platform and child.platform.suits(platform)]
        if not suiting:
            there = sorted({str(child.platform) for child in index.children if _real(child.platform)})
            raise NotFound(
                "platform_missing",
                f"The image has nothing for {platform}; it has {', '.join(there)[:500] or 'no platforms'}.",
                advice="Choose one of these with --platform, or --all.",
            )
        exact = [child for child in suiting if child.platform == platform]
        chosen.add((exact or suiting)[0].digest)
    about = {str(digest) for digest in chosen}
    return [
        child
        for child in index.children
        if child.digest in chosen or child.annotations.get(_DOCKER_SUBJECT) in about
    ]


def _real(platform: Platform | None) -> bool:
    return platform is not None and platform.os != "unknown"


def _digest(raw: bytes, expected: Digest | None) -> Digest:
    algorithm = expected.algorithm if expected else "sha256"
    hasher = new_hasher(algorithm)
    hasher.update(raw)
    digest = Digest(algorithm, hasher.hexdigest())
    if expected and digest != expected:
        raise Corrupt(
            "manifest_mismatch",
            f"The manifest has {digest}, but {expected} was expected.",
            advice="The source sent something else than was asked for: check it, or use another source.",
        )
    return digest


def _kind(raw: bytes, said: str) -> str:
    """The media type: what was said, what the document says, or what its structure says."""
    if said and not media.is_known(said):
        return said
    document = _document(raw, strict=True)
    inside = document.get("mediaType")
    if inside is not None and not isinstance(inside, str):
        raise _wrong("has a mediaType that is no text")
    if said and inside and media.plain(inside) != said:
        raise _wrong(f"says it is '{inside[:100]}', but was sent as '{said[:100]}'")
    kind = said or media.plain(inside or "") or _by_structure(document)
    listing, image = "manifests" in document, "layers" in document or "config" in document
    if media.is_known(kind) and listing and image:
        raise _wrong("is both an index and an image")
    if media.is_index(kind) and not listing:
        raise _wrong("is an index without manifests")
    return kind


def _by_structure(document: Mapping[str, Any]) -> str:
    if document.get("schemaVersion") == 1:
        return media.DOCKER_SCHEMA1
    if "manifests" in document:
        return media.OCI_INDEX
    if "layers" in document or "config" in document:
        return media.OCI_MANIFEST
    raise _wrong("does not say what it is")


def _document(raw: bytes, strict: bool) -> Mapping[str, Any]:
    try:
        document = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if strict:
            raise _wrong(f"is no JSON document ({str(error)[:100]})") from error
        return {}
    if isinstance(document, dict):
        return document
    if strict:
        raise _wrong("is no JSON object")
    return {}


def _list(document: Mapping[str, Any], name: str, strict: bool) -> tuple[Descriptor, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        if strict:
            raise _wrong(f"has '{name}' that is no list")
        return ()
    found = [_read(item, f"{name}[{number}]", strict) for number, item in enumerate(value)]
    return tuple(item for item in found if item is not None)


def _one(document: Mapping[str, Any], name: str, strict: bool) -> Descriptor | None:
    value = document.get(name)
    return None if value is None else _read(value, name, strict)


def _read(value: object, where: str, strict: bool) -> Descriptor | None:
    """Read a descriptor; None for one that cannot be read in a document of an unknown kind."""
    try:
        return parse_descriptor(value, where)
    except Invalid:
        if strict:
            raise
        return None


def parse_descriptor(value: object, where: str = "descriptor") -> Descriptor:
    """Read a descriptor from JSON. `where` is named in errors. Raises `Invalid` (`manifest_invalid`)."""
    if not isinstance(value, dict):
        raise _wrong(f"has at {where} no descriptor")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
        raise _wrong(f"has at {where} no size, but {str(size)[:40]!r}")
    try:
        digest = parse_digest(str(value.get("digest")))
    except Invalid as error:
        raise _wrong(f"has at {where} no digest, but {str(value.get('digest'))[:100]!r}") from error
    return Descriptor(
        media_type=_text(value, "mediaType", where) or "",
        digest=digest,
        size=size,
        platform=_platform(value.get("platform")),
        annotations=_annotations(value, strict=True),
        artifact_type=_text(value, "artifactType", where),
        urls=_urls(value.get("urls"), where),
        data=_data(value.get("data"), digest, size, where),
    )


def _text(value: Mapping[str, Any], name: str, where: str) -> str | None:
    found = value.get(name)
    if found is not None and not isinstance(found, str):
        raise _wrong(f"has at {where} a {name} that is no text")
    return found


def _urls(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(url, str) for url in value):
        raise _wrong(f"has at {where} urls that are no list of addresses")
    return tuple(value)


def _data(value: object, digest: Digest, size: int, where: str) -> bytes | None:
    """The embedded content; what does not match is as good as absent (image-spec, "Descriptor", data)."""
    if value is None:
        return None
    try:
        content = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as error:
        raise _wrong(f"has at {where} data that is not base64") from error
    hasher = new_hasher(digest.algorithm)
    hasher.update(content)
    return content if len(content) == size and digest.matches(hasher.hexdigest()) else None


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    names = ("os", "architecture", "variant", "os.version")
    parts = [value.get(name) for name in names]
    return Platform(*(part if isinstance(part, str) else "" for part in parts))


def _annotations(value: Mapping[str, Any], strict: bool) -> Mapping[str, str]:
    found = value.get("annotations")
    if found is None:
        return _NOTHING
    good = isinstance(found, dict) and all(isinstance(one, str) for one in found.values())
    if not good and strict:
        raise _wrong("has annotations that are not texts")
    return MappingProxyType(found) if good and isinstance(found, dict) else _NOTHING


def _wrong(what: str) -> Invalid:
    return Invalid(
        "manifest_invalid",
        f"The manifest {what}.",
        advice="It is damaged or made by a faulty tool: push the image again, or use another source.",
    )

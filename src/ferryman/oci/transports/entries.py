"""The `index.json` of an OCI layout: which manifests it lists, and under which names (image-spec, "Image Layout"). Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Invalid
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, parse_descriptor
from ferryman.oci.reference import parse_reference

REF_NAME: Final = "org.opencontainers.image.ref.name"
"""Annotation with the name of a manifest in a layout."""
IMAGE_NAME: Final = "io.containerd.image.name"
"""Annotation with the whole reference; containerd and Docker read it."""
COSIGN: Final = re.compile(r"(sha256|sha512)-([0-9a-f]{64,128})\.(sig|att|sbom)")
"""Names under which cosign keeps signatures, attestations and lists of parts."""
MOST_INDEX: Final = 32 << 20
"""Bytes of an `index.json`."""
VERSION: Final = b'{"imageLayoutVersion":"1.0.0"}'
"""Content of `oci-layout`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A manifest that the layout lists; `document` is the descriptor as it was written."""

    descriptor: Descriptor
    document: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """Its name in the layout."""
        return self.descriptor.annotations.get(REF_NAME)

    @property
    def names(self) -> frozenset[str]:
        """Everything it may be called by."""
        annotations = self.descriptor.annotations
        return frozenset(annotations[key] for key in (REF_NAME, IMAGE_NAME) if key in annotations)


@dataclass(frozen=True, slots=True)
class LayoutIndex:
    """The list of a layout; `rest` are members of the document that say nothing about manifests."""

    entries: tuple[Entry, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """Return what has that name; when several have, the last one written."""
        found = [entry for entry in self.entries if entry.name == name]
        found = found or [entry for entry in self.entries if name in entry.names]
        return found[-1] if found else None

    def by_digest(self, digest: Digest) -> Entry | None:
        """Return an entry of that digest."""
        return next((entry for entry in self.entries if entry.descriptor.digest == digest), None)

    def of_repository(self, repository: str) -> "LayoutIndex":
        """Return the list without what says that it is of another repository (`HOST/REPOSITORY`)."""
        kept = (
            entry
            for entry in self.entries
            if (said := entry.descriptor.annotations.get(IMAGE_NAME)) is None
            or _repository(said) == repository
        )
        return LayoutIndex(tuple(kept), self.rest)

    def having(
        self, descriptor: Descriptor, name: str | None, annotations: Mapping[str, str] | None = None
    ) -> "LayoutIndex":
        """Return the list with a manifest under `name` instead of what had that name; None lists it without one.

        A digest that is listed already is not listed again without a name.
        """
        if name is None and self.by_digest(descriptor.digest):
            return self
        said = {**(annotations or {}), **({REF_NAME: name} if name is not None else {})}
        document = descriptor.as_json()
        document.pop("annotations", None)
        entry = _entry(document | ({"annotations": said} if said else {}))
        kept = (
            one
            for one in self.entries
            if not _replaces(entry, one) and (one.names or one.descriptor.digest != descriptor.digest)
        )
        return LayoutIndex((*kept, entry), self.rest)

    def render(self) -> bytes:
        """Return the document."""
        body = {"schemaVersion": 2, "mediaType": media.OCI_INDEX} | dict(self.rest)
        body["manifests"] = [dict(entry.document) for entry in self.entries]
        return json.dumps(body, separators=(",", ":")).encode()


def parse_index(raw: bytes, place: str) -> LayoutIndex:
    """Read an `index.json`. Raises `Corrupt` (`layout_damaged`) naming the `place`."""
    document = parse_document(raw, "index.json", place)
    listed = document.get("manifests")
    if not isinstance(listed, list):
        raise damaged_layout(place, "its index.json has no list of manifests")
    try:
        entries = tuple(_entry(one) for one in listed)
    except Invalid as error:
        raise damaged_layout(place, f"its index.json {error.message.rstrip('.')}") from error
    return LayoutIndex(entries, {key: value for key, value in document.items() if key != "manifests"})


def check_version(raw: bytes, place: str) -> None:
    """Raise `Corrupt` (`layout_damaged`) unless `raw` is the `oci-layout` of a version we can read."""
    version = parse_document(raw, "oci-layout", place).get("imageLayoutVersion")
    if not isinstance(version, str) or not version.startswith("1."):
        raise damaged_layout(place, f"its version is {str(version)[:40]!r}, not 1.0.0")


def parse_document(raw: bytes, name: str, place: str) -> dict[str, Any]:
    """Read a JSON object. Raises `Corrupt` (`layout_damaged`)."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged_layout(place, f"its {name} is no JSON ({str(error)[:100]})") from error
    if not isinstance(document, dict):
        raise damaged_layout(place, f"its {name} is no JSON object")
    return document


def choose(index: LayoutIndex, place: str, candidates: Sequence[Entry]) -> Entry | None:
    """Return what is meant when no name was given: the only one of `candidates`, else `latest`; None when there is none.

    Raises `Invalid` (`image_ambiguous`) naming some of them.
    """
    if len({entry.descriptor.digest for entry in candidates}) == 1:
        return candidates[0]
    if not candidates:
        return None
    latest = index.find("latest")
    if latest is not None:
        return latest
    raise ambiguous(place, sorted(entry.name or str(entry.descriptor.digest) for entry in candidates))


def ambiguous(place: str, names: Sequence[str]) -> Invalid:
    """Build the error for a place with several images when none was named."""
    some = ", ".join(name[:200] for name in names[:10])
    return Invalid(
        "image_ambiguous",
        f"{place} holds {len(names)} images: {some}{' and more' if len(names) > 10 else ''}.",
        advice="Say which one, with ':NAME' behind the path.",
    )


def damaged_layout(place: str, what: str) -> Corrupt:
    """Build the error for a layout that is none, or a broken one."""
    return Corrupt(
        "layout_damaged",
        f"{place} is no sound OCI layout: {what}.",
        advice="Make it anew with the tool that wrote it; what is whole in it can still be named by digest.",
    )


def _replaces(new: Entry, old: Entry) -> bool:
    """Whether both have the same name. The same tag of two repositories is two names."""
    if new.name is None or new.name != old.name:
        return False
    whole = [one.descriptor.annotations.get(IMAGE_NAME) for one in (new, old)]
    return None in whole or whole[0] == whole[1]


def _repository(name: str) -> str:
    try:
        return parse_reference(name).name
    except Invalid:
        return ""


def _entry(document: object) -> Entry:
    descriptor = parse_descriptor(document, "manifests")
    assert isinstance(document, dict)
    return Entry(descriptor, document)

"""Where images are: `docker://…`, `oci:…`, `depot:…` and the like, as people write them. Pure; hostile.

docker://HOST/REPOSITORY[:TAG][@DIGEST]   a registry
oci:FOLDER[:NAME]                         a folder in OCI layout; also FOLDER@DIGEST
oci-archive:FILE[:NAME]                   the same in a tar
docker-archive:FILE[:REFERENCE]           what `docker save` writes
docker-daemon:REFERENCE                   the local Docker Engine, also by image id (sha256:…)
containerd:[NAMESPACE/]REFERENCE          the local containerd; a namespace is one word, or k8s.io
depot:REFERENCE                           this machine's depot
ollama:MODEL[:TAG]                        a model of the Ollama registry; another way to write its docker:// location
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.oci.capitals import spelled
from ferryman.oci.ollama import parse_model
from ferryman.oci.reference import Reference, parse_digest, parse_local, parse_reference


class Transport(StrEnum):
    """Kinds of places; the value is how it is written."""

    DOCKER = "docker"
    OCI = "oci"
    OCI_ARCHIVE = "oci-archive"
    DOCKER_ARCHIVE = "docker-archive"
    DOCKER_DAEMON = "docker-daemon"
    CONTAINERD = "containerd"
    DEPOT = "depot"


MODEL: Final = "ollama"
_KUBERNETES: Final = "k8s.io"
PATHS: Final = frozenset({Transport.OCI, Transport.OCI_ARCHIVE, Transport.DOCKER_ARCHIVE})
"""Transports whose place is a path."""


@dataclass(frozen=True, slots=True)
class Location:
    """Something at a place.

    `place` is the host of a registry, the path of a folder or archive, containerd's namespace (empty: its default), and
    empty for the Docker Engine and the depot. `reference` names an image for all but OCI layouts, which have free
    `name`s (annotation `org.opencontainers.image.ref.name`) and `digest`s; None where nothing was named.
    """

    transport: Transport
    place: str
    reference: Reference | None = None
    name: str | None = None
    digest: Digest | None = None
    spelled: str = ""
    """The repository as the registry of a model spells it, when that has capitals; `reference` has it in lower case."""

    @property
    def wanted(self) -> str | None:
        """What `Source.resolve` is to be asked for: digest or tag or name; None: what there is, or `latest`."""
        if self.transport in {Transport.OCI, Transport.OCI_ARCHIVE}:
            return str(self.digest) if self.digest else self.name
        return self.reference.wanted if self.reference else None

    def __str__(self) -> str:
        """Render as people write it; parsing that gives the same location."""
        if self.spelled and self.reference:
            return f"{MODEL}:{self.place}/{self.spelled}:{self.reference.tag}"
        if self.transport is Transport.DOCKER:
            return f"docker://{self.reference}"
        image = str(self.reference or self.name or "")
        if self.transport is Transport.CONTAINERD:
            return f"containerd:{self.place}/{image}" if self.place else f"containerd:{image}"
        if self.transport not in PATHS:
            return f"{self.transport}:{image}"
        end = f":{image}" if image else ""
        return f"{self.transport}:{self.place}" + (f"@{self.digest}" if self.digest else end)


def parse_location(text: str) -> Location:
    """Read a location. Raises `Invalid` (`location_invalid`, `reference_invalid`, `model_invalid`)."""
    scheme, colon, rest = text.strip().partition(":")
    if scheme.lower() == MODEL and rest:
        model = parse_model(rest)
        name = spelled(model.repository)
        return Location(Transport.DOCKER, model.host, model, spelled=name if name != model.repository else "")
    try:
        transport = Transport(scheme.lower())
    except ValueError as error:
        raise _wrong(text, "does not say what kind of place is meant") from error
    if not colon or not rest or "\0" in rest:
        raise _wrong(text, "names nothing")
    if transport in PATHS:
        return _path(transport, rest, text)
    if transport is Transport.DOCKER:
        if not rest.startswith("//"):
            raise _wrong(text, "lacks the two slashes of 'docker://'")
        reference = parse_reference(rest[2:])
        return Location(transport, reference.host, reference)
    if transport is Transport.DOCKER_DAEMON:
        return Location(transport, "", _image_id(rest) or parse_reference(rest))
    if transport is Transport.CONTAINERD:
        return _containerd(rest)
    return Location(transport, "", parse_local(rest))


def _path(transport: Transport, rest: str, text: str) -> Location:
    path, at, digest = rest.partition("@")
    if at and path and transport is not Transport.DOCKER_ARCHIVE and ":" not in path:
        return Location(transport, path, digest=parse_digest(digest))
    path, _, name = rest.partition(":")
    if not path:
        raise _wrong(text, "names no path")
    if transport is Transport.DOCKER_ARCHIVE:
        return Location(transport, path, parse_reference(name) if name else None)
    return Location(transport, path, name=name or None)


def _containerd(rest: str) -> Location:
    namespace, slash, after = rest.partition("/")
    first = after.partition("/")[0]
    named = slash and ("." in first or ":" in first or first == "localhost") and "/" in after
    plain = not ({".", ":"} & set(namespace)) and namespace != "localhost"
    if named and (plain or namespace == _KUBERNETES):
        return Location(Transport.CONTAINERD, namespace, parse_reference(after))
    return Location(Transport.CONTAINERD, "", parse_reference(rest))


def _image_id(rest: str) -> Reference | None:
    try:
        return Reference("", "", None, parse_digest(rest))
    except Invalid:
        return None


def _wrong(text: str, what: str) -> Invalid:
    return Invalid(
        "location_invalid",
        f"'{text.strip()[:200]}' {what}.",
        advice="Write docker://HOST/REPOSITORY:TAG, oci:FOLDER:NAME, oci-archive:FILE, docker-archive:FILE, "
        "docker-daemon:REFERENCE, containerd:REFERENCE, ollama:MODEL or depot:REFERENCE.",
    )

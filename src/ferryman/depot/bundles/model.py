"""What a bundle says of itself: the signed list. Pure; sizes and positions are bytes. Everything read is hostile.

A volume is a tar: the head (see `head`), then the members of the list, then the end of a tar. Positions count from the
end of the head, so that the list does not have to say how long it is itself.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError
from ferryman.depot.bundles import errors
from ferryman.oci.manifest import Descriptor
from ferryman.oci.reference import parse_digest
from ferryman.oci.transports.entries import IMAGE_NAME, REF_NAME
from ferryman.oci.transports.tars import END, header, padding

FORMAT: Final = "ferryman-bundle/1"
CONTEXT: Final = "bundle 1"
"""What a signature is for: one of a bundle is none of an inventory."""
MOST_VOLUMES: Final = 99_999


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes of a blob from `offset`, in `volume` (from 1), in the member whose header is at `at`; with their SHA-256."""

    volume: int
    at: int
    offset: int
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Part:
    """A blob that is in the bundle, and where."""

    digest: Digest
    size: int
    segments: tuple[Segment, ...]

    def name(self, segment: Segment) -> str:
        """Return the name of the member with a segment."""
        return member_name(self.digest, segment.offset, whole=segment.size == self.size)


@dataclass(frozen=True, slots=True)
class Named:
    """A manifest that a repository gets, after those before it, with its tags. `sparse`: children may be missing."""

    repository: str
    digest: Digest
    media_type: str
    size: int
    tags: tuple[str, ...] = ()
    sparse: bool = False


@dataclass(frozen=True)
class Bundle:
    """The signed list. `assumed` are the blobs that the receiver said to have; `volumes` the bytes behind each head.

    `created_at` is when the newest manifest in it came into the depot it was written from, so that the same content gives the
    same bytes.
    """

    key_id: str
    created_at: float
    named: tuple[Named, ...]
    parts: tuple[Part, ...]
    assumed: tuple[Digest, ...]
    volumes: tuple[int, ...]

    @cached_property
    def raw(self) -> bytes:
        """The list as it is signed."""
        document = {
            "format": FORMAT,
            "key_id": self.key_id,
            "created_at": self.created_at,
            "references": [_named_json(one) for one in self.named],
            "blobs": [_part_json(one) for one in self.parts],
            "assumed": [str(one) for one in self.assumed],
            "volumes": [self._volume_json(number) for number in range(1, len(self.volumes) + 1)],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @cached_property
    def id(self) -> str:
        """32 hex digits that name this bundle."""
        return Descriptor.of("", self.raw).digest.hex[:32]

    @property
    def size(self) -> int:
        """Bytes of all blobs in it."""
        return sum(one.size for one in self.parts)

    @property
    def references(self) -> list[str]:
        """Every `REPOSITORY:TAG`, and `REPOSITORY@DIGEST` of what has no tag and came first."""
        return [f"{one.repository}:{tag}" for one in self.named for tag in one.tags]

    def _volume_json(self, number: int) -> dict[str, Any]:
        digests = [str(cut.digest) for one in self.parts for cut in one.segments if cut.volume == number]
        return {
            "number": number,
            "size": self.volumes[number - 1],
            "segments": Descriptor.of("", "\n".join(digests).encode()).digest.hex,
        }

    def index(self) -> bytes:
        """Return `index.json`: what has a tag."""
        entries = [
            {
                "mediaType": one.media_type,
                "digest": str(one.digest),
                "size": one.size,
                "annotations": {
                    REF_NAME: f"{one.repository}:{tag}",
                    IMAGE_NAME: f"{one.repository}:{tag}",
                },
            }
            for one in self.named
            for tag in one.tags
        ]
        return json.dumps({"schemaVersion": 2, "manifests": entries}, separators=(",", ":")).encode()


def member_name(digest: Digest, offset: int, *, whole: bool) -> str:
    """Return the name of a member: that of an OCI layout for a whole blob."""
    if whole:
        return f"blobs/{digest.algorithm}/{digest.hex}"
    return f"parts/{digest.algorithm}/{digest.hex}/{offset}"


def room(name: str, size: int) -> int:
    """Return how many bytes of a tar a member takes."""
    return len(header(name, size)) + size + len(padding(size))


def _named_json(one: Named) -> dict[str, Any]:
    return {
        "repository": one.repository,
        "digest": str(one.digest),
        "media_type": one.media_type,
        "size": one.size,
        "tags": list(one.tags),
        "sparse": one.sparse,
    }


def _part_json(one: Part) -> dict[str, Any]:
    cuts = [
        {
            "volume": cut.volume,
            "at": cut.at,
            "offset": cut.offset,
            "size": cut.size,
            "digest": str(cut.digest),
        }
        for cut in one.segments
    ]
    return {"digest": str(one.digest), "size": one.size, "segments": cuts}


def parse_bundle(raw: bytes, place: str) -> Bundle:
    """Read a list whose signature was checked. Raises `Invalid` (`bundle_invalid`), also for one that contradicts itself."""
    try:
        document = json.loads(raw)
        if document["format"] != FORMAT:
            raise errors.invalid(place, f"has the format '{str(document['format'])[:60]}', not {FORMAT}")
        found = Bundle(
            key_id=str(document["key_id"]),
            created_at=float(document["created_at"]),
            named=tuple(_named(one) for one in document["references"]),
            parts=tuple(_part(one) for one in document["blobs"]),
            assumed=tuple(parse_digest(str(one)) for one in document["assumed"]),
            volumes=tuple(_number(one["size"]) for one in document["volumes"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise errors.invalid(place, "has a list that cannot be read") from error
    except FerryError as error:
        raise errors.invalid(place, f"has a list that cannot be read ({error.message[:200]})") from error
    _check(found, place)
    if found.raw != raw:
        raise errors.invalid(place, "has a list that is not written in its only form")
    return found


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**62:
        raise ValueError(value)
    return value


def _named(one: Mapping[str, Any]) -> Named:
    tags = tuple(str(tag) for tag in one["tags"])
    digest = parse_digest(str(one["digest"]))
    kind = str(one["media_type"])
    return Named(str(one["repository"]), digest, kind, _number(one["size"]), tags, bool(one["sparse"]))


def _part(one: Mapping[str, Any]) -> Part:
    cuts = tuple(
        Segment(
            _number(cut["volume"]),
            _number(cut["at"]),
            _number(cut["offset"]),
            _number(cut["size"]),
            parse_digest(str(cut["digest"])),
        )
        for cut in one["segments"]
    )
    return Part(parse_digest(str(one["digest"])), _number(one["size"]), cuts)


def _check(bundle: Bundle, place: str) -> None:
    """Everything has one place: blobs without gaps, members one behind the other, each volume as long as it says."""
    ends = [0] * len(bundle.volumes)
    if not 1 <= len(ends) <= MOST_VOLUMES or len({one.digest for one in bundle.parts}) != len(bundle.parts):
        raise errors.invalid(place, "has no volumes, too many, or a blob twice")
    for one in bundle.parts:
        done = 0
        for cut in one.segments:
            if not 1 <= cut.volume <= len(ends) or cut.offset != done or cut.at != ends[cut.volume - 1]:
                raise errors.invalid(place, f"contradicts itself about {one.digest}")
            done += cut.size
            ends[cut.volume - 1] += room(one.name(cut), cut.size)
        if done != one.size or not one.segments:
            raise errors.invalid(place, f"does not hold {one.digest} whole")
        if len(one.segments) == 1 and one.segments[0].digest != one.digest:
            raise errors.invalid(place, f"contradicts itself about {one.digest}")
    if any(end + len(END) != size for end, size in zip(ends, bundle.volumes, strict=True)):
        raise errors.invalid(place, "contradicts itself about the size of a volume")

"""Bundles are checked without a depot: every byte of every volume, and blobs across volumes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ferryman.core.digests import new_hasher
from ferryman.depot.bundles import errors
from ferryman.depot.bundles.model import Bundle, Part
from ferryman.depot.bundles.volume import Damage, Volume


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read: `blobs` were whole and right, `size` bytes in all."""

    bundle: Bundle
    blobs: int
    size: int


def verify(
    volumes: Sequence[Volume], tell: Callable[[int], None], broken: Sequence[tuple[str, str]] = ()
) -> Checked:
    """Read everything. Raises `Corrupt` (`volume_damaged`) naming the volumes, `NotFound` (`volume_missing`)."""
    bundle = volumes[0].bundle
    by_number = {one.number: one for one in volumes}
    faults = {one.place: one.fault for one in volumes if one.fault}
    good = [part for part in bundle.parts if _check(part, by_number, faults, tell)]
    for one in volumes:
        try:
            one.check_rest()
        except Damage as error:
            faults.setdefault(one.place, str(error))
    if broken or faults:
        raise errors.damaged([*broken, *faults.items()])
    lacking = [number for number in range(1, len(bundle.volumes) + 1) if number not in by_number]
    if lacking:
        raise errors.missing(lacking, len(bundle.volumes))
    return Checked(bundle, len(good), sum(part.size for part in good))


def _check(
    part: Part, volumes: dict[int, Volume], faults: dict[str, str], tell: Callable[[int], None]
) -> bool:
    """Read a blob; whether it is whole and right."""
    hasher = new_hasher(part.digest.algorithm)
    whole = True
    for one in part.segments:
        volume = volumes.get(one.volume)
        if volume is None:
            whole = False
            continue
        try:
            for piece in volume.pieces(part, one):
                hasher.update(piece)
                tell(len(piece))
        except Damage as error:
            faults.setdefault(volume.place, str(error))
            whole = False
    if whole and hasher.hexdigest() != part.digest.hex:
        faults.setdefault(volumes[part.segments[0].volume].place, f"has another {part.digest} than it says")
        whole = False
    return whole

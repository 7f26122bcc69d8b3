"""Which bytes of which blob go to which volume. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size
from ferryman.depot.bundles.model import MOST_VOLUMES, member_name, room
from ferryman.oci.transports.tars import BLOCK, END

LONGEST_HEADER: Final = 3 * BLOCK
LEAST: Final = LONGEST_HEADER + BLOCK + len(END)
"""Bytes behind the head that a volume has at least."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Bytes of a blob from `offset`, in `volume` (from 1), in the member whose header is at `at` behind the head."""

    volume: int
    at: int
    offset: int
    size: int


def cut(blobs: Sequence[tuple[Digest, int]], most: int | None) -> tuple[list[list[Cut]], list[int]]:
    """Lay `blobs` (digest, size) one behind the other into volumes of at most `most` bytes (None: one volume).

    Returns the pieces of each blob, and how many bytes each volume has, its end included. Raises `Invalid`
    (`volume_size_small`).
    """
    if most is not None and most < LEAST:
        raise too_small(LEAST)
    limit = (most or 1 << 62) - len(END)
    ends, pieces = [0], []
    for digest, size in blobs:
        mine: list[Cut] = []
        done = 0
        while not mine or done < size:
            left = limit - ends[-1]
            take = size - done
            if room(member_name(digest, done, whole=take == size), take) > left:
                take = (left - LONGEST_HEADER) // BLOCK * BLOCK
            if take < 0 or (take == 0 and size > done):
                ends.append(0)
                continue
            mine.append(Cut(len(ends), ends[-1], done, take))
            ends[-1] += room(member_name(digest, done, whole=take == size), take)
            done += take
        pieces.append(mine)
        if len(ends) > MOST_VOLUMES:
            raise too_small(sum(size for _, size in blobs) // MOST_VOLUMES)
    return pieces, [end + len(END) for end in ends]


def too_small(least: int) -> Invalid:
    """The error of volumes that are too small for what is in each of them."""
    return Invalid(
        "volume_size_small",
        "Volumes of this size are too small: each begins with the list of everything.",
        advice=f"Choose more than {format_size(least)} for --volume-size.",
    )

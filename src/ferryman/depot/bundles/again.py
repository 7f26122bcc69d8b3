"""One blob out of the volumes of a bundle that was loaded, to repair what was damaged since."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, NotFound
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.volume import Damage, Volume


def pieces_again(keys: Keys, paths: Sequence[Path], digest: Digest) -> Iterator[memoryview]:
    """Yield the bytes of `digest` from those of `paths` that hold it. Who signed them does not matter: the digest is known.

    Raises `NotFound` (`place_missing`, `blob_unknown`), `Corrupt` (`volume_damaged`).
    """
    failure: FerryError | None = None
    with ExitStack() as stack:
        volumes: list[Volume] = []
        for path in paths:
            try:
                volumes.append(stack.enter_context(closing(Volume(path, keys, trusted=False))))
            except FerryError as error:
                failure = error
        for first in volumes:
            part = next((one for one in first.bundle.parts if one.digest == digest), None)
            mine = {one.number: one for one in volumes if one.bundle.id == first.bundle.id}
            if part is None or any(cut.volume not in mine for cut in part.segments):
                continue
            try:
                for cut in part.segments:
                    yield from mine[cut.volume].pieces(part, cut)
            except Damage as error:
                raise Corrupt(
                    "volume_damaged", f"{first.place} {error}.", advice="Bring the volume again."
                ) from error
            return
    raise failure or NotFound(
        "blob_unknown", f"The volumes {', '.join(map(str, paths))} do not hold all of {digest}."
    )

"""Where models go to: the depot, and a folder that Ollama reads."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Conflict, Corrupt, Denied, Exhausted, FerryError
from ferryman.depot.holds import Hold
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot
from ferryman.oci.manifest import Manifest
from ferryman.oci.ollama import blob_path, manifest_path, model_name, named_by
from ferryman.oci.reference import Reference

_CHUNK: Final = 1024 * 1024


class DepotStore:
    """Implements `carry.Store` on the depot."""

    def __init__(self, depot: Depot, origin: Origin, hold: Hold) -> None:
        """What arrives is of `origin` and kept by `hold` until models name it."""
        self._depot, self._origin, self._hold = depot, origin, hold

    def has(self, digest: Digest) -> bool:
        """Tell whether the depot has a blob, and hold it."""
        return digest in self._hold.keep([digest])

    def put(self, digest: Digest, size: int, pieces: Iterator[bytes]) -> None:
        """Take a blob."""
        with self._depot.writer(self._origin, digest, hold=self._hold, size=size or None) as writer:
            for piece in pieces:
                writer.write(piece)
            writer.commit(digest)

    def name(self, model: Reference, manifest: Manifest) -> bool:
        """Make a model visible. A tag that names another model moves, as when it is fetched again."""
        if self._depot.tagged(model.name, model.tag or "latest") == manifest.digest:
            return False
        self._depot.put_manifest(model.name, manifest, model.tag, self._origin, self._hold)
        return True


class FolderStore:
    """Implements `carry.Store` on the folder `models` of an Ollama home. Links in it are not followed out of it."""

    def __init__(self, home: Path, *, overwrite: bool = False) -> None:
        """Write below `home/models`, made when needed. `overwrite` lets a name take another model."""
        self._root = home / "models"
        self._overwrite = overwrite

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is there; it is read whole, since the folder belongs to others."""
        place = self._root / blob_path(digest)
        if place.is_symlink() or not place.is_file():
            return False
        hasher = new_hasher(digest.algorithm)
        with place.open("rb") as file:
            while piece := file.read(_CHUNK):
                hasher.update(piece)
        return digest.matches(hasher.hexdigest())

    def put(self, digest: Digest, size: int, pieces: Iterator[bytes]) -> None:
        """Write a blob beside its place, check it, move it there."""
        self._check_room(size)
        hasher = new_hasher(digest.algorithm)

        def checked() -> Iterator[bytes]:
            for piece in pieces:
                hasher.update(piece)
                yield piece
            if not digest.matches(hasher.hexdigest()):
                raise Corrupt(
                    "blob_mismatch",
                    f"What should be {digest} is {digest.algorithm}:{hasher.hexdigest()}.",
                    advice="The source is damaged: make it again, or fetch the model again.",
                )

        self._write(self._root / blob_path(digest), checked())

    def name(self, model: Reference, manifest: Manifest) -> bool:
        """Write the manifest, byte for byte, under the spelling that is there when only capitals differ."""
        place = self._spelled(manifest_path(model))
        if place.is_file():
            if place.read_bytes() == manifest.raw:
                return False
            if not self._overwrite:
                raise Conflict(
                    "model_exists",
                    f"There is another '{model_name(named_by(place.parts[-4:]))}' in {self._root}.",
                    advice="It is kept. Use --overwrite to let the name mean the new model.",
                )
        self._write(place, iter((manifest.raw,)))
        return True

    def _spelled(self, path: PurePosixPath) -> Path:
        """Return where a manifest goes: Ollama takes names that differ in capitals for one, so there is one place for them."""
        place = self._root
        for part in path.parts:
            exact = place / part
            if not exact.exists() and place.is_dir():
                found = (one.name for one in sorted(place.iterdir()) if one.name.lower() == part.lower())
                exact = place / next(found, part)
            place = exact
        return place

    def _write(self, place: Path, pieces: Iterator[bytes]) -> None:
        part = place.with_name(f".{place.name}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            self._check(place.parent)
            with _fresh(part) as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
            sync_folder(place.parent)
        except OSError as error:
            raise _translated(error, place) from error
        finally:
            part.unlink(missing_ok=True)

    def _check_room(self, size: int) -> None:
        """Refuse at once what cannot fit; the folder may not be made yet."""
        there = next((one for one in (self._root, *self._root.parents) if one.is_dir()), None)
        if there is not None and shutil.disk_usage(there).free < size:
            raise Exhausted(
                "disk_full",
                f"{size} bytes do not fit on the disk of {there}.",
                advice="Make room and run it again.",
            )

    def _check(self, folder: Path) -> None:
        """Refuse folders that are links to somewhere else."""
        if not folder.resolve().is_relative_to(self._root.resolve()):
            raise Denied(
                "path_escapes",
                f"'{folder}' leads out of {self._root}.",
                advice="Remove the link, or give another home.",
            )


def _fresh(part: Path) -> BinaryIO:
    part.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(part, flags, 0o644), "wb")


def _translated(error: OSError, place: Path) -> FerryError:
    if is_full(error):
        return Exhausted(
            "disk_full", f"The disk of {place.parent} is full.", advice="Make room and run it again."
        )
    return Denied(
        "target_unwritable", f"'{place}' cannot be written: {error.strerror}.", advice="Check its rights."
    )

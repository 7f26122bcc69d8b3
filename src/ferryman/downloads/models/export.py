"""A zip of the folder `models`, for carrying models by hand. Blocking."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ferryman.core.archives.zipping import Packed, write_zip
from ferryman.core.durable import is_full
from ferryman.core.errors import Conflict, Denied, Exhausted
from ferryman.downloads.models.carry import Stock, Stopped
from ferryman.oci.ollama import blob_path, manifest_path


def write_archive(
    stock: Stock,
    path: Path,
    tell: Callable[[int], None],
    *,
    overwrite: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Write `stock` to the zip `path` as `models/…`, and return its bytes; the file appears when it is whole.

    Raises `Conflict` (`target_exists`), `Exhausted` (`disk_full`), `Denied` (`target_unwritable`), `Stopped`.
    """
    if path.exists() and not overwrite:
        raise Conflict("target_exists", f"'{path}' exists.", advice="Use --overwrite, or another name.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_zip(path, _files(stock, tell, stopped))
    except OSError as error:
        if is_full(error):
            raise Exhausted("disk_full", f"The disk of '{path}' is full.", advice="Make room.") from error
        raise Denied(
            "target_unwritable", f"'{path}' cannot be written: {error.strerror}.", advice="Check its rights."
        ) from error


def _files(stock: Stock, tell: Callable[[int], None], stopped: Callable[[], bool]) -> Iterator[Packed]:
    def told(pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if stopped():
                raise Stopped
            yield piece
            tell(len(piece))

    for item in stock.items():
        place = blob_path(item.digest) if item.digest else manifest_path(item.model) if item.model else None
        if place is not None:
            yield Packed(f"models/{place}", item.size, told(item.pieces) if item.digest else item.pieces)

"""`ferry get --unpack`: unpacks what arrived beside itself, without a daemon."""

import hashlib
import os
from pathlib import Path

from ferryman.cli.get_run import Fetch
from ferryman.cli.get_show import Show
from ferryman.core.archives.unpack import bare_name, unpack
from ferryman.core.errors import FerryError
from ferryman.core.units import format_size
from ferryman.transfer.preflight import free_name


def unpack_all(fetches: list[Fetch], show: Show) -> None:
    """Unpack each file that arrived; one that cannot be is shown as failed, and its file stays.

    A file that was there before is only unpacked when it has not been yet.
    """
    for fetch in fetches:
        if fetch.result is None:
            continue
        path = fetch.result.path
        target = path.with_name(bare_name(path.name))
        if os.path.lexists(target):
            if fetch.result.skipped:
                continue
            target = free_name(target)
        try:
            unpacked = unpack(path, target, mark=_mark(path))
        except FerryError as error:
            fetch.result, fetch.error = None, error
            show.failed(fetch.label, error)
            continue
        fetch.unpacked = str(unpacked.path)
        show.message(fetch.label, f"unpacked to {unpacked.path} ({format_size(unpacked.size)})")


def _mark(path: Path) -> str:
    """Return a name for the work on `path` that is the same when it is begun again."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

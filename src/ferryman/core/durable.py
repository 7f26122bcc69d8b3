"""What survives a loss of power, and when a disk is full."""

import errno
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable. Blocks. Raises `OSError`; some network file systems cannot do it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_full(error: OSError) -> bool:
    """Tell whether the disk, or somebody's share of it, has no room. Pure."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}

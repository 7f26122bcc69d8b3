"""Uploads that a registry keeps open, remembered in files: what was interrupted goes on where it was, in any process."""

import contextlib
import hashlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Final

from ferryman.depot.copying.model import Place
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import ResumeUpload, UploadState

WORTH: Final = 8 * 1024 * 1024
"""Bytes from which an upload is worth a file; a smaller blob is sent again."""
KEPT: Final = 7 * 86_400.0
"""Seconds after which a registry has long thrown an upload away."""


class Uploads:
    """Unfinished uploads of one folder, a file each, readable by the owner only: addresses of uploads are secrets.

    Thread-safe. Two processes that send the same blob to the same repository would disturb each other only so far that one
    of them begins anew.
    """

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`, which is made when something is to be kept."""
        self._folder = folder

    def of(self, place: Place, blob: Descriptor) -> ResumeUpload | None:
        """Return what an earlier run left, and where to keep more; None for a blob that is too small."""
        if blob.size < WORTH:
            return None
        name = hashlib.sha256(f"{place.registry}\n{place.repository}\n{blob.digest}".encode()).hexdigest()[
            :40
        ]
        path = self._folder / f"{name}.json"
        return ResumeUpload(_read(path), lambda state: self._save(path, state))

    def sweep(self) -> None:
        """Forget what is too old to be gone on with."""
        with contextlib.suppress(OSError):
            for path in self._folder.glob("*.json"):
                if path.stat().st_mtime < time.time() - KEPT:
                    path.unlink(missing_ok=True)

    def _save(self, path: Path, state: UploadState | None) -> None:
        """Keep `state` durably. A disk that is full costs resuming, not the copy."""
        with contextlib.suppress(OSError):
            if state is None:
                path.unlink(missing_ok=True)
                return
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(handle, json.dumps({"location": state.location, "offset": state.offset}).encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            draft.replace(path)


def _read(path: Path) -> UploadState | None:
    try:
        found = json.loads(path.read_bytes())
        location, offset = found["location"], found["offset"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if isinstance(location, str) and isinstance(offset, int) and offset >= 0:
        return UploadState(location, offset)
    return None

"""How far a bundle is that is being written, beside it in `.NAME.ferry`: an attempt after `kill -9` goes on from there.

Lines: the boot of the machine and the kind, the signature, the signed list; then one for each file that has its name, with what it looked
like. The file is locked by whoever writes; it is gone when all is written. Nothing in it is trusted that does not bear our signature.
"""

import json
import os
from pathlib import Path
from typing import Self

from ferryman.core.errors import Conflict, FerryError
from ferryman.depot.bundles.keys import OWN, Keys
from ferryman.depot.bundles.model import CONTEXT, Bundle, parse_bundle
from ferryman.depot.writer import take
from ferryman.transfer.journal import boot_id

_MOST = 160 << 20


class WritingProgress:
    """The record of one bundle, locked. For one thread; a context manager that lets go of the lock."""

    def __init__(self, output: Path, keys: Keys, kind: str) -> None:
        """Open and lock that of `output`; `kind` says how it is written. Raises `Conflict` (`bundle_busy`), `OSError`."""
        self._path, self._keys = output.with_name(f".{output.name}.ferry"), keys
        handle = take(self._path, make=True)
        if handle is None:
            raise Conflict(
                "bundle_busy",
                f"Somebody else writes {output} right now.",
                advice="Wait until that is done, or choose another name.",
            )
        self._file = os.fdopen(handle, "r+b")
        self._kind = kind.encode()
        self.same_boot = False
        """Whether the machine was not switched off since: what was written is there."""
        self._notes: list[bytes] = []

    def read(self) -> Bundle | None:
        """Return the list of an earlier attempt of the same kind; None when there is none that we signed."""
        self._file.seek(0)
        start, seal, raw, *notes = [*self._file.read(_MOST).split(b"\n"), b"", b"", b""]
        boot, _, kind = start.partition(b" ")
        if self._kind not in {kind, b""}:
            return None
        try:
            if self._keys.check(CONTEXT, raw, seal, str(self._path)).name != OWN:
                return None
            found = parse_bundle(raw, str(self._path))
        except FerryError:
            return None
        self.same_boot = boot.decode("ascii", "replace") == boot_id()
        self._notes = notes
        return found

    def begin(self, bundle: Bundle, seal: bytes) -> None:
        """Record a new list; what stood there is forgotten. Durable."""
        self._notes, self.same_boot = [], False
        self._file.seek(0)
        self._file.truncate()
        self._file.write(b"\n".join((boot_id().encode() + b" " + self._kind, seal, bundle.raw, b"")))
        self._file.flush()
        os.fsync(self._file.fileno())

    def note(self, number: int, file: Path) -> None:
        """Record that volume `number` is complete and has its name."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(_line(number, file) + b"\n")
        self._file.flush()

    def has(self, number: int, file: Path) -> bool:
        """Tell whether volume `number` was completed, and nobody touched its file since."""
        try:
            return _line(number, file) in self._notes
        except OSError:
            return False

    def end(self) -> None:
        """Take the record away: all is written, or nobody wants it any more."""
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Nothing is left to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the lock; what was recorded stays, and a file in which nothing is goes."""
        if os.fstat(self._file.fileno()).st_size == 0:
            self._path.unlink(missing_ok=True)
        self._file.close()


def _line(number: int, file: Path) -> bytes:
    found = file.lstat()
    about = {"volume": number, "size": found.st_size, "inode": found.st_ino, "written": found.st_mtime_ns}
    return json.dumps(about).encode()

"""Volumes as they are read: the head, checked byte by byte, and the segments behind it.

Nothing in a tar is taken at its word: after the signed list was read, every header has to be exactly the one that the list
implies. So no name, link, device or size of the file itself ever counts.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ferryman.core.archives.streams import compression_of, opened
from ferryman.core.digests import new_hasher
from ferryman.core.errors import Corrupt, FerryError, Invalid, NotFound
from ferryman.depot.bundles import errors
from ferryman.depot.bundles.keys import Keys, PublicKey
from ferryman.depot.bundles.model import CONTEXT, Bundle, Part, Segment, parse_bundle
from ferryman.oci.transports.entries import VERSION
from ferryman.oci.transports.tars import BLOCK, END, header, padding

PIECE: Final = 1 << 20
MOST_LIST: Final = 64 << 20
"""Bytes of the signed list."""
LIST: Final = "ferryman/bundle.json"
SEAL: Final = "ferryman/signature.json"
WHICH: Final = "ferryman/volume.json"
_MOST_SEAL: Final = 4096
_WINDOW: Final = 128 << 20


class Damage(Exception):
    """Bytes of a volume are not what was signed; the text says what is wrong."""


def head(bundle: Bundle, seal: bytes, number: int) -> bytes:
    """Return what volume `number` begins with; the same for the same list."""
    return b"".join(
        header(name, len(content)) + content + padding(len(content))
        for name, content in (
            (LIST, bundle.raw),
            (SEAL, seal),
            (WHICH, which(bundle, number)),
            ("oci-layout", VERSION),
            ("index.json", bundle.index()),
        )
    )


def which(bundle: Bundle, number: int) -> bytes:
    """Return the document that says which volume of which bundle this is."""
    return json.dumps({"bundle": bundle.id, "volume": number}).encode()


class Volume:
    """One file of a bundle, open. For one thread. `fault` is what is wrong with it as far as is known by now."""

    def __init__(self, path: Path, keys: Keys, *, trusted: bool = True) -> None:
        """Read the head. Raises `NotFound` (`place_missing`), `Denied` (`key_untrusted`) with `trusted`, `Corrupt`, `Invalid`."""
        self.path, self.place = path, str(path)
        self.fault = ""
        self._bytes = _Bytes(path)
        try:
            raw = self._document(LIST, MOST_LIST)
            seal = self._document(SEAL, _MOST_SEAL)
            check = keys.demand if trusted else keys.check
            self.key: PublicKey = check(CONTEXT, raw, seal, self.place)
            self.bundle = parse_bundle(raw, self.place)
            self._check_key()
            self.number = self._number()
            self._check_head(seal)
        except FerryError as error:
            self.close()
            if error.code.startswith(
                "archive_"
            ):  # a compressed stream that is none, or wants too much memory
                raise errors.invalid(self.place, f"cannot be unpacked: {error.message[:200]}") from error
            raise
        except BaseException:
            self.close()
            raise

    def pieces(self, part: Part, segment: Segment, skip: int = 0) -> Iterator[memoryview]:
        """Yield the bytes of a segment, which are good only when the end is reached. Raises `Damage`.

        The first `skip` bytes are not read; then nothing is good before the digest of the whole blob is right.
        """
        name = part.name(segment)
        wanted = header(name, segment.size)
        try:
            self._bytes.seek(self._start + segment.at)
            if self._bytes.read(len(wanted)) != wanted:
                raise Damage(f"has something else where {name} should be")
            hasher = new_hasher(segment.digest.algorithm)
            left = segment.size - skip
            if skip:
                self._bytes.seek(self._start + segment.at + len(wanted) + skip)
            while left:
                piece = self._bytes.read(min(PIECE, left))
                if not piece:
                    raise Damage(f"ends within {name}")
                hasher.update(piece)
                left -= len(piece)
                yield memoryview(piece)
        except FerryError as error:  # a compressed stream that is none
            raise Damage(f"cannot be unpacked: {error.message[:200]}") from error
        if not skip and hasher.hexdigest() != segment.digest.hex:
            raise Damage(f"is damaged at {part.digest}")

    def check_rest(self) -> None:
        """Read what stands between and behind the segments. Raises `Damage`."""
        try:
            for part in self.bundle.parts:
                for cut in part.segments:
                    self._check_padding(part, cut)
            self._bytes.seek(self._start + self.bundle.volumes[self.number - 1] - len(END))
            if self._bytes.read(len(END)) != END or self._bytes.read(1):
                raise Damage("does not end where it should")
        except FerryError as error:
            raise Damage(f"cannot be unpacked: {error.message[:200]}") from error

    def _check_padding(self, part: Part, cut: Segment) -> None:
        zeros = padding(cut.size)
        if cut.volume != self.number or not zeros or self._bytes.packed:
            return
        self._bytes.seek(self._start + cut.at + len(header(part.name(cut), cut.size)) + cut.size)
        if self._bytes.read(len(zeros)) != zeros:
            raise Damage(f"has something behind {part.name(cut)}")

    def close(self) -> None:
        """Close the file. Repeatable."""
        self._bytes.close()

    def _document(self, name: str, most: int) -> bytes:
        """Read the next member of the head, which has to be a file of that name."""
        block = self._bytes.read(BLOCK)
        size = _size_of(block)
        if len(block) < BLOCK or size is None:
            raise errors.invalid(
                self.place, "does not begin like one" if name == LIST else "is cut or damaged"
            )
        if block != header(name, size):
            shown = block[:100].rstrip(b"\0").decode("utf-8", "replace")
            if name == LIST:
                raise errors.invalid(self.place, f"begins with '{shown[:80]}'".replace("\n", " "))
            raise errors.member(self.place, shown, name)
        if size > most:
            raise errors.invalid(self.place, f"has {size} bytes of {name}, more than {most}")
        content = self._bytes.read(size)
        zeros = self._bytes.read(len(padding(size)))
        if len(content) < size or zeros != padding(size):
            raise errors.invalid(self.place, f"is cut or damaged at {name}")
        return content

    def _check_key(self) -> None:
        if self.bundle.key_id != self.key.id:
            raise errors.invalid(self.place, "names another key than the one it is signed with")

    def _number(self) -> int:
        try:
            number = json.loads(self._document(WHICH, _MOST_SEAL))["volume"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise errors.invalid(self.place, "does not say which volume it is") from error
        if not isinstance(number, int) or not 1 <= number <= len(self.bundle.volumes):
            raise errors.invalid(self.place, "says it is a volume that there is not")
        return number

    def _check_head(self, seal: bytes) -> None:
        wanted = head(self.bundle, seal, self.number)
        self._bytes.seek(0)
        if self._bytes.read(len(wanted)) != wanted:
            raise errors.member(self.place, "something else", "the list of the layout")
        self._start = len(wanted)
        size = self._start + self.bundle.volumes[self.number - 1]
        if not self._bytes.packed and self._bytes.size != size:
            self.fault = f"has {self._bytes.size:,} bytes, not {size:,}"


class _Bytes:
    """The bytes of a file, decompressed when they are packed; backwards in those means from the beginning again."""

    def __init__(self, path: Path) -> None:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(
                "place_missing",
                f"There is no file '{path}'.",
                advice="Check its name; the volumes of a split bundle are FILE.001, FILE.002 and so on.",
            ) from error
        except OSError as error:
            raise errors.invalid(str(path), f"cannot be opened ({error.strerror})") from error
        self._file = os.fdopen(handle, "rb", buffering=0)
        self.packed = False
        try:
            self.size = os.fstat(handle).st_size
            kind = compression_of(os.pread(handle, 8, 0))
        except OSError as error:
            self._file.close()
            raise errors.invalid(str(path), f"cannot be read ({error.strerror})") from error
        if kind not in {None, "zst"}:
            self._file.close()
            raise errors.invalid(str(path), f"is packed with {kind}")
        self.packed = kind == "zst"
        self._at = 0
        self._stream = opened(self._file, "zst", _WINDOW) if self.packed else None

    def seek(self, position: int) -> None:
        if self._stream is None:
            self._at = position
            return
        if position < self._at:
            self._file.seek(0)
            self._stream, self._at = opened(self._file, "zst", _WINDOW), 0
        while self._at < position and self.read(min(PIECE, position - self._at)):
            pass

    def read(self, count: int) -> bytes:
        """Return `count` bytes, fewer only at the end."""
        found = bytearray()
        while len(found) < count:
            wanted = min(count - len(found), PIECE)
            if self._stream is not None:
                data = self._stream.read(wanted)
            else:
                data = os.pread(self._file.fileno(), wanted, self._at)
            if not data:
                break
            self._at += len(data)
            found += data
        return bytes(found)

    def close(self) -> None:
        self._file.close()


def _size_of(block: bytes) -> int | None:
    field = block[124:136].rstrip(b"\0 ")
    return int(field, 8) if field and all(sign in b"01234567" for sign in field) else None


def open_all(
    paths: list[Path], keys: Keys, *, trusted: bool = True
) -> tuple[list[Volume], list[tuple[str, str]]]:
    """Open the volumes of one bundle. Returns those that can be used, and (place, why) of those whose head is damaged.

    A file that is no volume at all counts as a damaged one while others are good: what is good is brought.

    Raises `Conflict` (`volume_foreign`), what `Volume` raises unless it is damage, and that as well when none is left.
    """
    found: dict[int, Volume] = {}
    broken: list[tuple[str, str]] = []
    last: Corrupt | Invalid | None = None
    for path in paths:
        try:
            _add(found, Volume(path, keys, trusted=trusted))
        except (Corrupt, Invalid) as error:
            broken.append((str(path), error.message))
            last = error
        except BaseException:
            for volume in found.values():
                volume.close()
            raise
    if not found and last is not None:
        raise last
    return list(found.values()), broken


def _add(found: dict[int, Volume], volume: Volume) -> None:
    """Add a volume to those of its bundle. Raises `Conflict` (`volume_foreign`)."""
    first = next(iter(found.values()), volume)
    if first.bundle.id != volume.bundle.id:
        volume.close()
        raise errors.mixed(volume.place)
    if volume.number in found:
        volume.close()
    else:
        found[volume.number] = volume


def volumes_of(paths: list[Path]) -> list[Path]:
    """Return the files that are meant: `FILE` stands for `FILE.001`, `FILE.002` … when it is not there itself."""
    found: list[Path] = []
    for path in paths:
        found += ([] if path.exists() else split_of(path)) or [path]
    return found


def split_of(path: Path) -> list[Path]:
    """Return the volumes `FILE.001`, `FILE.002` … that are there."""
    found = path.parent.glob(f"{_escaped(path.name)}.[0-9][0-9][0-9]*")
    return sorted(one for one in found if one.suffix[1:].isdigit())


def _escaped(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)

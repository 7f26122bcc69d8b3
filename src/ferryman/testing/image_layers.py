"""Layers of images: small file systems as tars, the same bytes for the same content; plain, gzip or Zstandard."""

import hashlib
import io
import os
import random
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, cast

import zstandard

CHUNK: Final = 1 << 20
APPLETS: Final = ("sh", "ls", "cat", "echo", "true", "false", "sleep", "id", "env", "wget", "sha256sum")
Compression = Literal["gzip", "zstd", "none"]


@dataclass(frozen=True, slots=True)
class Noise:
    """`size` bytes that no compression makes smaller, the same for the same seed."""

    size: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file of a layer; with `link` a symbolic link to that path."""

    data: bytes | Noise = b""
    mode: int = 0o644
    link: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written: the digest of the bytes and their number, and the digest of the tar inside."""

    digest: str
    size: int
    diff_id: str


def pack_files(out: BinaryIO, files: Mapping[str, File | bytes], compression: Compression) -> Packed:
    """Write a layer of files by path without a leading slash; folders come by themselves."""
    sink = _Sink(out, compression, 0 if _noisy(files) else 6)
    entries = [(_info(path, entry), entry) for path, entry in _with_folders(files)]
    # The older format holds eleven octal digits of size; what needs more is written as GNU tar does.
    large = any(info.size >= 8**11 for info, _ in entries)
    with tarfile.open(
        fileobj=cast("BinaryIO", sink),
        mode="w|",
        format=tarfile.GNU_FORMAT if large else tarfile.USTAR_FORMAT,
    ) as tar:
        for info, entry in entries:
            tar.addfile(info, _reader(entry))
    return sink.finish()


def pack_tree(out: BinaryIO, root: Path, compression: Compression) -> Packed:
    """Write a layer of everything below a folder but devices and sockets; owners and modes stay, times become 0."""
    sink = _Sink(out, compression, 1)
    with tarfile.open(fileobj=cast("BinaryIO", sink), mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path in _below(root):
            info = tar.gettarinfo(path, str(path.relative_to(root)))
            info.mtime = 0
            info.uname = info.gname = ""
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return sink.finish()


def busybox_files() -> Mapping[str, File | bytes]:
    """Return a small root file system with a static shell, when the machine has `busybox-static`."""
    files: dict[str, File | bytes] = {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n",
        "etc/group": b"root:x:0:\n",
        "etc/os-release": b"ID=ferryman-made\nPRETTY_NAME=Made for tests\n",
        "tmp/.keep": b"",
    }
    program = next((p for p in map(Path, ("/bin/busybox", "/usr/bin/busybox")) if p.is_file()), None)
    if program is None:
        return files | {"etc/no-programs": b"busybox-static is not installed where this was made\n"}
    files["bin/busybox"] = File(program.read_bytes(), 0o755)
    return files | {f"bin/{name}": File(link="busybox") for name in APPLETS}


class _Sink:
    """Compresses and hashes what a tar writer writes."""

    def __init__(self, out: BinaryIO, compression: Compression, level: int) -> None:
        self._out = out
        self.plain = hashlib.sha256()
        self.packed = hashlib.sha256()
        self.size = 0
        self._packer: Any = None
        if compression == "gzip":
            self._packer = zlib.compressobj(level, zlib.DEFLATED, 31)
        elif compression == "zstd":
            self._packer = zstandard.ZstdCompressor().compressobj()

    def write(self, data: bytes) -> int:
        self.plain.update(data)
        self._pass(self._packer.compress(data) if self._packer else data)
        return len(data)

    def finish(self) -> Packed:
        if self._packer:
            self._pass(self._packer.flush())
        return Packed(f"sha256:{self.packed.hexdigest()}", self.size, f"sha256:{self.plain.hexdigest()}")

    def _pass(self, data: bytes) -> None:
        self.packed.update(data)
        self.size += len(data)
        self._out.write(data)


class _NoiseReader(io.RawIOBase):
    """Reads noise piece by piece."""

    def __init__(self, noise: Noise) -> None:
        self._left = noise.size
        self._random = random.Random(noise.seed)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        while len(self._rest) < wanted:
            self._rest += self._random.randbytes(CHUNK)
        data, self._rest = self._rest[:wanted], self._rest[wanted:]
        self._left -= wanted
        return data


def _reader(entry: File) -> BinaryIO | None:
    if entry.link:
        return None
    if isinstance(entry.data, Noise):
        return cast("BinaryIO", _NoiseReader(entry.data))
    return io.BytesIO(entry.data)


def _noisy(files: Mapping[str, File | bytes]) -> bool:
    return any(isinstance(one, File) and isinstance(one.data, Noise) for one in files.values())


def _with_folders(files: Mapping[str, File | bytes]) -> Iterator[tuple[str, File]]:
    folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
    entries = {folder + "/": File(mode=0o755) for folder in folders}
    entries |= {path: one if isinstance(one, File) else File(one) for path, one in files.items()}
    yield from sorted(entries.items())


def _info(path: str, entry: File) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.rstrip("/"))
    info.mode = entry.mode
    if path.endswith("/"):
        info.type = tarfile.DIRTYPE
    elif entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
    else:
        info.size = entry.data.size if isinstance(entry.data, Noise) else len(entry.data)
    return info


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder that a layer can hold, in an order that does not depend on the file system."""
    for path in sorted(folder.iterdir()):
        kind = os.lstat(path).st_mode
        if stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind):
            yield path
        if stat.S_ISDIR(kind):
            yield from _below(path)

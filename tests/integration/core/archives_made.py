"""Archives for tests, friendly and hostile, written byte by byte where no library would write them."""

import io
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import py7zr

MIB = 1 << 20


def zip_of(path: Path, files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of files; a text is the target of a link."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that come twice
        for name, content in files.items():
            item = zipfile.ZipInfo(name, (2024, 5, 1, 12, 0, 0))
            item.compress_type = method
            item.external_attr = (0o120777 if isinstance(content, str) else 0o100644) << 16
            archive.writestr(item, content)
    return path


def zip_entry(path: Path, name: str, mode: int, content: bytes = b"x") -> Path:
    """A zip with one entry of any Unix mode."""
    with zipfile.ZipFile(path, "w") as archive:
        item = zipfile.ZipInfo(name)
        item.external_attr = mode << 16
        archive.writestr(item, content)
    return path


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    """A tar archive of the members."""
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(content))
    return path


def member(name: str, content: bytes = b"", **values) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar archive; `values` are attributes such as `type` and `linkname`."""
    info = tarfile.TarInfo(name)
    info.mtime = 1_700_000_000
    for key, value in values.items():
        setattr(info, key, value)
    return info, content


def seven_of(path: Path, files: dict[str, bytes]) -> Path:
    """A 7z archive of files, under names that the library would not write."""
    with py7zr.SevenZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(files.items()):
            archive.writestr(content, str(number))
            archive.header.files_info.files[number]["filename"] = name
    return path


def lying_zip(path: Path, name: str, content: bytes, claimed: int) -> Path:
    """A zip whose directory and header claim another size than the content has."""
    packed = zlib.compress(content, 9)[2:-4]
    values = (20, 0, 8, 0, 0x5821, zlib.crc32(content), len(packed), claimed, len(name))
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *values, 0) + name.encode() + packed
    central = (
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *values, 0, 0, 0, 0, 0o100644 << 16, 0) + name.encode()
    )
    path.write_bytes(local + central + end_of(1, len(central), len(local)))
    return path


def overlapping_zip(path: Path, copies: int) -> Path:
    """A zip in which many entries are the same bytes: the way of small files that become huge."""
    content = b"\0" * MIB
    packed = zlib.compress(content, 9)[2:-4]
    values = (20, 0, 8, 0, 0x5821, zlib.crc32(content), len(packed), len(content), 1)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *values, 0) + b"a" + packed
    directory = b""
    for number in range(copies):
        name = f"{number:05d}".encode()
        entry = (*values[:-1], len(name))
        directory += (
            struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, *entry, 0, 0, 0, 0, 0o100644 << 16, 0) + name
        )
    path.write_bytes(local + directory + end_of(copies, len(directory), len(local)))
    return path


def end_of(count: int, size: int, offset: int) -> bytes:
    """The end of a zip archive."""
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, min(count, 65535), min(count, 65535), size, offset, 0)


def long_header_tar(path: Path, size: int) -> Path:
    """A compressed tar whose extended header claims `size` bytes, of which there are that many zeros."""
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, size
    with lzma.open(path, "wb", preset=1) as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(size // MIB):
            file.write(b"\0" * MIB)
    return path


def sparse_tar(path: Path, size: int) -> Path:
    """A GNU sparse file that claims `size` bytes and has one."""
    info = tarfile.TarInfo("hole")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386 : 386 + 24] = b"%011o\0%011o\0" % (0, 512)
    block[482] = 0
    block[483:495] = b"\x80\0\0\0" + size.to_bytes(8, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(bytes(block) + b"x" * 512 + b"\0" * 1024)
    return path

"""The tar format as far as images need it: an index of the members of a file, and headers for a tar that is written.

An index is made by reading headers only: nothing is unpacked, and no name of a member ever becomes a path.
"""

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ferryman.core.archives import guard
from ferryman.core.archives.model import ArchiveLimits
from ferryman.core.archives.streams import damaged
from ferryman.core.errors import Invalid

BLOCK: Final = 512
_LONGEST_EXTRA: Final = 1 << 20
"""Bytes of an extended header; names and numbers need a few hundred."""
_MOST_NAMES: Final = 32 << 20
"""Bytes that the names of all members may have together."""
_EMPTY: Final = frozenset(
    {tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
)
"""Types that have no content, whatever their size says."""
_LINKS: Final = frozenset({tarfile.SYMTYPE, tarfile.LNKTYPE})
_DEVICES: Final = frozenset({tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE})
_REGULAR: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the tar: where its bytes begin in the archive, and how many they are."""

    start: int
    size: int


@dataclass(slots=True)
class Index:
    """What is in a tar: `files` by name, `links` by name to the name they lead to, and names that came more than once."""

    files: dict[str, Member] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)

    def find(self, name: str) -> Member | None:
        """Return the file of that name, through at most a few links; None when there is none."""
        for _ in range(8):
            if name in self.files:
                return self.files[name]
            if name not in self.links:
                return None
            name = self.links[name]
        return None


@dataclass(frozen=True, slots=True)
class _Header:
    """What extended headers say about the member after them."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    sparse: bool = False


def scan(descriptor: int, limits: ArchiveLimits) -> Index:
    """Read the headers of the tar in a file and return its members.

    Raises `Corrupt` (`archive_damaged`) for what is no tar, is cut, or contradicts itself, and `Invalid` (`archive_path`,
    `archive_link`, `archive_special`, `archive_limit`) for names that lead out, such links, devices and too many members.
    """
    length = os.fstat(descriptor).st_size
    budget = guard.Budget(limits, length)
    found = Index()
    names = 0
    for info, start in _members(descriptor, length):
        budget.entry(info.name)
        parts = guard.parts_of(info.name, limits)
        names += len(info.name) + len(info.linkname)
        if names > _MOST_NAMES:
            raise guard.too_much("The names of the members are too long", f"{_MOST_NAMES} bytes")
        _add(found, info, parts, start)
    return found


def _add(found: Index, info: tarfile.TarInfo, parts: tuple[str, ...], start: int) -> None:
    name = "/".join(parts)
    if info.type in _DEVICES:
        raise guard.special(info.name, "a device or a pipe")
    if info.type in _LINKS:
        # A hard link counts from the root of the archive, a symbolic one from where it is.
        where = parts if info.type == tarfile.SYMTYPE else ("",)
        target = guard.link_of(info.name, where, info.linkname)
        base = parts[:-1] if info.type == tarfile.SYMTYPE else ()
        found.links.setdefault(name, _joined((*base, *target.split("/"))))
    elif info.type in _REGULAR:
        if name in found.files:
            found.twice.add(name)
        else:
            found.files[name] = Member(start, info.size)


def _joined(parts: tuple[str, ...]) -> str:
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept[-1:] = []
        elif part not in {"", "."}:
            kept.append(part)
    return "/".join(kept)


def _members(descriptor: int, length: int) -> Iterator[tuple[tarfile.TarInfo, int]]:
    """Yield every member with where its content begins; extended headers are applied."""
    at, extra = 0, _Header()
    while at + BLOCK <= length:
        block = os.pread(descriptor, BLOCK, at)
        if not block.strip(b"\0"):
            return
        info = _header(block, at)
        at += BLOCK
        if info.type in _EXTENDED:
            extra = _extended(info, extra, _exactly(descriptor, info, at, length))
            at += _padded(info.size)
            continue
        info.name = extra.name if extra.name is not None else info.name
        info.linkname = extra.target if extra.target is not None else info.linkname
        info.size = extra.size if extra.size is not None else info.size
        if extra.sparse or info.type == tarfile.GNUTYPE_SPARSE:
            raise guard.special(info.name, "a sparse file")
        extra = _Header()
        content = 0 if info.type in _EMPTY else info.size
        if content < 0 or at + content > length:
            raise damaged(f"'{guard.shown(info.name)}' ends after the end of the file")
        yield info, at
        at += _padded(content)
    if at == 0 or extra != _Header():
        raise damaged("it ends within a header" if at else "it is too short for a tar")


def _header(block: bytes, at: int) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise damaged(f"at byte {at} there is no tar header ({error})") from error


def _exactly(descriptor: int, info: tarfile.TarInfo, at: int, length: int) -> bytes:
    if not 0 <= info.size <= _LONGEST_EXTRA:
        raise guard.too_much(f"An extended header has {info.size} bytes", f"{_LONGEST_EXTRA} bytes")
    if at + info.size > length:
        raise damaged("it ends within an extended header")
    return os.pread(descriptor, info.size, at)


def _long_name(data: bytes, extra: _Header) -> _Header:
    return _Header(_text(data), extra.target, extra.size, extra.sparse)


def _long_link(data: bytes, extra: _Header) -> _Header:
    return _Header(extra.name, _text(data), extra.size, extra.sparse)


def _pax(data: bytes, extra: _Header) -> _Header:
    records = dict(_records(data))
    size = records.get("size")
    if size is not None and not (size.isascii() and size.isdecimal() and len(size) < 20):
        raise damaged(f"an extended header has the size '{guard.shown(size)}'")
    return _Header(
        records.get("path", extra.name),
        records.get("linkpath", extra.target),
        extra.size if size is None else int(size),
        extra.sparse or any(name.startswith("GNU.sparse") for name in records),
    )


def _for_all(data: bytes, extra: _Header) -> _Header:
    """Headers for all members: whoever writes the name or size of every member there wants to be read in two ways."""
    if {"path", "linkpath", "size"} & dict(_records(data)).keys():
        raise damaged("an extended header gives all members the same name or size")
    return extra


_EXTENDED: Final[Mapping[bytes, Callable[[bytes, _Header], _Header]]] = {
    tarfile.GNUTYPE_LONGNAME: _long_name,
    tarfile.GNUTYPE_LONGLINK: _long_link,
    tarfile.XHDTYPE: _pax,
    tarfile.SOLARIS_XHDTYPE: _pax,
    tarfile.XGLTYPE: _for_all,
}


def _extended(info: tarfile.TarInfo, extra: _Header, data: bytes) -> _Header:
    return _EXTENDED[info.type](data, extra)


def _records(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the lines `LENGTH KEY=VALUE` of an extended header (POSIX.1-2001, "pax Header Block")."""
    at = 0
    while at < len(data) and data[at]:
        head, space, _ = data[at : at + 20].partition(b" ")
        length = int(head) if space and head.isdigit() else 0
        record = data[at + len(head) + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if length <= len(head) + 1 or at + length > len(data) or not equals or not value.endswith(b"\n"):
            raise damaged("an extended header has no records")
        yield _text(key), _text(value[:-1])
        at += length


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def header(name: str, size: int) -> bytes:
    """Return the header of a file of `size` bytes; the same for the same name and size."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return the zeros after a content of `size` bytes."""
    return bytes(_padded(size) - size)


END: Final = bytes(2 * BLOCK)
"""What a tar ends with."""


def refuse_twice(found: Index, names: frozenset[str]) -> None:
    """Raise `Invalid` (`archive_duplicate`) when one of `names` is in the archive more than once."""
    for name in sorted(names & (found.twice | (found.files.keys() & found.links.keys()))):
        raise guard.clash(name)


def no_links(found: Index) -> None:
    """Raise `Invalid` (`archive_link`) when the archive has links: an OCI layout has none."""
    for name, target in found.links.items():
        raise Invalid(
            "archive_link",
            f"'{guard.shown(name)}' is a link to '{guard.shown(target)}'; an OCI layout has no links.",
            advice="Do not trust this archive; nothing of it was kept.",
        )

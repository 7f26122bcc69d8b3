"""Unpacks an archive so that a kill at any moment leaves either nothing or all of it."""

import contextlib
import errno
import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from ferryman.core.archives import seven, tars, zips
from ferryman.core.archives.guard import Budget, link_of, parts_of
from ferryman.core.archives.model import (
    CHUNK,
    ArchiveLimits,
    Contents,
    Entry,
    Interrupted,
    Kind,
    Pieces,
    Progress,
    Step,
    Unpacked,
)
from ferryman.core.archives.streams import compression_of, opened
from ferryman.core.archives.tree import Tree, refuse_special
from ferryman.core.durable import is_full, sync_folder
from ferryman.core.errors import Conflict, Denied, Exhausted, FerryError, Invalid, Unavailable
from ferryman.core.units import format_size

ENDINGS: Final = (*tars.ENDINGS, ".zip", ".7z", ".gz", ".bz2", ".xz", ".zst")
"""What names of archives end with; what an archive is, its first bytes say."""


def bare_name(name: str) -> str:
    """Return the name of an archive without what says that it is one; the content goes under it."""
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    stem = name[: len(name) - len(ending)] if ending else ""
    return stem if stem.strip(". ") else f"{name} unpacked"


def staging_of(target: Path, mark: str) -> Path:
    """Return the folder that is written to until all is there: beside the target, so that renaming is enough."""
    return target.with_name(f".{mark}.unpacking")


def unpack(
    archive: Path,
    target: Path,
    *,
    mark: str,
    limits: ArchiveLimits | None = None,
    progress: Progress = lambda _step: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Unpacked:
    """Unpack `archive` to `target`, which must not be there: a folder, or the file of a single compressed one.

    `mark` names the caller, so that what an earlier call with it left half-done is removed first. Blocks; `stopped` is
    asked about every piece. Raises `Interrupted`; `Invalid` (`archive_…`) for what is refused, `Corrupt`
    (`archive_damaged`), `Conflict` (`target_exists`), `Exhausted` (`disk_full`), `Denied`. Then nothing is left.
    """
    limits = limits or ArchiveLimits()
    staging = staging_of(target, mark)
    if os.path.lexists(target):
        raise _exists(target)
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        with archive.open("rb") as file:
            budget = Budget(limits, os.fstat(file.fileno()).st_size)
            contents = contents_of(file, archive.name, limits)
            budget.declared(contents.count, contents.size)
            _check_room(staging, contents.size)
            _write(contents, Tree(staging), budget, limits, progress, stopped)
        _show(staging, target, single=contents.single)
        return Unpacked(target, budget.entries, budget.size)
    except OSError as error:
        raise _translated(error, target) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def contents_of(file: BinaryIO, name: str, limits: ArchiveLimits) -> Contents:
    """Return what is in the archive called `name`, known by its first bytes. Raises `Invalid` (`archive_unknown`) and as the readers."""
    start = file.read(512)
    file.seek(0)
    if start.startswith(zips.MAGICS):
        return zips.read(file, limits)
    if start.startswith(seven.MAGIC):
        return seven.read(file, limits)
    compression = compression_of(start)
    if compression is None:
        if tars.is_tar(start, name):
            return tars.read(file, limits)
        raise Invalid(
            "archive_unknown",
            "The file is no archive that can be unpacked.",
            advice="Zip, tar, 7z, gz, bz2, xz and zst can; leave unpacking out for others.",
        )
    stream = opened(file, compression, limits.memory)
    if tars.is_tar(stream.peek(512)[:512], name):
        return tars.read(stream, limits)
    return Contents(iter([(Entry(bare_name(name)), _all(stream))]), 1, None, single=True)


def _all(stream: io.BufferedReader) -> Pieces:
    while piece := stream.read(CHUNK):
        yield piece


def _write(
    contents: Contents,
    tree: Tree,
    budget: Budget,
    limits: ArchiveLimits,
    progress: Progress,
    stopped: Callable[[], bool],
) -> None:
    def counted(entry: Entry, pieces: Pieces) -> Iterator[bytes]:
        for piece in pieces:
            budget.add(entry.name, len(piece))
            if stopped():
                raise Interrupted
            yield piece
            progress(Step(budget.entries, budget.size, contents.size))

    for entry, pieces in contents.entries:
        budget.entry(entry.name)
        if stopped():
            raise Interrupted
        refuse_special(entry)
        parts = parts_of(entry.name, limits)
        match entry.kind:
            case Kind.FOLDER:
                tree.folder(entry, parts)
            case Kind.LINK:
                tree.link(entry, parts, link_of(entry.name, parts, entry.target))
            case Kind.HARDLINK:
                tree.hardlink(entry, parts, parts_of(entry.target, limits))
            case _:
                tree.file(entry, parts, counted(entry, pieces))
    tree.finish()
    progress(Step(budget.entries, budget.size, contents.size))


def _show(staging: Path, target: Path, *, single: bool) -> None:
    """Make everything durable, then give it its real name."""
    os.sync()
    if single:
        (inside,) = staging.iterdir()
        try:
            os.link(
                inside, target, follow_symlinks=False
            )  # unlike rename, never replaces what came meanwhile
        except FileExistsError:
            raise _exists(target) from None
    else:
        try:
            staging.rename(target)
        except OSError as error:
            if error.errno in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise _exists(target) from error
            raise
    with contextlib.suppress(OSError):  # some network file systems refuse to flush a folder
        sync_folder(target.parent)


def _check_room(folder: Path, size: int | None) -> None:
    free = shutil.disk_usage(folder).free
    if size is not None and size > free:
        raise Exhausted(
            "disk_full",
            f"'{folder.parent}' has {format_size(free)} free, but unpacking needs {format_size(size)}.",
            advice=f"Make {format_size(size - free)} of room there, or choose another folder.",
        )


def _exists(target: Path) -> Conflict:
    return Conflict(
        "target_exists",
        f"'{target}' exists already.",
        advice="Move it away, or unpack under another name.",
    )


def _translated(error: OSError, target: Path) -> FerryError:
    if is_full(error):
        return Exhausted(
            "disk_full",
            f"There is no room left to unpack into '{target}'.",
            advice="Make room there: unpacking begins anew, the archive itself is kept.",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Denied(
            "folder_unwritable",
            f"The folder '{target.parent}' cannot be written: {error.strerror}.",
            advice="Choose another folder, or get the right to write there.",
        )
    if error.errno in {errno.ENAMETOOLONG, errno.ENOENT, errno.EISDIR, errno.EINVAL, errno.EILSEQ}:
        return Invalid(
            "archive_path",
            f"'{target}' cannot be unpacked there: {error.strerror}.",
            advice="Choose another folder.",
        )
    return Unavailable(
        "disk_error", f"Unpacking into '{target}' failed: {error.strerror or error}.", advice="Try again."
    )

"""What can be known before the first byte moves: may we write there, is there room for everything, what is in the way.

Looks at the file system, changes nothing but the folders it makes. Works on the target paths of requests.
"""

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ferryman.core.durable import is_full
from ferryman.core.errors import Conflict, Denied, Exhausted, FerryError, Invalid
from ferryman.core.units import format_size
from ferryman.transfer.model import Overwrite, Request
from ferryman.transfer.naming import split_extension

LONGEST_NAME: Final = 255
_ENDING: Final = len(".corrupt")
_MOST_RENAMES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a target: `target` to write, or `skip` because it is there already."""

    target: Path
    skip: bool = False
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """Space one file still needs, in bytes, in the existing folder `folder`."""

    folder: Path
    size: int


def check(requests: Sequence[Request], *, queued: Iterable[Need] = ()) -> tuple[Request, ...]:
    """Check requests together and return those that are to run, with their final targets.

    `queued` is what was accepted earlier and is still to be written. Requests for an existing target with `SKIP` are
    left out. Raises `Invalid` (`target_invalid`, `name_too_long`), `Denied` (`folder_unwritable`), `Conflict`
    (`target_exists`, `target_twice`) and `Exhausted` (`disk_full`).
    """
    planned: list[Request] = []
    taken: set[Path] = set()
    for request in requests:
        folder = request.target if request.folder else request.target.parent
        check_folder(folder)
        if request.folder:
            planned.append(request)
            continue
        decision = decide(request.target, request.overwrite, taken=taken)
        if decision.skip:
            continue
        taken.add(decision.target)
        planned.append(replace(request, target=decision.target))
    check_space([*queued, *(need for request in planned if (need := need_of(request)))])
    return tuple(planned)


def check_folder(folder: Path) -> None:
    """Make sure that files can be made in `folder`, which is made when it is missing. Raises as `check`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Invalid(
            "target_invalid",
            f"'{folder}' is not a folder.",
            advice="Choose another target: a file is in the way.",
        ) from error
    except (OSError, ValueError) as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise _unwritable(folder, OSError(errno.EROFS, os.strerror(errno.EROFS)))


def decide(target: Path, overwrite: Overwrite, *, taken: Iterable[Path] = ()) -> Decision:
    """Decide about a target that may exist, or be among the `taken` ones of the same batch. Raises as `check`."""
    if len(os.fsencode(target.name)) + _ENDING > LONGEST_NAME or not target.name:
        raise Invalid(
            "name_too_long" if target.name else "target_invalid",
            f"The file name '{target.name[:80]}' {'is too long' if target.name else 'is empty'}.",
            advice=f"Choose one of 1 to {LONGEST_NAME - _ENDING} bytes.",
        )
    others = set(taken)
    if target in others and overwrite is not Overwrite.RENAME:
        raise Conflict(
            "target_twice",
            f"Two downloads would write '{target}'.",
            advice="Give one of them another name, or choose to rename.",
        )
    if target.is_dir():
        raise Invalid(
            "target_invalid", f"'{target}' is a folder.", advice="End it with / to put the file into it."
        )
    if target not in others and not os.path.lexists(target):
        return Decision(target)
    if overwrite is Overwrite.ASK:
        raise exists(target)
    if overwrite is Overwrite.RENAME:
        return Decision(free_name(target, taken=others), renamed=True)
    return Decision(target, skip=overwrite is Overwrite.SKIP)


def free_name(target: Path, *, taken: Iterable[Path] = ()) -> Path:
    """Return the first of `name (1).ext`, `name (2).ext`, … that is neither there, nor arriving, nor `taken`."""
    others = set(taken)
    stem, extension = split_extension(target.name)
    for number in range(1, _MOST_RENAMES):
        candidate = target.with_name(f"{stem} ({number}){extension}")
        partial = candidate.with_name(f"{candidate.name}.part")
        if candidate not in others and not os.path.lexists(candidate) and not os.path.lexists(partial):
            return candidate
    raise exists(target)


def exists(target: Path) -> Conflict:
    """Build the error for a target that is there already."""
    return Conflict(
        "target_exists",
        f"'{target}' exists already.",
        advice="Choose to rename, overwrite or skip, or give another name.",
    )


def need_of(request: Request) -> Need | None:
    """Return the space a request still needs; None when its size is unknown."""
    if request.size is None:
        return None
    folder = request.target if request.folder else request.target.parent
    present = 0
    if not request.folder:
        partial = request.target.with_name(f"{request.target.name}.part")
        present = partial.stat().st_blocks * 512 if partial.is_file() else 0
    return Need(folder, max(0, request.size - present))


def check_space(needs: Iterable[Need]) -> None:
    """Compare what files need together with what their file systems have. Raises `Exhausted` (`disk_full`)."""
    by_device: dict[int, tuple[Path, int]] = {}
    for need in needs:
        device = need.folder.stat().st_dev
        folder, size = by_device.get(device, (need.folder, 0))
        by_device[device] = (folder, size + need.size)
    for folder, size in by_device.values():
        system = os.statvfs(folder)
        free = system.f_bavail * system.f_frsize
        if size > free:
            raise disk_full(folder, size, free)


def disk_full(folder: Path, size: int, free: int) -> Exhausted:
    """Build the error for a file system without room for `size` bytes."""
    return Exhausted(
        "disk_full",
        f"'{folder}' has {format_size(free)} free, but {format_size(size)} are needed.",
        advice=f"Make {format_size(size - free)} of room there, or choose another folder.",
    )


def _unwritable(folder: Path, error: OSError | ValueError) -> FerryError:
    if isinstance(error, ValueError) or error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
        return Invalid(
            "target_invalid", f"'{str(folder)[:200]}' cannot be a folder.", advice="Choose another path."
        )
    if is_full(error):
        return Exhausted("disk_full", f"There is no room to make '{folder}'.", advice="Make room there.")
    return Denied(
        "folder_unwritable",
        f"The folder '{folder}' cannot be written: {error.strerror}.",
        advice="Choose another folder, or get the right to write there.",
    )

"""Judges what an archive says before it is done: names, links, and how much of everything. Pure."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from ferryman.core.archives.model import ArchiveLimits
from ferryman.core.errors import Invalid
from ferryman.core.units import format_size

LONGEST_NAME: Final = 255
"""Bytes of one name that common file systems keep."""
_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")


def parts_of(name: str, limits: ArchiveLimits) -> tuple[str, ...]:
    """Return the path of an entry below the root; empty for the root itself.

    Raises `Invalid`: `archive_path` for one that leads out or hides something, `archive_limit` for one too long or deep.
    """
    check_text(name, name)
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        raise unsafe(name, "is absolute")
    parts = tuple(part for part in readable(name).split("/") if part not in ("", "."))
    if any(".." in part.split("\\") for part in parts):
        raise unsafe(name, "leads out of the folder")
    if not name:
        raise unsafe(name, "has no name")
    if len(parts) > limits.depth:
        raise too_much(f"'{shown(name)}' lies {len(parts)} folders deep", f"{limits.depth} folders")
    if sum(len(part.encode()) + 1 for part in parts) > limits.path:
        raise too_much(f"The path '{shown(name)}' is too long", f"{limits.path} bytes")
    if any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise too_much(f"A name in '{shown(name)}' is too long", f"{LONGEST_NAME} bytes")
    return parts


def check_text(text: str, name: str) -> None:
    """Raise `Invalid` (`archive_path`) when `text` of the entry `name` has NUL, control or direction characters."""
    if any(unicodedata.category(sign) == "Cc" or "\u202a" <= sign <= "\u202e" for sign in text):
        raise unsafe(name, "has control characters in its name")


def readable(name: str) -> str:
    """Return `name` with bytes that are no text written as `%xx`."""
    return "".join(f"%{ord(sign) - 0xDC00:02x}" if "\udc80" <= sign <= "\udcff" else sign for sign in name)


def link_of(name: str, parts: tuple[str, ...], target: str) -> str:
    """Return where the link at `parts` may lead: within the root, read letter by letter. Raises `Invalid` (`archive_link`).

    What other links make of it is judged when all are there.
    """
    check_text(target, name)
    text = readable(target)
    if not text or text.startswith("/") or len(text.encode()) > 1024 or _DRIVE.match(text) or "\\" in text:
        raise leads_out(name, target)
    depth = len(parts) - 1
    for part in PurePosixPath(text).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise leads_out(name, target)
    return text


class Budget:
    """Counts entries and bytes. Not for concurrent use."""

    def __init__(self, limits: ArchiveLimits, packed: int) -> None:
        """`packed` is the size of the archive."""
        self._limits = limits
        self._packed = max(1, packed)
        self.entries = 0
        self.size = 0

    def declared(self, count: int | None, size: int | None) -> None:
        """Judge what the archive says of itself. Raises `Invalid` (`archive_limit`)."""
        self._check(count or 0, size or 0, "The archive")

    def entry(self, name: str) -> None:
        """Count an entry. Raises `Invalid` (`archive_limit`)."""
        self.entries += 1
        self._check(self.entries, self.size, f"'{shown(name)}'")

    def add(self, name: str, size: int) -> None:
        """Count bytes of the entry `name`. Raises `Invalid` (`archive_limit`)."""
        self.size += size
        self._check(self.entries, self.size, f"'{shown(name)}'")

    def _check(self, entries: int, size: int, where: str) -> None:
        limits = self._limits
        if entries > limits.entries:
            raise too_much(f"{where} is beyond the number of entries", f"{limits.entries} entries")
        if size > limits.size:
            raise too_much(f"{where} makes the content too large", format_size(limits.size))
        if size > limits.ratio_from and size > limits.ratio * self._packed:
            raise too_much(
                f"{where} makes the content {size // self._packed} times larger than the archive",
                f"{limits.ratio} times",
            )


def shown(name: str) -> str:
    """Return a name as messages show it."""
    return "".join(sign if sign.isprintable() else "�" for sign in readable(name[:120]))


def unsafe(name: str, why: str) -> Invalid:
    """Build the error for a name that is refused."""
    return Invalid(
        "archive_path",
        f"The entry '{shown(name)}' {why}.",
        advice="Do not trust this archive; nothing of it was kept.",
    )


def leads_out(name: str, target: str) -> Invalid:
    """Build the error for a link that is refused."""
    return Invalid(
        "archive_link",
        f"The link '{shown(name)}' leads to '{shown(target)}', which is not in the archive's folder.",
        advice="Do not trust this archive; nothing of it was kept.",
    )


def clash(name: str) -> Invalid:
    """Build the error for two entries that want the same place."""
    return Invalid(
        "archive_duplicate",
        f"Another entry of the archive is where '{shown(name)}' should be.",
        advice="Ask for an archive that has each name once: which one is meant cannot be told.",
    )


def special(name: str, what: str) -> Invalid:
    """Build the error for devices and the like."""
    return Invalid(
        "archive_special",
        f"The entry '{shown(name)}' is {what}; only files, folders and links are unpacked.",
        advice="Unpack it by hand if you trust it; nothing of it was kept.",
    )


def too_much(what: str, limit: str) -> Invalid:
    """Build the error for what is beyond a limit."""
    return Invalid(
        "archive_limit",
        f"{what}; the limit is {limit}.",
        advice="Raise the limit in the settings if you trust the archive; nothing of it was kept.",
    )

"""Lists of things to fetch: one line each, in our own form and in that of aria2. Pure; the list may be hostile.

# a comment
https://host/a.iso  sha256:9f86…
https://one/b.iso   https://two/b.iso   out=b.iso
https://host/c.iso
  out=other.iso
  checksum=sha-256=9f86…
  header=X-Team: storage
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from ferryman.core.digests import HEX_LENGTHS, Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.headers import parse_header
from ferryman.transfer.source import Source, parse_source

MOST: Final = 100_000
"""Entries of one list."""
_Read = TypeVar("_Read")
_OPTIONS: Final = ("out", "dir", "checksum", "header")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a list: its mirrors and what was written with them. `line` counts from 1.

    `out` and `folder` are what the list says: the caller joins them to its own root with `join_within`.
    """

    line: int
    sources: tuple[Source, ...]
    checksum: Digest | None = None
    out: str | None = None
    folder: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def parse_list(text: str) -> tuple[Entry, ...]:
    """Read a list. Raises `Invalid` (`list_line`, `list_empty`, `list_too_long`); messages name the line."""
    entries = tuple(_entry(*block) for block in _blocks(text))
    if not entries:
        raise Invalid("list_empty", "The list names nothing to fetch.", advice="Write one URL on each line.")
    if len(entries) > MOST:
        raise Invalid(
            "list_too_long",
            f"The list has {len(entries)} entries.",
            advice=f"Split it: at most {MOST} are taken at once.",
        )
    return entries


def _blocks(text: str) -> Iterator[tuple[int, str, list[tuple[int, str]]]]:
    """Group each line of URLs with the indented option lines below it."""
    current: tuple[int, str, list[tuple[int, str]]] | None = None
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        if not line[0].isspace():
            if current:
                yield current
            current = (number, content, [])
        elif current is None:
            raise _wrong(
                number, "an option comes before the first URL", "Begin lines of URLs without a space."
            )
        else:
            current[2].append((number, content))
    if current:
        yield current


def _entry(number: int, line: str, options: list[tuple[int, str]]) -> Entry:
    sources: list[Source] = []
    inline: list[tuple[int, str]] = []
    for word in line.split():
        if word.partition("=")[0] in _OPTIONS:
            inline.append((number, word))
        elif word.partition(":")[0].lower().replace("-", "") in HEX_LENGTHS:
            inline.append((number, f"checksum={word}"))
        else:
            sources.append(_on_line(number, parse_source, word))
    if not sources:
        raise _wrong(number, "there is no URL", "Begin the line with a URL.")
    found: dict[str, str] = {}
    headers: list[tuple[str, str]] = []
    checksum = None
    for at, text in (*inline, *options):
        key, equals, value = text.partition("=")
        if key not in _OPTIONS or not equals or not value:
            raise _wrong(at, f"'{text[:80]}' is not an option", f"Known are {', '.join(_OPTIONS)}: out=name.")
        if key == "checksum":
            checksum = _on_line(at, Digest.parse, value.replace("=", ":", 1))
        elif key == "header":
            headers.append(_on_line(at, parse_header, value))
        else:
            found[key] = value
    return Entry(number, tuple(sources), checksum, found.get("out"), found.get("dir"), tuple(headers))


def _on_line(number: int, read: Callable[[str], _Read], text: str) -> _Read:
    try:
        return read(text)
    except Invalid as error:
        raise _wrong(number, error.message.rstrip("."), error.advice) from error


def _wrong(number: int, what: str, advice: str) -> Invalid:
    return Invalid("list_line", f"Line {number} of the list: {what}.", advice=advice)

r"""Lists of things to fetch: one line each, in our own form, in that of aria2, and of checksum files. Pure; hostile.

# a comment
https://host/a.iso  sha256:9f86…
https://one/b.iso   https://two/b.iso   out=b.iso
https://host/part-[001-100].zip
ferry://add?url=https://host/d.iso&checksum=sha256:9f86…
https://host/c.iso
  out=other.iso
  checksum=sha-256=9f86…
  header=X-Team: storage
base=https://host/files/
9f86…  e.iso
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote

from ferryman.core.digests import HEX_LENGTHS, Digest
from ferryman.core.errors import FerryError, Invalid
from ferryman.transfer.headers import parse_header
from ferryman.transfer.links import is_link, read_link
from ferryman.transfer.patterns import Pattern, numbered, read_pattern
from ferryman.transfer.source import Source, parse_source, without_credentials

MOST: Final = 100_000
"""Entries of one list."""
MOST_PROBLEMS: Final = 1000
"""Wrong lines that are told one by one; a list with more is not a list."""
_Read = TypeVar("_Read")
_OPTIONS: Final = ("out", "dir", "checksum", "header")
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_BY_LENGTH: Final = {length: name for name, length in HEX_LENGTHS.items() if name != "blake2b"}
_SUM: Final = re.compile(r"\\?([0-9A-Fa-f]{32,128})[ \t]+\*?(.+)")
_TAGGED: Final = re.compile(r"\\?([A-Za-z0-9-]{3,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_SUMS_FILE: Final = re.compile(r"(sums?|sha\d+|md5|b2)(\.\w+)?$", re.IGNORECASE)


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
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that cannot be meant. `text` is its beginning without credentials."""

    line: int
    text: str
    error: FerryError


@dataclass(frozen=True, slots=True)
class Expanded:
    """A line that stands for `count` files, from `first` to `last`."""

    line: int
    text: str
    count: int
    first: str
    last: str


@dataclass(slots=True)
class Reading:
    """What a list says: entries in order, the lines that are wrong, and those that stand for many."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    patterns: list[Expanded] = field(default_factory=list)


Block = tuple[int, str, list[tuple[int, str]]]
"""The number of a line, its text, and the options below it."""


def parse_list(text: str, base: str | None = None) -> tuple[Entry, ...]:
    """Read a list. Raises `Invalid` (`list_line`, `list_empty`, `list_too_long`); messages name the line."""
    reading = read_list(text, base)
    if reading.problems:
        wrong = reading.problems[0]
        if wrong.error.code == "list_too_long":
            raise wrong.error
        message = f"Line {wrong.line} of the list: {wrong.error.message.rstrip('.')}."
        raise Invalid("list_line", message, advice=wrong.error.advice) from wrong.error
    if not reading.entries:
        raise Invalid("list_empty", "The list names nothing to fetch.", advice="Write one URL on each line.")
    return tuple(reading.entries)


def read_list(text: str, base: str | None = None, most: int = MOST) -> Reading:
    """Read a list, going on after wrong lines. `base` is where the names of checksum lines are.

    At most `most` entries are read; what follows is one problem (`list_too_long`). Raises `Invalid` for a wrong `base`.
    """
    reading = Reading()
    at = base_of(base) if base else None
    for number, line, options in _blocks(text):
        if len(reading.problems) >= MOST_PROBLEMS:
            reading.problems.append(Problem(number, _shown(line), _too_wrong()))
            break
        try:
            if line.startswith("base=") and len(line.split()) == 1:
                at = base_of(line[5:])
                _none_left(options)
                continue
            entries, expanded = _entries((number, line, options), at)
            if len(reading.entries) + len(entries) > most:
                raise _too_long(most)
            reading.entries += entries
            reading.patterns += expanded
        except FerryError as error:
            place = error.line if isinstance(error, _OfLine) else number
            reading.problems.append(Problem(place, _shown(line), error))
            if error.code == "list_too_long":
                break
    return reading


def base_of(text: str) -> str:
    """Check the address below which names are found, and return it with `/` at the end. Raises `Invalid`.

    The address of a checksum file stands for its folder.
    """
    source = parse_source(text)
    if source.username is not None:
        raise Invalid(
            "url_credentials",
            f"The base '{source.url[:200]}' carries a password, which would be repeated in every address.",
            advice="Give user and password beside the list.",
        )
    url = source.url.partition("?")[0]
    folder, _, last = url.rpartition("/")
    return f"{folder}/" if not last or _SUMS_FILE.search(last) else f"{url}/"


class _OfLine(Invalid):
    """An error that belongs to another line than that of the URL."""

    def __init__(self, line: int, error: Invalid) -> None:
        super().__init__(error.code, error.message, advice=error.advice)
        self.line = line


def _blocks(text: str) -> Iterator[Block]:
    """Group each line of URLs with the indented option lines below it."""
    current: Block | None = None
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        if line[0].isspace() and (current is not None or content.partition("=")[0] in _OPTIONS):
            if current is None:
                yield number, content, []
            else:
                current[2].append((number, content))
            continue
        if current:
            yield current
        current = (number, content, [])
    if current:
        yield current


def _entries(block: Block, base: str | None) -> tuple[list[Entry], list[Expanded]]:
    """Read the files of a line: one, or many and what they were written as."""
    number, line, options = block
    if (listed := _checksum_line(number, line, base)) is not None:
        _none_left(options)
        return [listed], []
    words, inline = _words(number, line)
    if not words:
        raise _no_url(line)
    said = _options([*inline, *options])
    headers = tuple(said.headers)
    patterns = [read_pattern(word) for word in words]
    count = _count(patterns)
    if count == 1:
        sources = tuple(parse_source(pattern.first) for pattern in patterns)
        return [Entry(number, sources, said.checksum, said.out, said.folder, headers)], []
    _check_many(patterns[0], count, said)
    entries = []
    for index in range(count):
        texts = [pattern.at(index) for pattern in patterns]
        sources = tuple(parse_source(text) for text, _ in texts)
        out, folder = (numbered(name, texts[0][1]) if name else None for name in (said.out, said.folder))
        entries.append(Entry(number, sources, None, out, folder, headers))
    first, last = (without_credentials(text) for text in (patterns[0].first, patterns[0].last))
    return entries, [Expanded(number, without_credentials(words[0])[:200], count, first, last)]


def _count(patterns: list[Pattern]) -> int:
    counts = {pattern.count for pattern in patterns}
    if len(counts) > 1:
        raise Invalid(
            "pattern_mirrors",
            f"The addresses of one line stand for {' and '.join(str(pattern.count) for pattern in patterns)} files.",
            advice="Use the same ranges in each mirror, or put them on lines of their own.",
        )
    return patterns[0].count


def _check_many(pattern: Pattern, count: int, said: "_Said") -> None:
    for name, given in (("checksum", said.checksum), ("name", said.out)):
        if given and (name == "checksum" or numbered(str(given), pattern.at(0)[1]) == given):
            raise Invalid(
                f"{name}_of_many",
                f"One {name} cannot belong to {count} files.",
                advice="Write #1 into out= for what changes, or list the files one by one.",
            )


def _words(number: int, line: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Part a line into addresses and options; a checksum is an option, bare digits by their length."""
    addresses: list[str] = []
    options: list[tuple[int, str]] = []
    waiting = [*reversed(line.split())]
    while waiting:
        word = waiting.pop()
        if word.partition("=")[0] in _OPTIONS:
            options.append((number, word))
        elif word.partition(":")[0].lower().replace("-", "") in HEX_LENGTHS:
            options.append((number, f"checksum={word}"))
        elif len(word) in _BY_LENGTH and _HEX.fullmatch(word):
            options.append((number, f"checksum={_BY_LENGTH[len(word)]}:{word}"))
        elif is_link(word):
            link = read_link(word)
            waiting += reversed(link.words)
            if link.out:
                options.append((number, f"out={link.out}"))
        else:
            addresses.append(word)
    return addresses, options


@dataclass(slots=True)
class _Said:
    """What the options of a line say."""

    checksum: Digest | None = None
    out: str | None = None
    folder: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def _options(given: list[tuple[int, str]]) -> _Said:
    said = _Said()
    for at, text in given:
        key, equals, value = text.partition("=")
        if key not in _OPTIONS or not equals or not value:
            raise _OfLine(
                at,
                Invalid(
                    "option_unknown",
                    f"'{text[:80]}' is not an option.",
                    advice=f"Known are {', '.join(_OPTIONS)}: out=name.",
                ),
            )
        if key == "checksum":
            said.checksum = _on_line(at, Digest.parse, value.replace("=", ":", 1))
        elif key == "header":
            said.headers.append(_on_line(at, parse_header, value))
        elif key == "out":
            said.out = value
        else:
            said.folder = value
    return said


def _none_left(options: list[tuple[int, str]]) -> None:
    if options:
        at, text = options[0]
        raise _OfLine(
            at,
            Invalid(
                "option_unknown",
                f"'{text[:80]}' belongs to no URL.",
                advice="Put it below the line of a URL.",
            ),
        )


def _checksum_line(number: int, line: str, base: str | None) -> Entry | None:
    """Read a line of a checksum file, whose name is found below `base`; None for any other line."""
    if found := _TAGGED.fullmatch(line):
        digest = Digest.parse(f"{found[1]}:{found[3]}")
        name = found[2]
    elif (found := _SUM.fullmatch(line)) and len(found[1]) in _BY_LENGTH:
        digest, name = Digest(_BY_LENGTH[len(found[1])], found[1].lower()), found[2]
    else:
        return None
    if "://" in name or any(is_link(word) for word in name.split()):
        return None
    if base is None:
        raise Invalid(
            "list_base",
            f"'{name[:80]}' is a file without an address.",
            advice="Say where the files are: a line base=https://host/folder/ above, or the base beside the list.",
        )
    parts = [part for part in name.split("/") if part != "."]
    if name.startswith("/") or ".." in parts or not all(parts):
        raise Invalid(
            "path_escapes", f"The name {name[:200]!r} leads elsewhere.", advice="Use names below the base."
        )
    source = parse_source(base + quote("/".join(parts)))
    return Entry(number, (source,), digest, None, "/".join(parts[:-1]) or None)


def _on_line(number: int, read: Callable[[str], _Read], text: str) -> _Read:
    try:
        return read(text)
    except Invalid as error:
        raise _OfLine(number, error) from error


def _no_url(line: str) -> Invalid:
    if line.partition("=")[0] in _OPTIONS:
        return Invalid(
            "option_first",
            "An option comes before the first URL.",
            advice="Begin lines of URLs without a space.",
        )
    return Invalid("list_no_url", "There is no URL.", advice="Begin the line with a URL.")


def _too_long(most: int) -> Invalid:
    return Invalid(
        "list_too_long",
        f"The list has more than {most:,} entries.",
        advice=f"Split it: at most {most:,} are taken at once.",
    )


def _too_wrong() -> Invalid:
    return Invalid(
        "list_too_wrong",
        f"{MOST_PROBLEMS:,} lines above are wrong; from here on the list was not read.",
        advice="Check that this is a list of addresses.",
    )


def _shown(line: str) -> str:
    words = line.split()
    address = next((word for word in words if "://" in word), words[0] if words else "")
    return without_credentials(address)[:200]

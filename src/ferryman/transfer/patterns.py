r"""Addresses that stand for many: `[001-100]`, `[0-100:10]`, `[a-f]`, `{one,two}`. Pure and lazy.

A backslash before a bracket, a brace or itself takes away its meaning. Brackets and braces that hold nothing of the kind,
such as those of an IPv6 address, are only characters.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

from ferryman.core.errors import Invalid
from ferryman.transfer.source import without_credentials

MOST: Final = 10_000
"""Addresses one pattern may stand for."""
_COUNTED: Final = 10**15
_CHOICE: Final = re.compile(
    r"\\(?P<plain>[\\\[\]{}])"
    r"|\[(?P<low>[0-9]{1,9})-(?P<high>[0-9]{1,9})(?::(?P<step>[0-9]{1,9}))?\]"
    r"|\[(?P<from>[A-Za-z])-(?P<to>[A-Za-z])(?::(?P<by>[0-9]{1,2}))?\]"
    r"|\{(?P<words>[^{}\[\]\\\s]*,[^{}\[\]\\\s]*)\}"
)
_NUMBERED: Final = re.compile(r"#([1-9])")


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers or letters in even steps; `width` fills numbers up with zeros, 0 means letters."""

    values: range
    width: int

    def __len__(self) -> int:
        """How many there are."""
        return len(self.values)

    def __getitem__(self, index: int) -> str:
        """The text at `index`."""
        value = self.values[index]
        return f"{value:0{self.width}d}" if self.width else chr(value)


Choices = Run | tuple[str, ...]


@dataclass(frozen=True)
class Pattern:
    """An address in pieces: texts, and between them what they can be joined with. The last choice changes fastest."""

    texts: tuple[str, ...]
    choices: tuple[Choices, ...]

    @cached_property
    def count(self) -> int:
        """How many addresses it stands for."""
        return prod(len(choice) for choice in self.choices)

    def at(self, index: int) -> tuple[str, tuple[str, ...]]:
        """Return the address at `index`, and what was chosen for it."""
        chosen: list[str] = []
        for choice in reversed(self.choices):
            index, here = divmod(index, len(choice))
            chosen.append(choice[here])
        chosen.reverse()
        parts = [self.texts[0]]
        for text, value in zip(self.texts[1:], chosen, strict=True):
            parts += (value, text)
        return "".join(parts), tuple(chosen)

    def __iter__(self) -> Iterator[str]:
        """All addresses, in order."""
        return (self.at(index)[0] for index in range(self.count))

    @property
    def first(self) -> str:
        """The first address."""
        return self.at(0)[0]

    @property
    def last(self) -> str:
        """The last address."""
        return self.at(self.count - 1)[0]


def read_pattern(text: str, most: int = MOST) -> Pattern:
    """Read an address that may be a pattern. Raises `Invalid` (`pattern_invalid`, `pattern_too_many`)."""
    texts, choices, seen = [""], [], 0
    for found in _CHOICE.finditer(text):
        texts[-1] += text[seen : found.start()]
        seen = found.end()
        if found["plain"]:
            texts[-1] += found["plain"]
            continue
        choices.append(_choices(found))
        texts.append("")
    texts[-1] += text[seen:]
    pattern = Pattern(tuple(texts), tuple(choices))
    if pattern.count > most:
        shown, first, last = (without_credentials(one)[:200] for one in (text, pattern.first, pattern.last))
        number = f"{pattern.count:,}" if pattern.count < _COUNTED else "very many"
        raise Invalid(
            "pattern_too_many",
            f"'{shown}' stands for {number} addresses, from {first} to {last}.",
            advice=f"Use at most {most:,} at once: smaller ranges, or larger steps.",
        )
    return pattern


def numbered(text: str, chosen: Sequence[str]) -> str:
    """Put what was chosen into a name: `#1` becomes the first choice, `#2` the second."""

    def put(found: re.Match[str]) -> str:
        place = int(found[1])
        return chosen[place - 1] if place <= len(chosen) else found[0]

    return _NUMBERED.sub(put, text)


def _choices(found: re.Match[str]) -> Choices:
    if found["words"] is not None:
        return tuple(found["words"].split(","))
    if found["low"] is not None:
        low, high = found["low"], found["high"]
        padded = max((len(end) for end in (low, high) if len(end) > 1 and end[0] == "0"), default=1)
        return Run(_steps(int(low), int(high), found["step"], found[0]), padded)
    return Run(_steps(ord(found["from"]), ord(found["to"]), found["by"], found[0]), 0)


def _steps(low: int, high: int, step: str | None, shown: str) -> range:
    by = int(step or 1)
    if by == 0:
        raise Invalid(
            "pattern_invalid",
            f"The step of '{shown}' is 0.",
            advice="Use a step of 1 or more, such as [0-100:10].",
        )
    return range(low, high + 1, by) if low <= high else range(low, high - 1, -by)

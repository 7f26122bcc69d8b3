"""Printing for people and for programs: aligned tables, pairs, and one JSON document."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from json import dumps
from typing import Any

from ferryman.cli.problems import plain


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def line(text: str = "") -> None:
    """Print one line on standard output, safe for a terminal."""
    sys.stdout.write(plain(text) + "\n")


def note(text: str) -> None:
    """Print one line beside the result, on standard error."""
    sys.stderr.write(plain(text) + "\n")


def table(
    items: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, right: Sequence[str] = ()
) -> None:
    """Print `items` in aligned columns: `columns` maps their keys to headings; those in `right` are numbers."""
    rows = [list(columns.values())]
    rows += [[cell(item.get(key)) for key in columns] for item in items]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
    at_right = [key in right for key in columns]
    for row in rows:
        cells = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, at_right, strict=True)
        ]
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def pairs(values: Iterable[tuple[str, object]]) -> None:
    """Print names and values below each other; what is None or empty is left out."""
    shown = [(name, cell(value)) for name, value in values if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        sys.stdout.write(f"{name.ljust(width)}  {value}\n")


def cell(value: object) -> str:
    """Return `value` as one safe line; nothing is a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return plain(", ".join(str(item) for item in value))
    return plain(str(value))

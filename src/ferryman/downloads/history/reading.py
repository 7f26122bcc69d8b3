"""Exported lists, read back into an order: JSON, CSV, or one address a line. Everything read is hostile. Pure."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError

from ferryman.core.errors import FerryError, Invalid
from ferryman.downloads.history.model import unguarded
from ferryman.downloads.model import MOST, DownloadOrder, EntryOrder

_SECRET: Final = "***"  # noqa: S105 - what exported lists have in place of secrets


class ListForm(StrEnum):
    """How a list is written."""

    AUTO = "auto"
    JSON = "json"
    CSV = "csv"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line of a list that cannot be taken: which field of it, where one can be told, and why."""

    line: int
    url: str
    error: FerryError
    field: str = ""

    @property
    def text(self) -> str:
        """Say what is wrong and what to do."""
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.error.message} {self.error.advice}".strip()


@dataclass(slots=True)
class ReadList:
    """What a list says: entries with the lines they stand on and their categories, and the lines that are wrong."""

    entries: list[EntryOrder] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    categories: list[str | None] = field(default_factory=list)
    wrong: list[WrongLine] = field(default_factory=list)
    text: str = ""

    def order(self) -> DownloadOrder:
        """Return the order for all that could be read."""
        return DownloadOrder(entries=self.entries, text=self.text)

    def line_of(self, place: str, index: int) -> int:
        """Return the line of a place in the order."""
        return index if place == "text" else self.lines[index]


def read_exported(text: str, form: ListForm) -> ReadList:
    """Read a list. Raises `Invalid` (`list_unreadable`, `list_empty`, `list_too_long`) when it is none as a whole."""
    form = form_of(text) if form is ListForm.AUTO else form
    found = ReadList()
    if form is ListForm.TEXT:
        if text.strip():
            found.text = text
    else:
        records = _json(text) if form is ListForm.JSON else _csv(text)
        for line, record in records:
            _take(found, line, record)
    if not found.text and not found.entries and not found.wrong:
        raise Invalid(
            "list_empty",
            "The list has no downloads.",
            advice="Export one, or write an address on each line.",
            fields={"text": "It has no downloads."},
        )
    return found


def form_of(text: str) -> ListForm:
    """Guess how a list is written."""
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in {"{", "["} and not start.startswith("[00"):
        return ListForm.JSON
    head = [unguarded(cell).strip().lower() for cell in start.split("\n", 1)[0].split(",")]
    return ListForm.CSV if {"url", "urls"} & set(head) else ListForm.TEXT


def _json(text: str) -> Iterator[tuple[int, object]]:
    try:
        found = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise _unreadable("JSON", str(error)) from error
    items = found.get("items") if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise _unreadable("JSON", "there is no list of items in it")
    _check_length(len(items))
    yield from enumerate(items, 1)


def _csv(text: str) -> Iterator[tuple[int, object]]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    try:
        head = [unguarded(cell).strip().lower() for cell in next(reader, [])]
        if not {"url", "urls"} & set(head):
            raise _unreadable("CSV", "its first line names no column 'urls'")
        number, line = 0, reader.line_num + 1
        for row in reader:
            if any(row):
                number += 1
                _check_length(number)
                yield line, dict(zip(head, [unguarded(cell) for cell in row], strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unreadable("CSV", f"line {reader.line_num}: {error}") from error


def _check_length(number: int) -> None:
    if number > MOST:
        raise Invalid(
            "list_too_long",
            f"The list has more than {MOST:,} downloads.",
            advice="Split it, or export fewer with a filter.",
            fields={"text": f"It has more than {MOST:,} downloads."},
        )


def _unreadable(form: str, why: str) -> Invalid:
    return Invalid(
        "list_unreadable",
        f"The list cannot be read as {form}: {why[:200]}.",
        advice="Take a list that was exported, or one address a line.",
        fields={"text": f"It cannot be read as {form}."},
    )


def _take(found: ReadList, line: int, record: object) -> None:
    values = {"urls": [record]} if isinstance(record, str) else record
    if not isinstance(values, dict):
        error = Invalid("line_invalid", "It is neither an address nor an object.", advice="Correct it.")
        found.wrong.append(WrongLine(line, "", error))
        return
    urls = _urls(values)
    shown = str(urls[0])[:200].rpartition("@")[2] if urls else ""
    wrong = _missing_secret(urls)
    if wrong is not None:
        found.wrong.append(WrongLine(line, shown, wrong, "urls"))
        return
    given = {name: values[name] for name in ("name", "folder", "checksum") if values.get(name)}
    try:
        entry = EntryOrder(urls=urls, **given)
    except ValidationError as error:
        first = error.errors()[0]
        part = str(first["loc"][0]) if first["loc"] else ""
        found.wrong.append(
            WrongLine(line, shown, Invalid("line_invalid", f"{first['msg']}.", advice="Correct it."), part)
        )
        return
    found.entries.append(entry)
    found.lines.append(line)
    category = values.get("category")
    found.categories.append(category[:80] if isinstance(category, str) and category.isprintable() else None)


def _urls(values: dict[Any, Any]) -> list[Any]:
    urls = values.get("urls") or values.get("url") or []
    return urls.split() if isinstance(urls, str) else urls if isinstance(urls, list) else [urls]


def _missing_secret(urls: list[Any]) -> Invalid | None:
    if not any(isinstance(url, str) and _SECRET in url for url in urls):
        return None
    return Invalid(
        "secret_missing",
        "The address had a secret, which exported lists leave out.",
        advice="Write the address in full.",
    )

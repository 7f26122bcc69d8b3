"""Lists and Metalinks somebody uploads, read into the entries of an order. Everything read is hostile; nothing is kept."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from pydantic import BaseModel, Field

from ferryman.core.errors import FerryError, Invalid
from ferryman.downloads.model import LONGEST_TEXT, MOST, EntryOrder
from ferryman.transfer.listing import Entry, Problem, Reading, read_list
from ferryman.transfer.source import Source

MOST_TOLD: Final = 200
"""Wrong lines that are told one by one."""
_XML: Final = (b"<?xml", b"<metalink")


class ReadEntry(EntryOrder):
    """One file of what was read, as an order takes it under `entries`; `line` is left out there."""

    line: int | None = Field(None, description="The line it stands on, from 1; null in a Metalink.")

    def order(self) -> EntryOrder:
        """Return it without what only tells where it was."""
        return EntryOrder.model_validate(self.model_dump(exclude={"line"}))


class LineProblem(BaseModel):
    """A line that cannot be fetched from."""

    line: int = Field(description="From 1.")
    text: str = Field(description="Its beginning, without credentials.")
    code: str
    detail: str
    advice: str


class PatternView(BaseModel):
    """A line that stands for many files."""

    line: int
    text: str
    count: int
    first: str
    last: str


class ReadView(BaseModel):
    """What a list or a Metalink says. Nothing was added."""

    kind: str = Field(description="`list` or `metalink`.")
    entries: list[ReadEntry]
    problems: list[LineProblem] = Field(description="The first lines that are wrong, and the last.")
    wrong: int = Field(description="How many lines are wrong.")
    patterns: list[PatternView]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What somebody sent: bytes, and what they say about it."""

    data: bytes
    name: str = ""
    mime: str = ""
    base: str | None = None


def read_upload(uploaded: Uploaded) -> ReadView:
    """Read a list or a Metalink, told apart by type, name and beginning.

    Raises `Invalid`: `metalink_invalid`, `list_unreadable`, `list_empty`, or for a wrong base. Wrong lines are told.
    """
    if _is_metalink(uploaded):
        return _metalink(uploaded.data)
    if len(uploaded.data) > LONGEST_TEXT:
        raise Invalid(
            "list_unreadable",
            f"The list has {len(uploaded.data):,} bytes.",
            advice=f"Split it: at most {LONGEST_TEXT:,} are read.",
            fields={"file": "is too large"},
        )
    try:
        text = uploaded.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            "list_unreadable",
            "The file is no text in UTF-8.",
            advice="Choose a text file with one address a line, or a Metalink.",
            fields={"file": "is no text"},
        ) from error
    try:
        return view_of(read_list(text, uploaded.base, MOST))
    except FerryError as error:
        error.fields = {"base": error.message}
        raise


def view_of(reading: Reading) -> ReadView:
    """Return what was read of a list as the API shows it. Raises `Invalid` (`list_empty`)."""
    if not reading.entries and not reading.problems:
        raise Invalid(
            "list_empty",
            "The list names nothing to fetch.",
            advice="Write one address on each line.",
            fields={"file": "names nothing"},
        )
    return ReadView(
        kind="list",
        entries=[_entry(entry) for entry in reading.entries],
        problems=[
            LineProblem(
                line=one.line,
                text=one.text,
                code=one.error.code,
                detail=one.error.message,
                advice=one.error.advice,
            )
            for one in _told(reading.problems)
        ],
        wrong=len(reading.problems),
        patterns=[
            PatternView(line=one.line, text=one.text, count=one.count, first=one.first, last=one.last)
            for one in reading.patterns[:MOST_TOLD]
        ],
    )


def _told(problems: list[Problem]) -> list[Problem]:
    """The first, and the last: it may say that the rest was not read."""
    return problems if len(problems) <= MOST_TOLD else [*problems[: MOST_TOLD - 1], problems[-1]]


def _is_metalink(uploaded: Uploaded) -> bool:
    name, mime = uploaded.name.lower(), uploaded.mime.partition(";")[0].strip().lower()
    if name.endswith((".meta4", ".metalink")) or "metalink" in mime:
        return True
    return uploaded.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith(_XML)


def _metalink(data: bytes) -> ReadView:
    from ferryman.transfer.metalink import parse_metalink  # noqa: PLC0415 - the XML parser is slow to import

    try:
        files = parse_metalink(data)
    except FerryError as error:
        error.fields = {"file": error.message}
        raise
    entries = []
    for file in files:
        folder, _, name = file.path.rpartition("/")
        entries.append(
            ReadEntry(
                urls=[_address(source) for source in file.sources[:100]],
                name=name,
                folder=folder,
                checksum=str(file.checksum) if file.checksum else None,
                size=file.size,
            )
        )
    return ReadView(kind="metalink", entries=entries, problems=[], wrong=0, patterns=[])


def _entry(entry: Entry) -> ReadEntry:
    return ReadEntry.model_construct(
        line=entry.line,
        urls=[_address(source) for source in entry.sources],
        name=entry.out,
        folder=entry.folder or "",
        checksum=str(entry.checksum) if entry.checksum else None,
        size=entry.size,
        headers=[f"{name}: {value}" for name, value in entry.headers],
        overwrite=None,
        duplicates=None,
    )


def _address(source: Source) -> str:
    """Write an address out, with the user and password that were typed into it."""
    if source.username is None:
        return source.url
    login = quote(source.username, safe="")
    if source.password:
        login += f":{quote(source.password, safe='')}"
    return source.url.replace("://", f"://{login}@", 1)

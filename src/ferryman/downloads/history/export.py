"""Lists of downloads as CSV and JSON, piece by piece, so that a history of any length fits into little memory."""

import csv
import io
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from ferryman.downloads.history.model import COLUMNS, FORMAT, cells_of, record_of
from ferryman.jobs.model import Job

PIECE: Final = 200
"""Downloads that are written at a time."""


class Form(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON = "json"


MEDIA: Final = {Form.CSV: "text/csv", Form.JSON: "application/json"}


async def written(jobs: AsyncIterator[Job], form: Form) -> AsyncIterator[str]:
    """Write `jobs` in pieces."""
    if form is Form.JSON:
        yield f'{{"format": "{FORMAT}", "items": ['
    else:
        yield _rows([list(COLUMNS)])
    first = True
    async for records in _pieces(jobs):
        if form is Form.CSV:
            yield _rows([cells_of(record) for record in records])
            continue
        lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        yield f"{'' if first else ','}\n{lines}"
        first = False
    if form is Form.JSON:
        yield "\n]}\n"


async def _pieces(jobs: AsyncIterator[Job]) -> AsyncIterator[list[dict[str, Any]]]:
    piece: list[dict[str, Any]] = []
    async for job in jobs:
        piece.append(record_of(job))
        if len(piece) == PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _rows(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()

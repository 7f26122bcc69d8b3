"""Saved filters, and what of a download an exported list says. Pure."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field

from ferryman.core.clock import rfc3339
from ferryman.core.secrets import mask
from ferryman.jobs.model import Job
from ferryman.web.filters import BodyFilters, Sort
from ferryman.web.job import hidden

MOST_SAVED: Final = 50
"""Filters one person may save."""
FORMAT: Final = "ferryman-downloads/1"
"""What an exported JSON document calls itself."""
COLUMNS: Final = (
    "id", "title", "urls", "name", "folder", "checksum", "category", "host", "state", "reason", "error", "size",
    "priority", "owner", "path", "created_at", "started_at", "finished_at",
)  # fmt: skip
"""The columns of an exported list, in order."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class SavedQuery(BodyFilters):
    """What a saved filter narrows the history to, and its order."""

    sort: Sort = Field(Sort.LAST_FINISHED, description="The order; a dash means descending.")


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A filter somebody keeps under a name; only they see it."""

    id: str
    owner: str
    name: str
    query: dict[str, Any]
    created_at: float


def record_of(job: Job) -> dict[str, Any]:
    """Return what an exported list says of `job`, without secrets."""
    spec, result = job.spec, job.result or {}
    return {
        "id": job.id,
        "title": mask(job.title),
        "urls": [mask(str(url)) for url in spec.get("urls") or []],
        "name": spec.get("name"),
        "folder": spec.get("folder") or "",
        "checksum": spec.get("checksum"),
        "category": job.category,
        "host": job.host,
        "state": str(job.state),
        "reason": str(job.reason) if job.reason else None,
        "error": None if job.error is None else hidden(job.error),
        "size": job.size,
        "priority": job.priority,
        "owner": job.owner,
        "path": result.get("path"),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def cells_of(record: dict[str, Any]) -> list[str]:
    """Return the cells of a record in a CSV file. No program that opens it takes one for a formula."""
    return [guarded(_cell(record[name])) for name in COLUMNS]


def guarded(text: str) -> str:
    """Return `text` with an apostrophe before what a spreadsheet would calculate."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """Undo `guarded`."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(value) if isinstance(value, list) else str(value)


def _time(moment: float | None) -> str | None:
    return None if moment is None else rfc3339(moment)

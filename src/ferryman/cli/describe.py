"""Jobs in words: rows of a list and the facts of one. Pure; jobs are as the API shows them."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ferryman.core.units import format_eta, format_rate, format_size

JOB_COLUMNS: Final = {
    "id": "ID",
    "state": "STATE",
    "done": "DONE",
    "speed": "SPEED",
    "left": "TIME LEFT",
    "title": "TITLE",
}
_SHOWN_RESULT: Final = ("path", "size", "digests", "url", "mime", "resumed")


def job_row(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as a row of `JOB_COLUMNS`."""
    progress = job["progress"]
    running = job["state"] == "running"
    return {
        "id": job["id"],
        "state": f"{job['state']} ({job['reason']})" if job.get("reason") else job["state"],
        "done": done_of(progress),
        "speed": format_rate(progress["rate"]) if running else None,
        "left": format_eta(progress["eta"]) if running else None,
        "title": job["title"],
    }


def done_of(progress: Mapping[str, Any]) -> str | None:
    """Say how much is done: a share where the total is known, else bytes."""
    total, disk = progress["total"], progress["disk"]
    if total:
        return f"{disk / total:.0%} of {format_size(total)}"
    return format_size(disk) if disk else None


def job_pairs(job: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what is worth knowing about one job."""
    progress = job["progress"]
    yield "Job", job["id"]
    yield "Title", job["title"]
    yield "Kind", job["kind"]
    yield "State", job["state"] + (f", {job['phase']}" if job["phase"] and job["state"] == "running" else "")
    yield "Wanted", None if job["desired"] == "run" else job["desired"]
    yield "Priority", job["priority"]
    yield "Attempt", f"{job['attempt']} of {job['max_attempts']}" if job["attempt"] else None
    yield "Done", done_of(progress)
    yield "Received", format_size(progress["network"]) if progress["network"] else None
    if job["state"] == "running":
        yield "Speed", format_rate(progress["rate"])
        yield "Time left", format_eta(progress["eta"])
        yield "Connections", progress["connections"] or None
        yield "Why slow", progress["slow"]
    yield "Goes on", job["not_before"] if job["state"] == "waiting" else None
    yield "Accepted", job["created_at"]
    yield "Started", job["started_at"]
    yield "Ended", job["finished_at"]
    yield "Reason", job["reason"]
    yield "Error", job["error"]
    yield "What to do", job["advice"]
    yield from _result(job.get("result") or {})


def _result(result: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in _SHOWN_RESULT:
        value = result.get(name)
        if value:
            shown = format_size(value) if name in {"size", "resumed"} else value
            yield name.capitalize() if name != "url" else "From", shown

"""The report of a job: what it did, when, how fast, what went wrong, and what to do. Pure."""

import dataclasses
from collections.abc import Sequence

from ferryman.core.clock import rfc3339
from ferryman.core.units import format_duration, format_rate, format_size
from ferryman.jobs.model import TERMINAL, Document, Event, Job


def report(job: Job, events: Sequence[Event]) -> Document:
    """The report as a JSON object. Times are RFC 3339, sizes bytes, rates bytes per second, durations seconds."""
    seconds = worked(job, events)
    progress = job.progress
    moved = progress.network or progress.disk
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": str(job.state),
        "finished": job.state in TERMINAL,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339(job.started_at) if job.started_at else None,
        "finished_at": rfc3339(job.finished_at) if job.finished_at else None,
        "seconds": round(seconds, 3) if seconds is not None else None,
        "attempts": job.attempt,
        "bytes": moved,
        "speed": round(moved / seconds, 1) if seconds else None,
        "progress": dataclasses.asdict(progress),
        "reason": str(job.reason) if job.reason else None,
        "error": job.error,
        "error_code": job.error_code,
        "advice": job.advice,
        "result": job.result,
        "errors": [event.data for event in events if event.data.get("error")],
        "phases": [{"at": rfc3339(event.at), **event.data} for event in events if event.type == "phase"],
    }


def worked(job: Job, events: Sequence[Event]) -> float | None:
    """Seconds that workers ran the job, without what it waited in between; `None` when it never ran."""
    if job.started_at is None:
        return None
    total, since = 0.0, None
    for event in events:
        if event.data.get("to") == "running":
            since = event.at
        elif event.data.get("from") == "running" and since is not None:
            total, since = total + max(0.0, event.at - since), None
    if since is not None:
        total += max(0.0, job.updated_at - since)
    return total or max(0.0, (job.finished_at or job.updated_at) - job.started_at)


def report_text(job: Job, events: Sequence[Event]) -> str:
    """The report as text for people."""
    facts = report(job, events)
    lines = [job.title, "=" * min(78, len(job.title)), ""]
    lines += [f"{name:<11}{value}" for name, value in _facts(job, facts) if value]
    if job.error:
        lines += ["", f"What went wrong ({facts['reason']}): {job.error}"]
    if job.advice:
        lines += [f"What to do: {job.advice}"]
    earlier = [event for event in events if event.data.get("error") and event.data["error"] != job.error]
    if earlier:
        lines += ["", "Earlier errors"]
        lines += [f"  {rfc3339(event.at)}  {event.data['error']}" for event in earlier]
    if job.result:
        lines += ["", "Result"]
        lines += [f"  {key:<9}{value}" for key, value in job.result.items() if value not in (None, "", [])]
    return "\n".join(lines) + "\n"


def _facts(job: Job, facts: Document) -> list[tuple[str, object]]:
    progress = job.progress
    of = f" of {format_size(progress.total)}" if progress.total else ""
    done = progress.disk or progress.network
    return [
        ("Job", job.id),
        ("State", facts["state"]),
        ("Accepted", facts["created_at"]),
        ("Started", facts["started_at"]),
        ("Finished", facts["finished_at"]),
        ("Took", format_duration(facts["seconds"]) if facts["seconds"] is not None else None),
        ("Attempts", job.attempt),
        (
            "Bytes",
            f"{format_size(done)}{of} stored, {format_size(progress.network)} received" if done else None,
        ),
        ("Verified", format_size(progress.verified) if progress.verified else None),
        ("Speed", format_rate(facts["speed"]) if facts["speed"] else None),
    ]

"""What the pages of a job say about it: phases as steps, facts in words. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from ferryman.core.units import format_duration, format_rate, format_size
from ferryman.jobs.model import TERMINAL, Event, Job, State
from ferryman.web.job import hidden

Status = Literal["", "done", "now", "broken"]

DEFAULT_PRIORITY: Final = 5
LONG: Final = 44
"""Letters of a fact that needs a line of its own; such facts come last."""
_SIZES: Final = frozenset({"size", "network", "resumed", "bytes", "unpacked_size", "moved", "mounted"})
_RATES: Final = frozenset({"rate", "average_rate", "rate_limit"})
_SECONDS: Final = frozenset({"seconds", "duration"})
_SKIPPED: Final = frozenset({"schema", "network", "etag", "plan"})
_LABELS: Final = {
    "url": "From",
    "path": "File",
    "etag": "ETag",
    "mime": "Type",
    "seconds": "Time moving bytes",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One phase of a job. `status` is empty for what is still ahead."""

    name: str
    status: Status

    @property
    def label(self) -> str:
        """The name as a heading."""
        return self.name.replace("_", " ").capitalize()


def seen_phases(events: Iterable[Event]) -> list[str]:
    """Return the phases a job went through, each once, in the order they first came."""
    names = (
        str(event.data.get("phase") or event.data.get("name") or "")
        for event in events
        if event.type == "phase"
    )
    return list(dict.fromkeys(name for name in names if name))


def steps_of(job: Job, known: Sequence[str], seen: Sequence[str]) -> list[Step]:
    """Return the steps of `job`: `known` are the phases of its kind in order, `seen` those it has gone through."""
    names = list(known) or list(dict.fromkeys([*seen, *([job.phase] if job.phase else [])]))
    for name in seen:
        if name not in names:
            names.append(name)
    if not names:
        names = ["running"]
    at = names.index(job.phase) if job.phase in names else -1
    return [Step("queued", "now" if at < 0 and job.state not in TERMINAL else "done")] + [
        Step(name, _status(job, place, at)) for place, name in enumerate([*names, "done"])
    ]


def _status(job: Job, place: int, at: int) -> Status:
    if job.state is State.SUCCEEDED or place < at:
        return "done"
    if place > at:
        return ""
    if job.state in {State.FAILED, State.CANCELLED}:
        return "broken"
    return "now"


def facts_of(job: Job) -> list[tuple[str, str]]:
    """Return what is worth knowing about how `job` went, as label and text."""
    facts = [("From", plain_address(str(url))) for url in list(job.spec.get("urls") or ())[:3]]
    if job.started_at and job.finished_at:
        took = max(0.0, job.finished_at - job.started_at)
        facts.append(("Took", format_duration(took)))
        if job.progress.network and took > 0:
            facts.append(("Average speed", format_rate(job.progress.network / took)))
    known = {value for _, value in facts}
    facts.extend(fact for fact in _result_facts(hidden(job.result or {})) if fact[1] not in known)
    if job.state not in TERMINAL and job.spec.get("rate_limit"):
        facts.append(("Speed limit", format_rate(float(job.spec["rate_limit"]))))
    if job.priority != DEFAULT_PRIORITY:
        facts.append(("Priority", f"{job.priority} (0 runs first, 9 last)"))
    return sorted(facts, key=lambda fact: len(fact[1]) > LONG)


def plain_address(url: str) -> str:
    """Return `url` without user name, password, query and fragment: those may be secret."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _result_facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    flat = [
        (name, value)
        for name, value in result.items()
        if value not in (None, "", False, {}, []) and name not in _SKIPPED
    ]
    return [
        (_LABELS.get(name, name.replace("_", " ").capitalize()), _text(name, value)) for name, value in flat
    ]


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        for names, form in ((_SIZES, format_size), (_RATES, format_rate), (_SECONDS, format_duration)):
            if name in names:
                return form(float(value))
    if isinstance(value, list):
        return ", ".join(_text(name, item) for item in value)
    if isinstance(value, dict) and {"target", "state"} <= value.keys():
        return f"{value['target']}: {value['state']}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return str(value)


def configuration_of(job: Job) -> str:
    """Return what the job was asked to do, as JSON for people; secrets are hidden."""
    return json.dumps(hidden(job.spec), indent=2, ensure_ascii=False, sort_keys=True)

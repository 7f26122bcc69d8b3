"""One action on many jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from ferryman.core.errors import FerryError, Invalid
from ferryman.jobs.checks import check_category, check_priority
from ferryman.jobs.model import Document

if TYPE_CHECKING:
    from ferryman.jobs.service import Ledger

ACTIONS: Final = ("pause", "resume", "cancel", "retry", "delete", "start_now", "priority", "category")
"""What can be asked of many jobs at once."""
_AT_ONCE: Final = 32


async def bulk(
    ledger: "Ledger",
    action: str,
    jobs: Sequence[str],
    actor: str,
    *,
    value: int | str | None,
    files: bool,
) -> Document:
    """Do `action` to each of `jobs`. Answers `done`, a list of ids, and `refused`, a message for each id."""
    act = _action(ledger, action, actor, value, files)
    ids = list(dict.fromkeys(jobs))
    refused: dict[str, str] = {}

    async def one(job_id: str) -> None:
        try:
            await act(job_id)
        except FerryError as error:
            refused[job_id] = error.message

    for start in range(0, len(ids), _AT_ONCE):  # what is asked for together is committed together
        await asyncio.gather(*[one(job_id) for job_id in ids[start : start + _AT_ONCE]])
    return {"done": [job_id for job_id in ids if job_id not in refused], "refused": refused}


def _action(
    ledger: "Ledger", action: str, actor: str, value: int | str | None, files: bool
) -> Callable[[str], Awaitable[object]]:
    """What to call for each job. Raises `Invalid` for an action, a priority or a category that is none."""
    plain = {
        "pause": ledger.pause,
        "resume": ledger.resume,
        "cancel": ledger.cancel,
        "retry": ledger.retry,
        "start_now": ledger.start_now,
    }
    if action in plain:
        return lambda job_id: plain[action](job_id, actor)
    match action:
        case "delete":
            return lambda job_id: ledger.delete([job_id], files=files)
        case "priority":
            priority = _priority(value)
            return lambda job_id: ledger.set_priority(job_id, priority)
        case "category":
            category = check_category(None if value is None else str(value))
            return lambda job_id: ledger.set_category(job_id, category)
    raise Invalid(
        "action_invalid", f"'{action[:80]}' is no action.", advice=f"Use one of {', '.join(ACTIONS)}."
    )


def _priority(value: int | str | None) -> int:
    if not isinstance(value, int):
        raise Invalid(
            "priority_invalid",
            f"'{str(value)[:40]}' is no priority.",
            advice="Use 0 (first) to 9 (last).",
            fields={"value": "Use 0 (first) to 9 (last)."},
        )
    check_priority(value)
    return value

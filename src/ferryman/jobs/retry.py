"""What an error means for a job: its reason, and whether and when it is tried again. Pure."""

from dataclasses import dataclass
from typing import Final

from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)
from ferryman.jobs.model import Reason

FIRST: Final = 5.0
"""Seconds before the second attempt; doubled for each further one."""
LONGEST: Final = 600.0
"""Most seconds between two attempts."""
NO_ROOM: Final = 30.0
"""Seconds between two looks at a full disk; they spend no attempt."""

MOST_LOSSES: Final = 20
"""How often in a row a job may lose its worker without a new checkpoint before it fails."""

_REASONS: Final[tuple[tuple[type[FerryError], Reason], ...]] = (
    (Invalid, Reason.INVALID),
    (Denied, Reason.DENIED),
    (NotFound, Reason.NOT_FOUND),
    (Conflict, Reason.CONFLICT),
    (Exhausted, Reason.DISK_FULL),
    (Corrupt, Reason.CORRUPT),
    (Unavailable, Reason.NETWORK),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why it failed; `delay` seconds until the next attempt, or `None` for never; whether this attempt counts."""

    reason: Reason
    delay: float | None
    counts: bool = True


def reason_of(error: BaseException) -> Reason:
    """The reason an error stands for; anything that is not of our tree is internal."""
    if isinstance(error, Unavailable) and "timeout" in error.code:
        return Reason.TIMEOUT
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return Reason.INTERNAL


def judge(error: BaseException, attempt: int, max_attempts: int) -> Verdict:
    """Decide after attempt number `attempt` (from 1) ended with `error`."""
    reason = reason_of(error)
    if reason is Reason.DISK_FULL:
        return Verdict(reason, NO_ROOM, counts=False)
    if not isinstance(error, Unavailable) or attempt >= max_attempts:
        return Verdict(reason, None)
    delay = min(LONGEST, FIRST * 2.0 ** (attempt - 1))
    return Verdict(reason, max(delay, error.retry_after or 0.0))

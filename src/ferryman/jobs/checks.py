"""What the ledger accepts. Pure; each raises `Invalid`."""

import math
import re
from typing import Final

from ferryman.core.errors import Invalid
from ferryman.jobs.model import NewJob
from ferryman.jobs.windows import parse_window

MOST_CATEGORY: Final = 80
"""Characters of a category."""
LONGEST_WAIT: Final = 10 * 366 * 86_400.0
"""Seconds until the latest moment a job may be scheduled for."""
_KIND: Final = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


def check_new(job: NewJob) -> None:
    """Refuse a job that cannot be accepted."""
    check_kind(job.kind)
    if not job.title.strip():
        raise Invalid("title_invalid", "A job without a title was given.", advice="Say what it is about.")
    check_priority(job.priority)
    check_category(job.category)
    if job.window is not None:
        parse_window(job.window)
    if job.max_attempts < 1:
        raise Invalid("attempts_invalid", f"{job.max_attempts} attempts are none.", advice="Use at least 1.")
    if job.idempotency_key is not None and not 1 <= len(job.idempotency_key) <= 300:
        raise Invalid(
            "idempotency_invalid",
            f"An idempotency key of {len(job.idempotency_key)} characters was given.",
            advice="Use 1 to 300 characters.",
        )


def check_kind(kind: str) -> None:
    """Refuse what is no kind of jobs."""
    if not _KIND.fullmatch(kind):
        raise Invalid(
            "kind_invalid",
            f"'{kind[:80]}' is no kind of jobs.",
            advice="A kind is a lower-case word such as download.",
        )


def check_priority(priority: int) -> None:
    """Refuse what is no priority."""
    if not 0 <= priority <= 9:
        raise Invalid(
            "priority_invalid",
            f"{priority} is no priority.",
            advice="Use 0 (first) to 9 (last).",
        )


def check_category(category: str | None) -> str | None:
    """Return the name of a category as it is kept; an empty one is none."""
    name = (category or "").strip()
    if len(name) > MOST_CATEGORY or not name.isprintable():
        raise Invalid(
            "category_invalid",
            f"'{name[:80]!a}' cannot be the name of a category.",
            advice=f"Use at most {MOST_CATEGORY} characters on one line.",
        )
    return name or None


def check_moment(when: float | None, now: float) -> None:
    """Refuse a moment that nobody waits for."""
    if when is not None and not (math.isfinite(when) and 0 <= when <= now + LONGEST_WAIT):
        raise Invalid(
            "moment_invalid",
            "That moment is too far away.",
            advice="Choose one within the next ten years.",
            fields={"not_before": "Choose a moment within the next ten years."},
        )

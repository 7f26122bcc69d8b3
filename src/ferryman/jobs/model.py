"""The nouns of the ledger. Pure values; times are UNIX seconds, sizes bytes, rates bytes per second."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Document = dict[str, Any]
"""A JSON object."""


class State(StrEnum):
    """What a job does now; see `transitions` for the edges."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
"""States that only a retry leaves."""


class Desired(StrEnum):
    """What its owner wants of a job."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


class Reason(StrEnum):
    """Why a job failed or waits."""

    INVALID = "invalid"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    NETWORK = "network"
    TIMEOUT = "timeout"
    DISK_FULL = "disk_full"
    CORRUPT = "corrupt"
    LOST = "lost"
    EXIT_CODE = "exit_code"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `network`, `disk` and `verified` never go back within one run.

    `resumed` is how much was there from earlier runs and need not be moved again.
    """

    total: int | None = None
    network: int = 0
    disk: int = 0
    verified: int = 0
    rate: float = 0.0
    eta: float | None = None
    slow: str | None = None
    items_done: int = 0
    items_total: int = 0
    connections: int = 0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to accept. `priority` 0 runs first, 9 last; `not_before` holds it until then.

    `window` is when it may run, as `windows` reads it. `category` is what its owner files it under, `host` where its bytes come from; both are for lists and statistics.

    `same` tells whether the spec of an earlier job with this idempotency key asks for the same as this one; without,
    they must be equal. It is pure, quick, and called in the transaction that accepts.
    """

    kind: str
    title: str
    spec: Document
    priority: int = 5
    owner: str | None = None
    node: str | None = None
    parent: str | None = None
    idempotency_key: str | None = None
    not_before: float | None = None
    max_attempts: int = 5
    category: str | None = None
    host: str | None = None
    window: str | None = None
    same: Callable[[Document], bool] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the ledger. `position` orders jobs of one priority; `epoch` counts leases.

    `size` is the whole of what it is about, in bytes, as far as known; an `urgent` job runs beyond every limit and
    outside its `window`, which is the time of day in which it may run.
    """

    id: str
    kind: str
    title: str
    spec: Document
    state: State
    desired: Desired
    priority: int
    position: float
    created_at: float
    updated_at: float
    owner: str | None = None
    node: str | None = None
    parent: str | None = None
    idempotency_key: str | None = None
    attempt: int = 0
    max_attempts: int = 5
    epoch: int = 0
    lease_holder: str | None = None
    lease_until: float | None = None
    not_before: float | None = None
    phase: str | None = None
    progress: Progress = field(default_factory=Progress)
    checkpoint: Document | None = None
    result: Document | None = None
    reason: Reason | None = None
    error: str | None = None
    error_code: str | None = None
    advice: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    category: str | None = None
    host: str | None = None
    size: int | None = None
    urgent: bool = False
    window: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job. `id` grows over all jobs."""

    id: int
    job_id: str
    at: float
    type: str
    data: Document


@dataclass(frozen=True, slots=True)
class Query:
    """Which jobs to list. Empty tuples and `None` mean no filter; a sort with `-` is descending.

    `since` and `until` are about acceptance; sizes are bytes, both ends included; a job whose size is not known has none.
    """

    kinds: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    text: str = ""
    owner: str | None = None
    parent: str | None = None
    reasons: tuple[Reason, ...] = ()
    since: float | None = None
    until: float | None = None
    sort: str = "-created_at"
    cursor: str | None = None
    limit: int = 50
    categories: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    min_size: int | None = None
    max_size: int | None = None
    finished_since: float | None = None
    finished_until: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a filter comes to: jobs and bytes, together and per state. With `at_least` there are more: counting stopped."""

    number: int
    size: int
    states: dict[State, int]
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, and the cursor of those that follow, if any."""

    items: tuple[Job, ...]
    next_cursor: str | None

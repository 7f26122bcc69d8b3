"""What the ledger needs from outside: a store, a dispatch, and the handlers that features bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from ferryman.jobs.model import Desired, Document, Event, Job, NewJob, Page, Progress, Query, Reason, State
from ferryman.jobs.run import Run


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the state to move to, and what to record."""

    state: State
    result: Document | None = None
    reason: Reason | None = None
    error: str | None = None
    error_code: str | None = None
    advice: str | None = None
    not_before: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Save:
    """What a running job has to record; `None` leaves a part as it is."""

    job_id: str
    epoch: int
    progress: Progress | None = None
    phase: str | None = None
    checkpoint: Document | None = None


class Store(Protocol):
    """Where jobs are kept. Every method is one transaction, durable on return, safe to call concurrently.

    A cancelled call may or may not have happened. Methods that take an epoch do nothing and say so when it is old.
    """

    async def add(self, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
        """Accept jobs under new ids, all or none; one whose idempotency key is known returns the job it has."""
        ...

    async def get(self, job_id: str) -> Job | None:
        """One job."""
        ...

    async def find(self, query: Query) -> Page:
        """A page of jobs. Raises `Invalid` for a cursor or a sort that is none."""
        ...

    async def ids(self, query: Query, limit: int) -> list[str]:
        """The ids of all jobs that match, at most `limit`."""
        ...

    async def counts(self, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
        """How many jobs are in each state; without an owner in constant time."""
        ...

    async def act(
        self, job_id: str, desired: Desired, state: State | None, expected: Job, now: float
    ) -> Job | None:
        """Set what is wanted, and the state where it changes at once; `None` when the job has changed since `expected`."""
        ...

    async def set_priority(self, job_id: str, priority: int, now: float) -> Job | None:
        """Change the order."""
        ...

    async def lease(
        self, holder: str, kinds: Sequence[str], free: int, limits: dict[str, int], now: float, until: float
    ) -> list[Job]:
        """Take up to `free` runnable jobs in run order, within the limits per kind. Atomic: no job is taken twice."""
        ...

    async def renew(self, holder: str, until: float) -> dict[str, tuple[int, Desired]]:
        """Prolong all leases of a holder; tell each one's epoch and what is wanted of it."""
        ...

    async def save(self, saves: Sequence[Save], now: float) -> set[str]:
        """Record progress, phases and checkpoints; return the ids whose epoch was old."""
        ...

    async def finish(self, job_id: str, epoch: int, outcome: Outcome, now: float) -> Job | None:
        """End a run; `None` when the epoch is old."""
        ...

    async def reclaim(self, now: float, dead: Sequence[str]) -> list[Job]:
        """Put back jobs whose lease ran out or whose holder is among the `dead`."""
        ...

    async def wake(self, now: float) -> list[Job]:
        """Queue the waiting jobs that are due."""
        ...

    async def next_due(self) -> float | None:
        """When the next waiting job is due."""
        ...

    async def last_event(self) -> int:
        """The id of the newest event, 0 when there is none."""
        ...

    async def holders(self) -> list[str]:
        """Who holds leases now."""
        ...

    async def add_event(self, job_id: str, kind: str, data: Document, now: float) -> Event:
        """Append to the events."""
        ...

    async def events(self, job_id: str | None, after: int, limit: int) -> list[Event]:
        """Events in order, of one job or of all."""
        ...

    async def limits(self) -> dict[str, int]:
        """Concurrency per kind; `*` is for all together."""
        ...

    async def set_limit(self, kind: str, limit: int | None) -> None:
        """Change a limit; `None` takes it away."""
        ...

    async def delete(self, ids: Sequence[str]) -> list[str]:
        """Remove finished jobs and their events; return what was removed."""
        ...


class Dispatch(Protocol):
    """Tells workers that there may be work. A lost message costs time, never a job: workers also look by themselves."""

    def announce(self, kind: str) -> None:
        """Wake workers that serve `kind`. Thread-safe, never blocks; idempotent."""
        ...

    async def wait(self, kinds: Sequence[str], timeout: float) -> bool:
        """Wait for an announcement of one of `kinds` since the last call; False after `timeout` seconds."""
        ...


class Handler(Protocol):
    """Does the work of one kind of job. `run` may be called for several jobs at once."""

    @property
    def kind(self) -> str:
        """The kind of jobs it runs."""
        ...

    @property
    def spec(self) -> type[BaseModel]:
        """What a job of this kind is asked to do."""
        ...

    async def run(self, spec: Any, run: Run) -> Document:
        """Do the work and return the result. Raises `FerryError` on failure, `Stopped` when asked to stop.

        It may be called again after any interruption and must go on from `run.checkpoint`.
        """
        ...

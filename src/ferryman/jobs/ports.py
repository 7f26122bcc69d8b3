"""What the ledger needs from outside: a store, a dispatch, and the handlers that features bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from ferryman.jobs.model import (
    Desired,
    Document,
    Event,
    Job,
    NewJob,
    Page,
    Progress,
    Query,
    Reason,
    State,
    Summary,
)
from ferryman.jobs.run import Run
from ferryman.jobs.transitions import Cause


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and what to record. `counts` is whether it spends an attempt; `not_before` is for another one."""

    cause: Cause
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


@dataclass(frozen=True, slots=True)
class Claim:
    """Which jobs a worker takes: of which kinds, at most `free`, within `limits` per kind and for all (`*`) together.

    `node` is where the worker is; jobs that belong to another node, or to none when it has one, are not for it.
    """

    holder: str
    kinds: Sequence[str]
    free: int
    limits: Mapping[str, int] = field(default_factory=dict)
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as the store knows it: its epoch, and what people want of the job."""

    epoch: int
    desired: Desired


@dataclass(frozen=True, slots=True)
class Place:
    """Where queued jobs are moved to: before or after another one, to the top or to the bottom. One of them is given."""

    before: str | None = None
    after: str | None = None
    top: bool = False
    bottom: bool = False


@dataclass(frozen=True, slots=True)
class Doomed:
    """A deleted job that is being removed for good; `files` is whether what it fetched goes with it."""

    job: Job
    files: bool


class Store(Protocol):
    """Where jobs are kept. Every method is one transaction, durable on return, safe to call concurrently.

    A cancelled call may or may not have happened. What carries an old epoch is refused: it changes nothing.
    All raise `Unavailable` when the database does not answer, and `Exhausted` when it has no room.
    """

    async def add(self, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
        """Accept jobs under new ids, all or none, in their order.

        One whose idempotency key is known returns the job it has. Raises `Conflict` (`idempotency_reused`) when that
        was asked to do something else.
        """
        ...

    async def get(self, job_id: str) -> Job | None:
        """One job."""
        ...

    async def find(self, query: Query) -> Page:
        """A page of jobs. Raises `Invalid` for a cursor or a sort that is none."""
        ...

    async def ids(self, query: Query, limit: int) -> list[str]:
        """The ids of all jobs that match, at most `limit`, in the order of the query; its cursor and limit are ignored."""
        ...

    async def summary(self, query: Query) -> Summary:
        """What all jobs that match come to; its cursor, sort and limit are ignored. Quick: it may stop counting."""
        ...

    async def choices(self, name: str, owner: str | None, most: int) -> list[str]:
        """The hosts or categories (`name` is `host` or `category`) of all jobs, or of one owner's, at most `most`."""
        ...

    async def counts(self, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
        """How many jobs are in each state, whatever their number, in about the same time."""
        ...

    async def act(self, expected: Job, desired: Desired, state: State | None, now: float) -> Job | None:
        """Set what is wanted, and the state where it changes at once; `None` when the job is no longer as `expected`."""
        ...

    async def set_priority(self, job_id: str, priority: int, now: float) -> Job | None:
        """Change the order; `None` when there is no such job."""
        ...

    async def change_spec(self, expected: Job, changed: Job, told: Document, now: float) -> Job | None:
        """Write spec, title and category of `changed`, and `told` to the events; `None` as with `act`."""
        ...

    async def by_key(self, key: str) -> Job | None:
        """The job with this idempotency key."""
        ...

    async def ids_ending(self, tail: str, limit: int) -> list[str]:
        """Ids whose random end begins with `tail`, at most `limit`. Looks at every id: not for every request."""
        ...

    async def alter(
        self, expected: Job, values: Mapping[str, Any], now: float, cause: Cause | None = None
    ) -> Job | None:
        """Set columns, where nothing has changed since; `None` when the job is no longer as `expected`.

        A `state` among them is booked and noted with its `cause`.
        """
        ...

    async def move(self, ids: Sequence[str], place: Place, now: float) -> list[Job]:
        """Reorder: put the queued ones of `ids` to `place` in the order given; return them as they are now.

        They take the priority of where they go. Raises `Conflict` (`place_gone`) when the job at that place is not queued.
        """
        ...

    async def defer(self, now: float) -> list[Job]:
        """Let queued jobs outside their windows wait until those open; urgent ones stay."""
        ...

    async def lease(self, claim: Claim, now: float, until: float) -> list[Job]:
        """Take runnable jobs in run order. Atomic: no job is taken twice, and limits hold over all workers.

        Urgent jobs are taken whatever the limits and the free places are; then they count like others.
        """
        ...

    async def renew(self, holder: str, jobs: Sequence[str], until: float) -> dict[str, Held]:
        """Prolong the leases of these jobs that `holder` still has, and tell them; others run out."""
        ...

    async def held(self, holder: str) -> dict[str, Held]:
        """The leases a holder has. Only reads."""
        ...

    async def save(self, saves: Sequence[Save], now: float) -> set[str]:
        """Record progress, phases and checkpoints; return the ids whose epoch was old."""
        ...

    async def finish(
        self, job_id: str, epoch: int, outcome: Outcome, now: float, progress: Progress | None = None
    ) -> Job | None:
        """End a run; `None` when the epoch is old. Where it goes also depends on what is wanted, see `end_of_run`."""
        ...

    async def reclaim(self, now: float, dead: Sequence[str]) -> list[Job]:
        """End the runs whose lease ran out or whose holder is among the `dead`; return the jobs as they are now.

        They go back to the queue without spending an attempt; one that was lost `retry.MOST_LOSSES` times in a row
        without a new checkpoint fails, because it may be what takes its workers down.
        """
        ...

    async def wake(self, now: float) -> list[Job]:
        """Queue the waiting jobs that are due."""
        ...

    async def next_due(self) -> float | None:
        """When the next waiting job is due."""
        ...

    async def due(self, owner: str | None, limit: int) -> list[Job]:
        """Waiting jobs of one owner or of all that go on by themselves, the next due first."""
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

    async def last_event(self) -> int:
        """The id of the newest event, 0 when there is none."""
        ...

    async def delete(self, ids: Sequence[str], now: float, *, files: bool = False) -> list[str]:
        """Put those that are finished into the trash; return what was put there. Nobody finds them any more."""
        ...

    async def restore(self, ids: Sequence[str], owner: str | None = None) -> list[Job]:
        """Bring jobs back from the trash, unchanged, only those of `owner` when given; return those that came."""
        ...

    async def doom(self, before: float) -> list[Doomed]:
        """Choose some of those deleted before a time for removal; none of them can be brought back afterwards.

        Those that were chosen but not removed, because a process died, are returned again.
        """
        ...

    async def remove(self, ids: Sequence[str]) -> None:
        """Remove doomed jobs for good, with their events. Idempotent."""
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

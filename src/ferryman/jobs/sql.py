"""The store of the ledger on SQLAlchemy Core: SQLite and PostgreSQL through the same statements.

On SQLite one thread writes, so a transaction sees nothing change under it. On PostgreSQL rows that are read to be changed
are locked, leases are taken one after another, and jobs are always changed before their counts: nothing waits in a circle.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from ferryman.core.errors import Conflict
from ferryman.db import Database
from ferryman.db.values import clean, dump
from ferryman.jobs import changes, leases, run_order, search, totals, trash
from ferryman.jobs.model import (
    TERMINAL,
    Desired,
    Document,
    Event,
    Job,
    NewJob,
    Page,
    Progress,
    Query,
    State,
    Summary,
)
from ferryman.jobs.ports import Claim, Doomed, Held, Outcome, Place, Save
from ferryman.jobs.rows import COLUMNS, fresh_job, job_of, row_of
from ferryman.jobs.statements import book, first, moved, note, upsert
from ferryman.jobs.statistics.model import job_ended
from ferryman.jobs.statistics.sql import book_days
from ferryman.jobs.tables import BLOCK, BLOCKS, EVENTS, JOBS, TRASH, cell, chunks
from ferryman.jobs.transitions import Cause
from ferryman.jobs.windows import is_open

_IS_WAITING: Final = and_(literal_column("state") == literal_column("'waiting'"))
"""Spelled as in the partial index of due jobs, or it is not used."""

_HAS_WINDOW: Final = and_(JOBS.c.state == State.QUEUED, JOBS.c.window.is_not(None), ~JOBS.c.urgent)


class SqlStore:
    """Implements `ports.Store`."""

    def __init__(self, database: Database) -> None:
        """Keep jobs in `database`, which must be migrated."""
        self._db = database

    async def add(self, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
        """Accept jobs, all or none."""
        return await self._db.write(lambda c: _add(c, jobs, now))

    async def get(self, job_id: str) -> Job | None:
        """One job."""
        return await self._db.read(lambda c: _get(c, job_id))

    async def find(self, query: Query) -> Page:
        """A page of jobs."""
        return await self._db.read(lambda c: search.find(c, query, sqlite=self._db.sqlite))

    async def ids(self, query: Query, limit: int) -> list[str]:
        """All ids that match."""
        whole = dataclasses.replace(query, cursor=None)
        return await self._db.read(lambda c: search.find_ids(c, whole, limit, sqlite=self._db.sqlite))

    async def summary(self, query: Query) -> Summary:
        """What matches, added up."""
        whole = dataclasses.replace(query, cursor=None)
        return await self._db.read(lambda c: totals.summary(c, whole, sqlite=self._db.sqlite))

    async def choices(self, name: str, owner: str | None, most: int) -> list[str]:
        """What lists can be narrowed to."""
        return await self._db.read(lambda c: totals.choices(c, name, owner, most))

    async def counts(self, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
        """Jobs per state."""
        return await self._db.read(lambda c: search.counts(c, kinds, owner))

    async def act(self, expected: Job, desired: Desired, state: State | None, now: float) -> Job | None:
        """Set what is wanted, where nothing has changed since."""
        return await self._db.write(lambda c: _act(c, expected, desired, state, now))

    async def set_priority(self, job_id: str, priority: int, now: float) -> Job | None:
        """Change the order."""
        statement = update(JOBS).where(JOBS.c.id == job_id).values(priority=priority, updated_at=now)
        return await self._db.write(lambda c: first(c, statement.returning(*COLUMNS)))

    async def change_spec(self, expected: Job, changed: Job, told: Document, now: float) -> Job | None:
        """Write what is asked, where nothing has changed since."""
        return await self._db.write(lambda c: changes.change_spec(c, expected, changed, told, now))

    async def by_key(self, key: str) -> Job | None:
        """The job with an idempotency key."""
        return await self._db.read(lambda c: changes.by_key(c, key))

    async def ids_ending(self, tail: str, limit: int) -> list[str]:
        """Ids by their end."""
        return await self._db.read(lambda c: changes.ids_ending(c, tail, limit))

    async def alter(
        self, expected: Job, values: Mapping[str, Any], now: float, cause: Cause | None = None
    ) -> Job | None:
        """Set columns, where nothing has changed since."""
        return await self._db.write(lambda c: _alter(c, expected, values, now, cause))

    async def move(self, ids: Sequence[str], place: Place, now: float) -> list[Job]:
        """Reorder queued jobs."""
        return await self._db.write(lambda c: run_order.move(c, ids, place, now))

    async def defer(self, now: float) -> list[Job]:
        """Let queued jobs outside their windows wait."""
        statement = select(JOBS.c.window).where(_HAS_WINDOW).distinct()
        windows = await self._db.read(lambda c: list(c.execute(statement).scalars()))
        closed = [window for window in windows if not is_open(window, now)]
        if not closed:
            return []
        chosen = and_(_HAS_WINDOW, JOBS.c.window.in_(closed))
        return await self._db.write(lambda c: leases.defer(c, chosen, now))

    async def lease(self, claim: Claim, now: float, until: float) -> list[Job]:
        """Take runnable jobs in run order."""
        return await self._db.write(lambda c: leases.lease(c, claim, now, until))

    async def renew(self, holder: str, jobs: Sequence[str], until: float) -> dict[str, Held]:
        """Prolong leases."""
        return await self._db.write(lambda c: leases.renew(c, holder, jobs, until))

    async def held(self, holder: str) -> dict[str, Held]:
        """The leases of a holder."""
        statement = select(JOBS.c.id, JOBS.c.epoch, JOBS.c.desired).where(JOBS.c.lease_holder == holder)
        return await self._db.read(
            lambda c: {row.id: Held(row.epoch, Desired(row.desired)) for row in c.execute(statement)}
        )

    async def save(self, saves: Sequence[Save], now: float) -> set[str]:
        """Record progress, phases and checkpoints."""
        return await self._db.write(
            lambda c: {save.job_id for save in saves if not leases.save(c, save, now)}
        )

    async def finish(
        self, job_id: str, epoch: int, outcome: Outcome, now: float, progress: Progress | None = None
    ) -> Job | None:
        """End a run."""
        return await self._db.write(lambda c: leases.finish(c, job_id, epoch, outcome, now, progress))

    async def reclaim(self, now: float, dead: Sequence[str]) -> list[Job]:
        """Put back the jobs of holders that are gone."""
        held = JOBS.c.lease_holder.is_not(None)
        gone = and_(held, or_(JOBS.c.lease_until < now, JOBS.c.lease_holder.in_(list(dead))))
        statement = select(JOBS.c.seq).where(gone).limit(1)
        if not await self._db.read(lambda c: c.execute(statement).first()):
            return []
        return await self._db.write(lambda c: leases.reclaim(c, gone, now))

    async def wake(self, now: float) -> list[Job]:
        """Queue waiting jobs that are due."""
        due = and_(_IS_WAITING, or_(JOBS.c.not_before.is_(None), JOBS.c.not_before <= now))
        if not await self._db.read(lambda c: c.execute(select(JOBS.c.seq).where(due).limit(1)).first()):
            return []
        return await self._db.write(lambda c: leases.wake(c, due, now))

    async def next_due(self) -> float | None:
        """When the next waiting job is due."""
        statement = select(func.min(JOBS.c.not_before)).where(_IS_WAITING)
        return await self._db.read(lambda c: c.execute(statement).scalar())

    async def due(self, owner: str | None, limit: int) -> list[Job]:
        """Waiting jobs, the next due first."""
        statement = select(*COLUMNS).where(_IS_WAITING, JOBS.c.not_before.is_not(None))
        if owner is not None:
            statement = statement.where(JOBS.c.owner == owner)
        statement = statement.order_by(JOBS.c.not_before, JOBS.c.seq).limit(limit)
        return await self._db.read(lambda c: [job_of(row) for row in c.execute(statement)])

    async def holders(self) -> list[str]:
        """Who holds leases."""
        statement = select(JOBS.c.lease_holder).where(JOBS.c.lease_holder.is_not(None)).distinct()
        return await self._db.read(lambda c: list(c.execute(statement).scalars()))

    async def add_event(self, job_id: str, kind: str, data: Document, now: float) -> Event:
        """Append to the events."""
        return await self._db.write(lambda c: note(c, job_id, kind, data, now))

    async def events(self, job_id: str | None, after: int, limit: int) -> list[Event]:
        """Events in order."""
        statement = select(EVENTS).where(EVENTS.c.id > after).order_by(EVENTS.c.id).limit(limit)
        if job_id is not None:
            statement = statement.where(EVENTS.c.job_id == job_id)
        return await self._db.read(
            lambda c: [Event(row.id, row.job_id, row.at, row.type, row.data) for row in c.execute(statement)]
        )

    async def last_event(self) -> int:
        """The id of the newest event, 0 when there is none."""
        return await self._db.read(lambda c: c.execute(select(func.max(EVENTS.c.id))).scalar() or 0)

    async def delete(self, ids: Sequence[str], now: float, *, files: bool = False) -> list[str]:
        """Put finished jobs into the trash."""
        return await self._db.write(lambda c: trash.throw(c, ids, now, files=files))

    async def restore(self, ids: Sequence[str], owner: str | None = None) -> list[Job]:
        """Bring jobs back."""
        return await self._db.write(lambda c: trash.bring_back(c, ids, owner))

    async def doom(self, before: float) -> list[Doomed]:
        """Choose deleted jobs for removal."""
        due = select(TRASH.c.id).where(or_(TRASH.c.doomed, TRASH.c.deleted_at <= before)).limit(1)
        if not await self._db.read(lambda c: c.execute(due).first()):
            return []
        return await self._db.write(lambda c: trash.doom(c, before))

    async def remove(self, ids: Sequence[str]) -> None:
        """Remove doomed jobs for good."""
        await self._db.write(lambda c: trash.remove(c, ids))


# accepting


def _add(connection: Connection, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
    known = _by_key(connection, [new.idempotency_key for _, new in jobs if new.idempotency_key])
    accepted: list[Job] = []
    fresh: list[Job] = []
    for index, (job_id, new) in enumerate(jobs):
        earlier = known.get(new.idempotency_key) if new.idempotency_key else None
        if earlier is not None:
            accepted.append(_same(earlier, new))
            continue
        job = fresh_job(job_id, new, now, now + index * 1e-6)
        if new.idempotency_key:
            known[new.idempotency_key] = job
        accepted.append(job)
        fresh.append(job)
    if fresh:
        _insert(connection, fresh, now)
    return accepted


def _same(earlier: Job, new: NewJob) -> Job:
    spec = json.loads(dump(earlier.spec))
    asked = new.same(spec) if new.same else spec == json.loads(dump(new.spec))
    if asked and (earlier.kind, earlier.owner) == (new.kind, new.owner):
        return earlier
    raise Conflict(
        "idempotency_reused",
        f"The idempotency key '{new.idempotency_key}' was used for another request.",
        advice="Use a new key for each new request.",
    )


def _insert(connection: Connection, jobs: list[Job], now: float) -> None:
    connection.execute(insert(JOBS), [row_of(job) for job in jobs])
    connection.execute(
        insert(EVENTS),
        [
            {"job_id": job.id, "at": now, "type": "accepted", "data": {"title": clean(job.title)}}
            for job in jobs
        ],
    )
    book(connection, Counter(cell(job.owner, job.kind, job.state) for job in jobs))
    if connection.dialect.name == "sqlite":
        _note_time(connection, len(jobs), now)


def _note_time(connection: Connection, number: int, now: float) -> None:
    """Widen the time of the blocks that the last `number` rows are in."""
    last = connection.execute(select(func.max(JOBS.c.seq))).scalar_one()
    statement = upsert(connection, BLOCKS)
    statement = statement.on_conflict_do_update(
        index_elements=["block"],
        set_={
            "first": func.min(BLOCKS.c.first, statement.excluded.first),
            "last": func.max(BLOCKS.c.last, statement.excluded.last),
        },
    )
    blocks = range((last - number + 1) // BLOCK, last // BLOCK + 1)
    connection.execute(statement, [{"block": block, "first": now, "last": now} for block in blocks])


def _by_key(connection: Connection, keys: list[str]) -> dict[str, Job]:
    found: dict[str, Job] = {}
    for part in chunks(keys):
        for row in connection.execute(select(*COLUMNS).where(JOBS.c.idempotency_key.in_(part))):
            found[row.idempotency_key] = job_of(row)
    return found


# people


def _act(
    connection: Connection, expected: Job, desired: Desired, state: State | None, now: float
) -> Job | None:
    values: dict[str, Any] = {"desired": desired, "updated_at": now}
    if state is not None:
        values |= {"state": state, "finished_at": now if state in TERMINAL else None}
        values |= {} if state is State.QUEUED else {"urgent": False}
    if state is State.QUEUED:
        values["not_before"] = None
        if expected.state in TERMINAL:
            values |= {"attempt": 0, "losses": 0, "result": None}
            values |= dict.fromkeys(("reason", "error", "error_code", "advice"))
    job = _alter(connection, expected, values, now)
    if job is not None and state is None:
        note(connection, job.id, "desired", {"desired": desired}, now)
    return job


def _alter(
    connection: Connection, expected: Job, values: Mapping[str, Any], now: float, cause: Cause | None = None
) -> Job | None:
    same = (JOBS.c.id == expected.id, JOBS.c.state == expected.state, JOBS.c.epoch == expected.epoch)
    changed = {"updated_at": now, **values}
    job = first(connection, update(JOBS).where(*same).values(changed).returning(*COLUMNS))
    if job is None or "state" not in values:
        return job
    data = {"from": expected.state, "to": job.state, "cause": cause}
    note(connection, job.id, "state", {name: value for name, value in data.items() if value}, now)
    book(connection, moved(Counter(), expected, job.state))
    if job.state in TERMINAL:
        book_days(connection, job_ended({}, job, job.state, now))
    return job


# parts


def _get(connection: Connection, job_id: str) -> Job | None:
    return first(connection, select(*COLUMNS).where(JOBS.c.id == job_id))

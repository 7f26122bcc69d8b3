"""The store of the ledger on SQLAlchemy Core: SQLite and PostgreSQL through the same statements."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from ferryman.core.errors import Conflict
from ferryman.db import Database
from ferryman.jobs.model import (
    TERMINAL,
    Desired,
    Document,
    Event,
    Job,
    NewJob,
    Page,
    Query,
    State,
)
from ferryman.jobs.ports import Outcome, Save
from ferryman.jobs.rows import COLUMNS, fresh_job, job_of, row_of
from ferryman.jobs.search import FEW, condition, has_words, order, rare_matches, read_cursor, write_cursor
from ferryman.jobs.tables import COUNTS, EVENTS, JOBS, LIMITS

_LOCK = 0x6665727279
"""PostgreSQL advisory lock that orders leases, so that the limits of concurrency hold."""


class SqlStore:
    """Implements `ports.Store`."""

    def __init__(self, database: Database) -> None:
        """Keep jobs in `database`, which must be migrated."""
        self._db = database
        database.add_function("has_words", 3, has_words)

    async def add(self, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
        """Accept jobs, all or none."""
        return await self._db.write(lambda connection: _add(connection, jobs, now))

    async def get(self, job_id: str) -> Job | None:
        """One job."""
        return await self._db.read(lambda connection: _get(connection, job_id))

    async def find(self, query: Query) -> Page:
        """A page of jobs."""
        return await self._db.read(lambda connection: _find(connection, query, sqlite=self._db.sqlite))

    async def ids(self, query: Query, limit: int) -> list[str]:
        """All ids that match."""
        statement = select(JOBS.c.id).where(*condition(query, sqlite=self._db.sqlite)).limit(limit)
        return await self._db.read(lambda connection: list(connection.execute(statement).scalars()))

    async def counts(self, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
        """Jobs per state."""
        return await self._db.read(lambda connection: _counts(connection, kinds, owner))

    async def act(
        self, job_id: str, desired: Desired, state: State | None, expected: Job, now: float
    ) -> Job | None:
        """Set what is wanted, where nothing has changed since."""
        return await self._db.write(
            lambda connection: _act(connection, job_id, desired, state, expected, now)
        )

    async def set_priority(self, job_id: str, priority: int, now: float) -> Job | None:
        """Change the order."""
        statement = update(JOBS).where(JOBS.c.id == job_id).values(priority=priority, updated_at=now)

        def change(connection: Connection) -> Job | None:
            connection.execute(statement)
            return _get(connection, job_id)

        return await self._db.write(change)

    async def lease(
        self, holder: str, kinds: Sequence[str], free: int, limits: dict[str, int], now: float, until: float
    ) -> list[Job]:
        """Take runnable jobs in run order."""
        return await self._db.write(
            lambda connection: _lease(
                connection, holder, kinds, free, limits, now, until, sqlite=self._db.sqlite
            )
        )

    async def renew(self, holder: str, until: float) -> dict[str, tuple[int, Desired]]:
        """Prolong all leases of a holder."""
        mine = and_(JOBS.c.state == State.RUNNING, JOBS.c.lease_holder == holder)

        def prolong(connection: Connection) -> dict[str, tuple[int, Desired]]:
            connection.execute(update(JOBS).where(mine).values(lease_until=until))
            rows = connection.execute(select(JOBS.c.id, JOBS.c.epoch, JOBS.c.desired).where(mine))
            return {row.id: (row.epoch, Desired(row.desired)) for row in rows}

        return await self._db.write(prolong)

    async def save(self, saves: Sequence[Save], now: float) -> set[str]:
        """Record progress, phases and checkpoints."""
        return await self._db.write(lambda connection: _save(connection, saves, now))

    async def finish(self, job_id: str, epoch: int, outcome: Outcome, now: float) -> Job | None:
        """End a run."""
        return await self._db.write(lambda connection: _finish(connection, job_id, epoch, outcome, now))

    async def reclaim(self, now: float, dead: Sequence[str]) -> list[Job]:
        """Put back the jobs of holders that are gone."""
        gone = or_(JOBS.c.lease_until < now, JOBS.c.lease_holder.in_(list(dead)))
        where = and_(JOBS.c.state == State.RUNNING, gone)
        return await self._db.write(lambda connection: _requeue(connection, where, now, "lost"))

    async def wake(self, now: float) -> list[Job]:
        """Queue waiting jobs that are due."""
        due = and_(JOBS.c.state == State.WAITING, or_(JOBS.c.not_before.is_(None), JOBS.c.not_before <= now))
        if not await self._db.read(
            lambda connection: connection.execute(select(JOBS.c.seq).where(due).limit(1)).first()
        ):
            return []
        return await self._db.write(lambda connection: _requeue(connection, due, now, "due"))

    async def next_due(self) -> float | None:
        """When the next waiting job is due."""
        statement = select(func.min(JOBS.c.not_before)).where(JOBS.c.state == State.WAITING)
        return await self._db.read(lambda connection: connection.execute(statement).scalar())

    async def holders(self) -> list[str]:
        """Who holds leases."""
        statement = select(JOBS.c.lease_holder).where(JOBS.c.state == State.RUNNING).distinct()
        return await self._db.read(
            lambda connection: [name for name in connection.execute(statement).scalars() if name]
        )

    async def add_event(self, job_id: str, kind: str, data: Document, now: float) -> Event:
        """Append to the events."""
        return await self._db.write(lambda connection: _event(connection, job_id, kind, data, now))

    async def events(self, job_id: str | None, after: int, limit: int) -> list[Event]:
        """Events in order."""
        statement = select(EVENTS).where(EVENTS.c.id > after).order_by(EVENTS.c.id).limit(limit)
        if job_id is not None:
            statement = statement.where(EVENTS.c.job_id == job_id)

        def read(connection: Connection) -> list[Event]:
            return [
                Event(row.id, row.job_id, row.at, row.type, row.data) for row in connection.execute(statement)
            ]

        return await self._db.read(read)

    async def last_event(self) -> int:
        """The id of the newest event, 0 when there is none."""
        return await self._db.read(lambda c: c.execute(select(func.max(EVENTS.c.id))).scalar() or 0)

    async def limits(self) -> dict[str, int]:
        """Concurrency per kind."""
        return await self._db.read(lambda c: {row.kind: row.number for row in c.execute(select(LIMITS))})

    async def set_limit(self, kind: str, limit: int | None) -> None:
        """Change or take away a limit."""

        def change(connection: Connection) -> None:
            connection.execute(delete(LIMITS).where(LIMITS.c.kind == kind))
            if limit is not None:
                connection.execute(insert(LIMITS).values(kind=kind, number=limit))

        await self._db.write(change)

    async def delete(self, ids: Sequence[str]) -> list[str]:
        """Remove finished jobs."""
        return await self._db.write(lambda connection: _delete(connection, ids))


def _add(connection: Connection, jobs: Sequence[tuple[str, NewJob]], now: float) -> list[Job]:
    keys = [job.idempotency_key for _, job in jobs if job.idempotency_key]
    known = _by_key(connection, keys)
    accepted: list[Job] = []
    rows: list[dict[str, Any]] = []
    for index, (job_id, new) in enumerate(jobs):
        if new.idempotency_key and (earlier := known.get(new.idempotency_key)):
            if (earlier.kind, earlier.spec) != (new.kind, new.spec):
                raise Conflict(
                    "idempotency_reused",
                    f"The idempotency key '{new.idempotency_key}' was used for another request.",
                    advice="Use a new key for each new request.",
                )
            accepted.append(earlier)
            continue
        job = fresh_job(job_id, new, now, now + index * 1e-6)
        if new.idempotency_key:
            known[new.idempotency_key] = job
        accepted.append(job)
        rows.append(row_of(job))
    if rows:
        connection.execute(insert(JOBS), rows)
        _book(connection, Counter((row["kind"], row["state"]) for row in rows))
        event = {"at": now, "type": "accepted"}
        connection.execute(
            insert(EVENTS), [event | {"job_id": row["id"], "data": {"title": row["title"]}} for row in rows]
        )
    return accepted


def _by_key(connection: Connection, keys: list[str]) -> dict[str, Job]:
    found: dict[str, Job] = {}
    for start in range(0, len(keys), 500):
        statement = select(*COLUMNS).where(JOBS.c.idempotency_key.in_(keys[start : start + 500]))
        for row in connection.execute(statement):
            found[row.idempotency_key] = job_of(row)
    return found


def _get(connection: Connection, job_id: str) -> Job | None:
    row = connection.execute(select(*COLUMNS).where(JOBS.c.id == job_id)).first()
    return job_of(row) if row else None


def _find(connection: Connection, query: Query, *, sqlite: bool) -> Page:
    keys = order(query.sort)
    counting = rare_matches(query) if sqlite else None
    few = counting is None or (connection.execute(counting).scalar() or 0) <= FEW
    where = condition(query, sqlite=sqlite, few=few)
    if query.cursor:
        where.append(read_cursor(query.cursor, query.sort, keys))
    ordering = [key.desc() if descending else key for key, descending in keys]
    statement = select(JOBS).where(*where).order_by(*ordering).limit(query.limit + 1)
    rows = connection.execute(statement).all()
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    cursor = write_cursor(rows[-1], query.sort, keys) if more else None
    return Page(tuple(job_of(row) for row in rows), cursor)


def _counts(connection: Connection, kinds: Sequence[str], owner: str | None) -> dict[State, int]:
    found = dict.fromkeys(State, 0)
    table = COUNTS if owner is None else JOBS
    number = func.sum(COUNTS.c.number) if owner is None else func.count()
    statement = select(table.c.state, number).group_by(table.c.state)
    if kinds:
        statement = statement.where(table.c.kind.in_(list(kinds)))
    if owner is not None:
        statement = statement.where(JOBS.c.owner == owner)
    for state, count in connection.execute(statement):
        found[State(state)] = int(count)
    return found


def _act(
    connection: Connection, job_id: str, desired: Desired, state: State | None, expected: Job, now: float
) -> Job | None:
    values: dict[str, Any] = {"desired": desired, "updated_at": now}
    if state is not None:
        values["state"] = state
        if state in TERMINAL:
            values["finished_at"] = now
        if state is State.QUEUED:
            values |= {"not_before": None, "finished_at": None}
            if expected.state in TERMINAL:
                values |= {
                    "attempt": 0,
                    "reason": None,
                    "error": None,
                    "error_code": None,
                    "advice": None,
                    "result": None,
                }
    where = (JOBS.c.id == job_id, JOBS.c.state == expected.state, JOBS.c.epoch == expected.epoch)
    if not connection.execute(update(JOBS).where(*where).values(values)).rowcount:
        return None
    if state is not None:
        _book(connection, Counter({(expected.kind, expected.state): -1, (expected.kind, state): 1}))
        _event(connection, job_id, "state", {"from": expected.state, "to": state}, now)
    else:
        _event(connection, job_id, "desired", {"desired": desired}, now)
    return _get(connection, job_id)


def _lease(
    connection: Connection,
    holder: str,
    kinds: Sequence[str],
    free: int,
    limits: dict[str, int],
    now: float,
    until: float,
    *,
    sqlite: bool,
) -> list[Job]:
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    counted = connection.execute(
        select(JOBS.c.kind, func.count()).where(JOBS.c.state == State.RUNNING).group_by(JOBS.c.kind)
    )
    running: dict[str, int] = {row[0]: row[1] for row in counted}
    if "*" in limits:
        free = min(free, limits["*"] - sum(running.values()))
    taken: list[Job] = []
    open_kinds = [kind for kind in kinds if limits.get(kind, 1 << 30) > running.get(kind, 0)]
    while free > 0 and open_kinds:
        want = min(free, *(limits.get(kind, 1 << 30) - running.get(kind, 0) for kind in open_kinds))
        rows = connection.execute(
            select(JOBS)
            .where(JOBS.c.state == State.QUEUED, JOBS.c.kind.in_(open_kinds))
            .order_by(JOBS.c.priority, JOBS.c.position, JOBS.c.seq)
            .limit(max(1, want))
        ).all()
        if not rows:
            break
        for row in rows:
            running[row.kind] = running.get(row.kind, 0) + 1
        taken += _take(connection, rows, holder, now, until)
        free -= len(rows)
        open_kinds = [kind for kind in open_kinds if limits.get(kind, 1 << 30) > running.get(kind, 0)]
    return taken


_TAKE = (
    update(JOBS)
    .where(JOBS.c.seq == bindparam("row"))
    .values(
        state=State.RUNNING,
        epoch=JOBS.c.epoch + 1,
        attempt=JOBS.c.attempt + 1,
        lease_holder=bindparam("holder"),
        lease_until=bindparam("until"),
        started_at=func.coalesce(JOBS.c.started_at, bindparam("at")),
        updated_at=bindparam("at"),
        not_before=None,
    )
)


def _take(connection: Connection, rows: Sequence[Any], holder: str, now: float, until: float) -> list[Job]:
    changes = [{"row": row.seq, "holder": holder, "until": until, "at": now} for row in rows]
    connection.execute(_TAKE, changes)
    booked: Counter[tuple[str, str]] = Counter()
    for row in rows:
        booked[row.kind, State.QUEUED] -= 1
        booked[row.kind, State.RUNNING] += 1
    _book(connection, booked)
    data = {"from": State.QUEUED, "to": State.RUNNING}
    connection.execute(
        insert(EVENTS),
        [
            {"job_id": row.id, "at": now, "type": "state", "data": data | {"attempt": row.attempt + 1}}
            for row in rows
        ],
    )
    return [
        dataclasses.replace(
            job_of(row),
            state=State.RUNNING,
            epoch=row.epoch + 1,
            attempt=row.attempt + 1,
            lease_holder=holder,
            lease_until=until,
            started_at=row.started_at or now,
            not_before=None,
        )
        for row in rows
    ]


def _save(connection: Connection, saves: Sequence[Save], now: float) -> set[str]:
    old: set[str] = set()
    for save in saves:
        values: dict[str, Any] = {"updated_at": now}
        if save.progress is not None:
            values["progress"] = dataclasses.asdict(save.progress)
        if save.phase is not None:
            values["phase"] = save.phase
            _event(connection, save.job_id, "phase", {"phase": save.phase}, now)
        if save.checkpoint is not None:
            values["checkpoint"] = save.checkpoint
        mine = (JOBS.c.id == save.job_id, JOBS.c.epoch == save.epoch, JOBS.c.state == State.RUNNING)
        if not connection.execute(update(JOBS).where(*mine).values(values)).rowcount:
            old.add(save.job_id)
    return old


def _finish(connection: Connection, job_id: str, epoch: int, outcome: Outcome, now: float) -> Job | None:
    final = outcome.state in TERMINAL
    values: dict[str, Any] = {
        "state": outcome.state,
        "result": outcome.result,
        "reason": outcome.reason,
        "error": outcome.error,
        "error_code": outcome.error_code,
        "advice": outcome.advice,
        "not_before": outcome.not_before,
        "lease_holder": None,
        "lease_until": None,
        "finished_at": now if final else None,
        "updated_at": now,
    }
    if not outcome.counts:
        values["attempt"] = JOBS.c.attempt - 1
    mine = (JOBS.c.id == job_id, JOBS.c.epoch == epoch, JOBS.c.state == State.RUNNING)
    row = connection.execute(update(JOBS).where(*mine).values(values).returning(*COLUMNS)).first()
    if row is None:
        return None
    _book(connection, Counter({(row.kind, State.RUNNING): -1, (row.kind, outcome.state): 1}))
    data = {"from": State.RUNNING, "to": outcome.state, "reason": outcome.reason, "error": outcome.error}
    _event(connection, job_id, "state", {key: value for key, value in data.items() if value}, now)
    return job_of(row)


def _requeue(connection: Connection, where: Any, now: float, cause: str) -> list[Job]:
    rows = connection.execute(select(*COLUMNS).where(where)).all()
    if not rows:
        return []
    jobs = [job_of(row) for row in rows]
    booked: Counter[tuple[str, str]] = Counter()
    for job in jobs:
        lost = cause == "lost"
        connection.execute(
            update(JOBS)
            .where(JOBS.c.id == job.id)
            .values(
                state=State.QUEUED,
                lease_holder=None,
                lease_until=None,
                not_before=None,
                updated_at=now,
                attempt=max(0, job.attempt - 1) if lost else job.attempt,
            )
        )
        booked[job.kind, job.state] -= 1
        booked[job.kind, State.QUEUED] += 1
        _event(connection, job.id, "state", {"from": job.state, "to": State.QUEUED, "cause": cause}, now)
    _book(connection, booked)
    return [dataclasses.replace(job, state=State.QUEUED, lease_holder=None, lease_until=None) for job in jobs]


def _event(connection: Connection, job_id: str, kind: str, data: Document, now: float) -> Event:
    statement = insert(EVENTS).values(job_id=job_id, at=now, type=kind, data=data)
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    return Event(int(key[0]), job_id, now, kind, data)


def _book(connection: Connection, changes: "Counter[tuple[str, str]]") -> None:
    maker = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for (kind, state), number in sorted(changes.items()):
        if number:
            statement = maker(COUNTS).values(kind=kind, state=str(state), number=number)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["kind", "state"], set_={"number": COUNTS.c.number + number}
                )
            )


def _delete(connection: Connection, ids: Sequence[str]) -> list[str]:
    removed: list[str] = []
    for job_id in ids:
        job = _get(connection, job_id)
        if job is None or job.state not in TERMINAL:
            continue
        connection.execute(delete(EVENTS).where(EVENTS.c.job_id == job_id))
        connection.execute(delete(JOBS).where(JOBS.c.id == job_id))
        _book(connection, Counter({(job.kind, job.state): -1}))
        removed.append(job_id)
    return removed

"""What happens to jobs while workers have them: leases, records of runs, their ends. SQL, inside one transaction each.

On PostgreSQL rows that are read to be changed are locked, leases are taken one after another, and jobs are always changed
before their counts: nothing waits in a circle.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, insert, select, text, update

from ferryman.db.values import clean
from ferryman.jobs.model import TERMINAL, Desired, Job, Progress, Reason, State
from ferryman.jobs.ports import Claim, Held, Outcome, Save
from ferryman.jobs.retry import MOST_LOSSES
from ferryman.jobs.rows import COLUMNS, job_of, progress_of
from ferryman.jobs.statements import book, cleaned, first, note
from ferryman.jobs.tables import COUNTS, EVENTS, JOBS, Cell, cell, chunks
from ferryman.jobs.transitions import Cause, end_of_run, move

_LEASES: Final = 0x6665727279
"""PostgreSQL advisory lock that orders leases, so that the limits of concurrency hold."""
_UNLIMITED: Final = 1 << 30


def lease(connection: Connection, claim: Claim, now: float, until: float) -> list[Job]:
    """Take runnable jobs in run order, within the limits."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LEASES})
    running = _running(connection)
    free = min(claim.free, claim.limits.get("*", _UNLIMITED) - sum(running.values()))
    rows: list[Any] = []
    for kind in claim.kinds:
        places = min(free, claim.limits.get(kind, _UNLIMITED) - running.get(kind, 0))
        if places > 0:
            rows += connection.execute(_runnable(kind, claim.node).limit(places)).all()
    rows.sort(key=lambda row: (row.priority, row.position, row.seq))
    rows = rows[: max(0, free)]
    return _take(connection, rows, claim.holder, now, until) if rows else []


def _running(connection: Connection) -> dict[str, int]:
    number = func.sum(COUNTS.c.number).label("jobs")
    statement = select(COUNTS.c.kind, number).where(COUNTS.c.state == State.RUNNING).group_by(COUNTS.c.kind)
    return {row.kind: int(row.jobs) for row in connection.execute(statement)}


def _runnable(kind: str, node: str | None) -> Any:
    return (
        select(JOBS)
        .where(JOBS.c.kind == kind, JOBS.c.state == State.QUEUED, JOBS.c.node.is_not_distinct_from(node))
        .order_by(JOBS.c.priority, JOBS.c.position, JOBS.c.seq)
        .with_for_update(skip_locked=True)
    )


def _take(connection: Connection, rows: Sequence[Any], holder: str, now: float, until: float) -> list[Job]:
    target = move(State.QUEUED, Cause.LEASE)
    taken = {
        "state": target,
        "epoch": JOBS.c.epoch + 1,
        "attempt": JOBS.c.attempt + 1,
        "lease_holder": holder,
        "lease_until": until,
        "started_at": func.coalesce(JOBS.c.started_at, now),
        "updated_at": now,
        "not_before": None,
    }
    for part in chunks([row.seq for row in rows]):
        connection.execute(update(JOBS).where(JOBS.c.seq.in_(part)).values(taken))
    data = {"from": State.QUEUED, "to": target}
    connection.execute(
        insert(EVENTS),
        [
            {"job_id": row.id, "at": now, "type": "state", "data": data | {"attempt": row.attempt + 1}}
            for row in rows
        ],
    )
    booked: Counter[Cell] = Counter()
    for row in rows:
        booked[cell(row.owner, row.kind, State.QUEUED)] -= 1
        booked[cell(row.owner, row.kind, target)] += 1
    book(connection, booked)
    return [
        dataclasses.replace(
            job_of(row),
            state=target,
            epoch=row.epoch + 1,
            attempt=row.attempt + 1,
            lease_holder=holder,
            lease_until=until,
            started_at=now if row.started_at is None else row.started_at,
            updated_at=now,
            not_before=None,
        )
        for row in rows
    ]


def renew(connection: Connection, holder: str, jobs: Sequence[str], until: float) -> dict[str, Held]:
    """Prolong the leases that `holder` still has."""
    kept: dict[str, Held] = {}
    for part in chunks(sorted(jobs)):
        statement = (
            update(JOBS)
            .where(JOBS.c.id.in_(part), JOBS.c.lease_holder == holder)
            .values(lease_until=until)
            .returning(JOBS.c.id, JOBS.c.epoch, JOBS.c.desired)
        )
        kept |= {row.id: Held(row.epoch, Desired(row.desired)) for row in connection.execute(statement)}
    return kept


def save(connection: Connection, asked: Save, now: float) -> bool:
    """Record what a running job says; False when its epoch is old."""
    values: dict[str, Any] = {"updated_at": now}
    if asked.progress is not None:
        values["progress"] = progress_of(asked.progress)
    if asked.phase is not None:
        values["phase"] = clean(asked.phase)
    if asked.checkpoint is not None:
        values |= {"checkpoint": asked.checkpoint, "losses": 0}
    mine = (JOBS.c.id == asked.job_id, JOBS.c.epoch == asked.epoch, JOBS.c.state == State.RUNNING)
    if not connection.execute(update(JOBS).where(*mine).values(values)).rowcount:
        return False
    if asked.phase is not None:
        note(connection, asked.job_id, "phase", {"phase": clean(asked.phase)}, now)
    return True


def finish(
    connection: Connection, job_id: str, epoch: int, outcome: Outcome, now: float, progress: Progress | None
) -> Job | None:
    """End a run; `None` when its epoch is old."""
    mine = and_(JOBS.c.id == job_id, JOBS.c.epoch == epoch, JOBS.c.state == State.RUNNING)
    row = connection.execute(
        select(JOBS.c.owner, JOBS.c.kind, JOBS.c.desired).where(mine).with_for_update()
    ).first()
    if row is None:
        return None
    state = end_of_run(outcome.cause, Desired(row.desired))
    values = _ended(state, now) | {
        "result": outcome.result,
        "reason": outcome.reason,
        "error": cleaned(outcome.error),
        "error_code": outcome.error_code,
        "advice": cleaned(outcome.advice),
        "not_before": outcome.not_before if state is State.WAITING else None,
        "losses": 0,
    }
    if progress is not None:
        values["progress"] = progress_of(progress)
    if not outcome.counts:
        values["attempt"] = JOBS.c.attempt - 1
    job = first(connection, update(JOBS).where(mine).values(values).returning(*COLUMNS))
    assert job is not None
    data = {"from": State.RUNNING, "to": state, "reason": outcome.reason, "error": values["error"]}
    note(connection, job_id, "state", {key: value for key, value in data.items() if value}, now)
    book(
        connection,
        Counter({cell(row.owner, row.kind, State.RUNNING): -1, cell(row.owner, row.kind, state): 1}),
    )
    return job


def reclaim(connection: Connection, gone: ColumnElement[bool], now: float) -> list[Job]:
    """End the runs that `gone` selects without their workers."""
    locked = select(JOBS).where(gone, JOBS.c.state == State.RUNNING).order_by(JOBS.c.seq)
    jobs: list[Job] = []
    booked: Counter[Cell] = Counter()
    for row in connection.execute(locked.with_for_update(skip_locked=True)).all():
        hopeless = row.losses + 1 >= MOST_LOSSES
        state = end_of_run(Cause.FAIL if hopeless else Cause.RELEASE, Desired(row.desired))
        values = _ended(state, now) | {"losses": row.losses + 1, "attempt": max(0, row.attempt - 1)}
        if state is State.FAILED:
            values |= _lost(row.losses + 1)
        job = first(connection, update(JOBS).where(JOBS.c.seq == row.seq).values(values).returning(*COLUMNS))
        assert job is not None
        jobs.append(job)
        data = {"from": State.RUNNING, "to": state, "cause": "lost", "holder": row.lease_holder}
        note(connection, row.id, "state", data, now)
        booked[cell(row.owner, row.kind, State.RUNNING)] -= 1
        booked[cell(row.owner, row.kind, state)] += 1
    book(connection, booked)
    return jobs


def _ended(state: State, now: float) -> dict[str, Any]:
    return {
        "state": state,
        "lease_holder": None,
        "lease_until": None,
        "finished_at": now if state in TERMINAL else None,
        "updated_at": now,
    }


def _lost(times: int) -> dict[str, Any]:
    return {
        "losses": 0,
        "reason": Reason.LOST,
        "error": f"The worker was lost {times} times while it ran this job, with no progress in between.",
        "error_code": "worker_lost",
        "advice": "See the log of the daemon for what took it down, then retry the job.",
    }


def wake(connection: Connection, due: ColumnElement[bool], now: float) -> list[Job]:
    """Queue the jobs that `due` selects."""
    target = move(State.WAITING, Cause.DUE)
    locked = select(JOBS.c.seq).where(due).order_by(JOBS.c.seq).with_for_update(skip_locked=True)
    seqs = list(connection.execute(locked).scalars())
    jobs: list[Job] = []
    for part in chunks(seqs):
        statement = update(JOBS).where(JOBS.c.seq.in_(part))
        values = {"state": target, "not_before": None, "updated_at": now}
        jobs += [job_of(row) for row in connection.execute(statement.values(values).returning(*COLUMNS))]
    for job in jobs:
        data = {"from": State.WAITING, "to": target, "cause": Cause.DUE}
        note(connection, job.id, "state", data, now)
    booked: Counter[Cell] = Counter()
    for job in jobs:
        booked[cell(job.owner, job.kind, State.WAITING)] -= 1
        booked[cell(job.owner, job.kind, target)] += 1
    book(connection, booked)
    return jobs

"""What happens to jobs while workers have them: leases, records of runs, their ends. SQL, inside one transaction each.

On PostgreSQL rows that are read to be changed are locked, leases are taken one after another, and jobs are always changed
before their counts: nothing waits in a circle.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    func,
    select,
    text,
    update,
)

from ferryman.db.values import clean
from ferryman.jobs.model import TERMINAL, Desired, Job, Progress, Reason, State
from ferryman.jobs.ports import Claim, Held, Outcome, Save
from ferryman.jobs.retry import MOST_LOSSES
from ferryman.jobs.rows import job_of, progress_of
from ferryman.jobs.statements import INSERT_EVENT, book, change, cleaned, moved, note
from ferryman.jobs.statistics.model import Rollup, run_ended
from ferryman.jobs.statistics.sql import began, book_days
from ferryman.jobs.tables import COUNTS, JOBS, Cell, chunks
from ferryman.jobs.transitions import Cause, end_of_run, move
from ferryman.jobs.windows import due_at

LEASES: Final = 0x6665727279
"""PostgreSQL advisory lock that orders leases, so that the limits of concurrency hold."""
_UNLIMITED: Final = 1 << 30


def lease(connection: Connection, claim: Claim, now: float, until: float) -> list[Job]:
    """Take runnable jobs in run order within the limits, and urgent ones beyond them."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LEASES})
    running = _running(connection)
    here = {"queued": State.QUEUED, "here": claim.node}
    urgent = connection.execute(_URGENT, here | {"kinds": list(claim.kinds)}).all()
    running.update(row.kind for row in urgent)
    free = min(claim.free - len(urgent), claim.limits.get("*", _UNLIMITED) - running.total())
    rows: list[Any] = []
    for kind in claim.kinds:
        places = min(free, claim.limits.get(kind, _UNLIMITED) - running[kind])
        if places > 0:
            rows += connection.execute(_RUNNABLE, here | {"of": kind, "places": places}).all()
    rows.sort(key=lambda row: (row.priority, row.position, row.seq))
    rows = [*urgent, *rows[: max(0, free)]]
    return _take(connection, rows, claim.holder, now, until) if rows else []


def _running(connection: Connection) -> "Counter[str]":
    rows = connection.execute(_RUNNING, {"now": State.RUNNING})
    return Counter({row.kind: int(row.jobs) for row in rows})


def _take(connection: Connection, rows: Sequence[Any], holder: str, now: float, until: float) -> list[Job]:
    target = move(State.QUEUED, Cause.LEASE)
    changed: dict[str, Any] = {
        "state": target,
        "lease_holder": holder,
        "lease_until": until,
        "updated_at": now,
    }
    for part in chunks([row.seq for row in rows]):
        connection.execute(_TAKE, changed | {"rows": list(part), "at": now, "not_before": None})
    jobs = [_anew(connection, row) for row in rows]
    data = {"from": State.QUEUED, "to": target}
    events = [
        {"job_id": job.id, "at": now, "type": "state", "data": data | {"attempt": job.attempt + 1}}
        for job in jobs
    ]
    connection.execute(INSERT_EVENT, events)
    booked: Counter[Cell] = Counter()
    for job in jobs:
        moved(booked, job, target)
    book(connection, booked)
    return [
        dataclasses.replace(
            job,
            **changed,
            epoch=job.epoch + 1,
            attempt=job.attempt + 1,
            started_at=now if job.started_at is None else job.started_at,
            not_before=None,
        )
        for job in jobs
    ]


def _anew(connection: Connection, row: Any) -> Job:
    """The job of a row that a new attempt begins with: what an earlier one received has been summed already."""
    job = job_of(row)
    if not (job.progress.network or job.progress.rate):
        return job
    progress = dataclasses.replace(
        job.progress, network=0, rate=0.0, eta=None, slow=None, connections=0, resumed=0
    )
    change(connection, row.seq, {"progress": progress_of(progress)})
    return dataclasses.replace(job, progress=progress)


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
        values |= {"progress": progress_of(asked.progress), "size": asked.progress.total}
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
    row = connection.execute(_MINE, {"job": job_id, "lease": epoch, "now": State.RUNNING}).first()
    if row is None:
        return None
    job = job_of(row)
    state = end_of_run(outcome.cause, job.desired)
    values = _ended(state, now) | {
        "result": outcome.result,
        "reason": outcome.reason,
        "error": cleaned(outcome.error),
        "error_code": outcome.error_code,
        "advice": cleaned(outcome.advice),
        "not_before": outcome.not_before if state is State.WAITING else None,
        "attempt": job.attempt if outcome.counts else max(0, job.attempt - 1),
    }
    progress = progress or job.progress
    values |= {"size": progress.total}
    change(connection, row.seq, values | {"losses": 0, "progress": progress_of(progress)})
    start = began(connection, job_id, job.started_at or now)
    data = {"from": State.RUNNING, "to": state, "reason": outcome.reason, "error": values["error"]}
    note(connection, job_id, "state", {key: value for key, value in data.items() if value}, now)
    book(connection, moved(Counter(), job, state))
    book_days(connection, run_ended({}, job, state, outcome.reason, progress, now - start, now))
    return dataclasses.replace(job, **values, progress=progress)


def reclaim(connection: Connection, gone: ColumnElement[bool], now: float) -> list[Job]:
    """End the runs that `gone` selects without their workers."""
    locked = select(JOBS).where(gone, JOBS.c.state == State.RUNNING).order_by(JOBS.c.seq)
    jobs: list[Job] = []
    booked: Counter[Cell] = Counter()
    days: Rollup = {}
    for row in connection.execute(locked.with_for_update(skip_locked=True)).all():
        job, losses = job_of(row), row.losses + 1
        state = end_of_run(Cause.RELEASE if losses < MOST_LOSSES else Cause.FAIL, job.desired)
        values = _ended(state, now) | {"attempt": max(0, job.attempt - 1)}
        values |= _lost(losses) if state is State.FAILED else {}
        change(connection, row.seq, values | {"losses": 0 if state is State.FAILED else losses})
        data = {"from": State.RUNNING, "to": state, "cause": "lost", "holder": job.lease_holder}
        start = began(connection, job.id, job.started_at or now)
        run_ended(days, job, state, values.get("reason"), job.progress, job.updated_at - start, now)
        note(connection, job.id, "state", data, now)
        moved(booked, job, state)
        jobs.append(dataclasses.replace(job, **values))
    book(connection, booked)
    book_days(connection, days)
    return jobs


def _ended(state: State, now: float) -> dict[str, Any]:
    ended = {
        "state": state,
        "lease_holder": None,
        "lease_until": None,
        "finished_at": now if state in TERMINAL else None,
        "updated_at": now,
    }
    return ended if state is State.QUEUED else ended | {"urgent": False}


def _lost(times: int) -> dict[str, Any]:
    return {
        "reason": Reason.LOST,
        "error": f"The worker was lost {times} times while it ran this job, with no progress in between.",
        "error_code": "worker_lost",
        "advice": "See the log of the daemon for what took it down, then retry the job.",
    }


def wake(connection: Connection, due: ColumnElement[bool], now: float) -> list[Job]:
    """Queue the jobs that `due` selects."""
    return _turn(connection, due, Cause.DUE, now)


def defer(connection: Connection, closed: ColumnElement[bool], now: float) -> list[Job]:
    """Let the queued jobs that `closed` selects wait until their windows open."""
    return _turn(connection, closed, Cause.DEFER, now)


def _turn(connection: Connection, chosen: ColumnElement[bool], cause: Cause, now: float) -> list[Job]:
    """Move the jobs that `chosen` selects by `cause`, those whose windows say otherwise excepted."""
    locked = select(JOBS).where(chosen).order_by(JOBS.c.seq).with_for_update(skip_locked=True)
    jobs: list[Job] = []
    booked: Counter[Cell] = Counter()
    for row in connection.execute(locked).all():
        job = job_of(row)
        due = due_at(None, job.window, now)
        if cause is Cause.DEFER and due is None:
            continue
        state = move(job.state, cause)
        values: dict[str, Any] = {"state": state}
        values |= {"not_before": due if cause is Cause.DEFER else None, "updated_at": now}
        change(connection, row.seq, values)
        note(connection, job.id, "state", {"from": job.state, "to": state, "cause": cause}, now)
        moved(booked, job, state)
        jobs.append(dataclasses.replace(job, **values))
    book(connection, booked)
    return jobs


_RUNNING: Final = (
    select(COUNTS.c.kind, func.sum(COUNTS.c.number).label("jobs"))
    .where(COUNTS.c.state == bindparam("now"))
    .group_by(COUNTS.c.kind)
)
_RUNNABLE: Final = (
    select(JOBS)
    .where(JOBS.c.kind == bindparam("of"), JOBS.c.state == bindparam("queued"), ~JOBS.c.urgent)
    .where(JOBS.c.node.is_not_distinct_from(bindparam("here", type_=JOBS.c.node.type)))
    .order_by(JOBS.c.priority, JOBS.c.position, JOBS.c.seq)
    .limit(bindparam("places", type_=Integer))
    .with_for_update(skip_locked=True)
)
_URGENT: Final = (
    select(JOBS)
    .where(text("urgent"), func.coalesce(JOBS.c.state, "") == bindparam("queued"))
    .where(func.coalesce(JOBS.c.kind, "").in_(bindparam("kinds", expanding=True)))
    .where(JOBS.c.node.is_not_distinct_from(bindparam("here", type_=JOBS.c.node.type)))
    .order_by(JOBS.c.updated_at, JOBS.c.seq)
    .with_for_update(skip_locked=True)
)
"""Spelled so that only the partial index of urgent jobs fits: all others read the whole queue."""
_TAKE: Final = (
    update(JOBS)
    .where(JOBS.c.seq.in_(bindparam("rows", expanding=True)))
    .values(
        epoch=JOBS.c.epoch + 1,
        attempt=JOBS.c.attempt + 1,
        started_at=func.coalesce(JOBS.c.started_at, bindparam("at", type_=JOBS.c.started_at.type)),
    )
)
_MINE: Final = (
    select(JOBS)
    .where(
        JOBS.c.id == bindparam("job"), JOBS.c.epoch == bindparam("lease"), JOBS.c.state == bindparam("now")
    )
    .with_for_update()
)
"""Statements of the busiest ways are made once: to make one costs more than to run it."""

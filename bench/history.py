"""A long history for the ledger's measurements: made in bulk, in the form that life would have left it in."""

import dataclasses
import functools
import random
from collections import Counter
from typing import Any

from sqlalchemy import Connection, insert

from ferryman.core.ids import new_id
from ferryman.db import Database
from ferryman.jobs.model import Desired, Job, NewJob, Progress, Reason, State
from ferryman.jobs.rows import row_of
from ferryman.jobs.statements import book
from ferryman.jobs.tables import BLOCK, BLOCKS, EVENTS, JOBS, cell

NOW = 1_764_000_000.0
YEAR = 365 * 86400.0
KINDS = ("download", "image-set", "node-sync")
OWNERS = tuple(f"00000000-0000-7000-8000-{number:012d}" for number in range(60))
_WORDS = [
    "debian",
    "ubuntu",
    "alma",
    "kernel",
    "model",
    "layer",
    "image",
    "backup",
    "mirror",
    "index",
    "python",
    "operator",
    "catalog",
    "bundle",
    "agent",
    "rocky",
    "fedora",
    "postgres",
    "redis",
    "nginx",
]
_ERRORS = ("The connection was reset by peer.", "The server answered 503.", "The name does not resolve.")
CATEGORIES = ("images", "models", "packages", "documents", "videos", "archives", "charts", "rare")
HOSTS = tuple(f"mirror{number}.example" for number in range(300))
_PART = 10_000


def past_job(number: int, chance: random.Random) -> NewJob:
    """A job such as people start: most are downloads, half of all are one owner's."""
    words = " ".join(chance.sample(_WORDS, 2))
    kind = chance.choices(KINDS, (90, 9, 1))[0]
    owner = OWNERS[0] if chance.random() < 0.5 else chance.choice(OWNERS[:-1])
    if number % 5000 == 0:
        owner = OWNERS[-1]
    host = HOSTS[min(int(chance.paretovariate(0.7)) - 1, len(HOSTS) - 1)]
    category = chance.choices((None, *CATEGORIES), (300, 300, 150, 100, 60, 40, 30, 19, 1))[0]
    spec = {"urls": [f"https://{host}/{number}/file{number}.iso"], "connections": 8}
    return NewJob(
        kind, f"{words} file{number}.iso", spec, owner=owner, priority=chance.choice((3, 5, 5, 5, 7)),
        category=category, host=host,
    )  # fmt: skip


def fill(database: Database, count: int) -> None:
    """Put `count` jobs of the past year into an empty database."""
    chance = random.Random(1)
    for start in range(0, count, _PART):
        jobs = [_past(number, count, chance) for number in range(start, min(count, start + _PART))]
        database.write_now(functools.partial(_put, jobs=jobs))


def _past(number: int, count: int, chance: random.Random) -> Job:
    new = past_job(number, chance)
    at = NOW - YEAR + YEAR * number / count
    state = chance.choices((State.SUCCEEDED, State.FAILED, State.CANCELLED), (90, 7, 3))[0]
    if number > count - 200:
        state = chance.choice((State.QUEUED, State.PAUSED, State.WAITING))
    ended = at + chance.expovariate(1 / 600)
    if chance.random() < 0.001:  # waited, or was tried again, much later
        ended = min(ended + chance.expovariate(1 / (30 * 86400)), NOW)
    size = int(min(chance.lognormvariate(18, 3), 1e13))
    done = state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)
    failed = state is State.FAILED
    job = Job(
        id=new_id(at), kind=new.kind, title=new.title, spec=new.spec, state=state, desired=Desired.RUN,
        priority=new.priority, position=at, created_at=at, updated_at=ended if done else at, owner=new.owner,
        attempt=1, epoch=1, started_at=at + 1, finished_at=ended if done else None,
        not_before=NOW + 9e8 if state is State.WAITING else None,
        progress=Progress(total=size, network=size, disk=size), phase="finishing",
        result={"path": f"file{number}.iso"} if state is State.SUCCEEDED else None,
        category=new.category, host=new.host, size=size if done else None,
    )  # fmt: skip
    if not failed:
        return job
    reason = chance.choice((Reason.NETWORK, Reason.TIMEOUT, Reason.NOT_FOUND, Reason.CORRUPT))
    return dataclasses.replace(
        job, reason=reason, error=chance.choice(_ERRORS), error_code="gone", advice="Retry."
    )


def _put(connection: Connection, jobs: list[Job]) -> None:
    connection.execute(insert(JOBS), [row_of(job) for job in jobs])
    connection.execute(insert(EVENTS), [event for job in jobs for event in _events(job)])
    book(connection, Counter(cell(job.owner, job.kind, job.state) for job in jobs))
    last = connection.exec_driver_sql("SELECT max(seq) FROM jobs").scalar_one()
    times: dict[int, tuple[float, float]] = {}
    for seq, job in enumerate(jobs, last - len(jobs) + 1):
        first, latest = times.get(seq // BLOCK, (job.created_at, job.created_at))
        times[seq // BLOCK] = (min(first, job.created_at), max(latest, job.created_at))
    rows = [{"block": block, "first": first, "last": latest} for block, (first, latest) in times.items()]
    connection.execute(insert(BLOCKS).prefix_with("OR REPLACE"), rows)


def _events(job: Job) -> list[dict[str, Any]]:
    told = [("accepted", {"title": job.title}), ("state", {"from": "queued", "to": "running"})]
    told.append(("state", {"from": "running", "to": str(job.state)}))
    return [{"job_id": job.id, "at": job.created_at, "type": kind, "data": data} for kind, data in told]

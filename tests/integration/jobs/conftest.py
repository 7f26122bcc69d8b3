"""A ledger in a SQLite file of its own, and a handler that does what its job says."""

import asyncio
from collections import Counter

import pytest
from pydantic import BaseModel

from ferryman.core.clock import SystemClock
from ferryman.core.errors import Exhausted, Invalid, Unavailable
from ferryman.db import Database, sqlite_url
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob, Progress
from ferryman.jobs.run import Stopped
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.worker import Worker


class ToySpec(BaseModel):
    do: str = "succeed"


class Toy:
    kind = "toy"
    spec = ToySpec

    def __init__(self):
        self.now, self.most, self.runs, self.stops = 0, 0, Counter(), []
        self.go = asyncio.Event()
        self.room = False

    async def run(self, spec, run):
        self.runs[run.job.id] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await getattr(self, spec.do)(run)
        finally:
            self.now -= 1

    async def succeed(self, run):
        await run.phase("working")
        run.progress(Progress(total=2, network=2, disk=2))
        return {"attempt": run.job.attempt, "checkpoint": run.checkpoint}

    async def wait(self, run):
        await run.save({"step": self.runs[run.job.id]})
        waits = {asyncio.ensure_future(self.go.wait()), asyncio.ensure_future(run.stopped())}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for left in waits:
            left.cancel()
        if run.stop_reason:
            self.stops.append(run.stop_reason)
            raise Stopped
        return {"checkpoint": run.checkpoint}

    async def invalid(self, run):
        raise Invalid("wrong", "It is wrong.", advice="Make it right.")

    async def gone(self, run):
        raise Unavailable("gone", "Nobody is there.")

    async def crash(self, run):
        raise ValueError("a fault with password=hunter2")

    async def full(self, run):
        if not self.room:
            raise Exhausted("disk_full", "No room.", advice="Make room.")
        return {}

    async def leave(self, run):
        raise Stopped

    async def nonsense(self, run):
        return {"value": object()}

    async def broken_wait(self, run):
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future


@pytest.fixture
def toy():
    return Toy()


@pytest.fixture
async def ledger(tmp_path):
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    database.migrate()
    yield Ledger(SqlStore(database), LocalDispatch(), Hub(), SystemClock(), tmp_path)
    await database.close()


@pytest.fixture
def limits():
    """How many jobs run at once, as the settings would have it."""
    return {}


@pytest.fixture
async def worker(ledger, toy, limits):
    worker = Worker(ledger, {"toy": toy}, concurrency=20, limits=lambda: limits)
    await worker.start()
    yield worker
    toy.go.set()
    await worker.stop()


@pytest.fixture
def submit(ledger):
    async def make(do="succeed", **more):
        return await ledger.submit(NewJob("toy", do, {"do": do}, **more))

    return make


@pytest.fixture
def until(ledger):
    """Wait until a job is in one of some states, and return it."""

    async def look(job_id, *states):
        async with asyncio.timeout(30):
            while True:
                job = await ledger.get(job_id)
                if job.state in states:
                    return job
                await asyncio.sleep(0.02)

    return look


@pytest.fixture
def happens():
    """Wait until something is true."""

    async def look(true):
        async with asyncio.timeout(30):
            while not true():
                await asyncio.sleep(0.02)

    return look

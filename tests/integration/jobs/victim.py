"""A process with a ledger and a worker, to be killed.

`nursery` imports everything once and forks a victim whenever it is asked to: what is killed is a process of its own, and
starting it costs no imports. Each job writes numbered steps to a trace that is only appended to, saves a checkpoint
after each, and holds a lock while it runs: a second run of the same job at the same time could not get it.
"""

import asyncio
import fcntl
import os
import sys
from pathlib import Path

from pydantic import BaseModel

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.worker import Worker

STEPS = 6


class Spec(BaseModel):
    name: str


class Stepper:
    kind = "steps"
    spec = Spec

    def __init__(self, home):
        self.home = home

    async def run(self, spec, run):
        with (self.home / f"{spec.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done = (run.checkpoint or {"done": 0})["done"]
            while done < STEPS:
                await asyncio.sleep(0.01)
                trace(self.home, f"{spec.name} {run.job.epoch} {done}")
                done += 1
                await run.save({"done": done})
        return {"steps": done}


def trace(home, line):
    handle = os.open(home / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


async def accept(ledger, home):
    """Accept jobs for ever, and note each one only after the ledger said that it is accepted."""
    number = 0
    while True:
        names = [f"{os.getpid()}-{number}-{index}" for index in range(3)]
        jobs = await ledger.submit_many(
            [NewJob("steps", name, {"name": name}, idempotency_key=name) for name in names]
        )
        for job in jobs:
            trace(home, f"accepted {job.id} {job.title}")
        number += 1
        await asyncio.sleep(0.05)


async def live(home, accepting):
    database = Database(sqlite_url(home / "ferry.db"))
    database.migrate()
    ledger = Ledger(SqlStore(database), LocalDispatch(), Hub(), SystemClock(), home)
    worker = Worker(ledger, {"steps": Stepper(home)}, concurrency=8)
    await worker.start()
    trace(home, "ready")
    if accepting:
        await accept(ledger, home)
    await asyncio.Event().wait()


def say(word):
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def nursery(home):
    """For each line `accept` or `work` fork a victim and print its id; for `reap` wait until the last one is dead."""
    child = 0
    for line in sys.stdin:
        if line.strip() == "reap":
            os.waitpid(child, 0)
            say("dead")
            continue
        child = os.fork()
        if child == 0:
            asyncio.run(live(home, line.strip() == "accept"))
            os._exit(1)
        say(child)


if __name__ == "__main__":
    nursery(Path(sys.argv[1]))

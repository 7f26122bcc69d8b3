"""`kill -9` at any moment: nothing that was accepted is lost, nothing runs twice at once, checkpoints are used."""

import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import Query, State
from ferryman.jobs.sql import SqlStore
from tests.integration.jobs.victim import STEPS

VICTIM = Path(__file__).with_name("victim.py")
KILLS = 50


class Nursery:
    """Starts victims and kills them."""

    def __init__(self, home):
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, str(VICTIM), str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def start(self, mode):
        seen = ready(self.home)
        pid = int(self.ask(mode))
        deadline = time.monotonic() + 60
        while ready(self.home) == seen:
            assert time.monotonic() < deadline, "the victim does not start"
            time.sleep(0.005)
        return pid

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        assert self.ask("reap") == "dead"

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()


def ready(home):
    return sum(1 for line in lines(home) if line == ["ready"])


def lines(home):
    trace = home / "trace"
    if not trace.exists():
        return []
    text = trace.read_text()
    return [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]


async def states(home):
    database = Database(sqlite_url(home / "ferry.db"))
    try:
        store = SqlStore(database)
        jobs, cursor = {}, None
        while True:
            page = await store.find(Query(limit=200, cursor=cursor))
            jobs |= {job.id: job for job in page.items}
            cursor = page.next_cursor
            if cursor is None:
                return jobs
    finally:
        await database.close()


@pytest.mark.timeout(300)
def test_fifty_kills_lose_nothing_and_run_nothing_twice(tmp_path):
    chance = random.Random(20_261_125)
    nursery = Nursery(tmp_path)
    for _ in range(KILLS):
        victim = nursery.start("accept")
        time.sleep(chance.uniform(0.0, 0.35))
        nursery.kill(victim)
    survivor = nursery.start("work")
    try:
        jobs = wait_for_the_end(tmp_path)
    finally:
        nursery.kill(survivor)
        nursery.close()
    accepted = {line[1] for line in lines(tmp_path) if line[0] == "accepted"}
    assert len(accepted) > KILLS
    assert accepted <= set(jobs), "an accepted job is gone"
    assert {job.state for job in jobs.values()} == {State.SUCCEEDED}, "a job did not end well"
    assert all(job.result == {"steps": STEPS} for job in jobs.values())
    assert all((tmp_path / "jobs" / job_id / "report.json").exists() for job_id in list(jobs)[-50:])
    check_steps(lines(tmp_path))


def wait_for_the_end(home):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        jobs = asyncio.run(states(home))
        if all(job.state in (State.SUCCEEDED, State.FAILED) for job in jobs.values()):
            return jobs
        time.sleep(0.3)
    raise AssertionError("jobs still run after two minutes")


def check_steps(trace):
    """Each job does its steps in order; only the step whose checkpoint was cut off is done again, by a later epoch."""
    steps = defaultdict(list)
    for line in trace:
        if len(line) == 3 and line[0] not in {"accepted", "ready"}:
            steps[line[0]].append((int(line[1]), int(line[2])))
    assert steps
    interrupted = 0
    for done in steps.values():
        assert {step for _, step in done} == set(range(STEPS))
        for (epoch, step), (next_epoch, next_step) in itertools.pairwise(done):
            assert next_epoch >= epoch
            if next_epoch == epoch:
                assert next_step == step + 1
            else:
                interrupted += 1
                assert next_step in (step, step + 1)
    assert interrupted, "no kill met a job in the middle"

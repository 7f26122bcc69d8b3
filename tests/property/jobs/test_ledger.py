"""Whatever people, workers and crashes do to a real store, in whatever order, what must hold holds."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from ferryman.core.errors import Conflict
from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import TERMINAL, Desired, NewJob, Query, State
from ferryman.jobs.ports import Claim, Outcome, Place, Save
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import WISHES, Cause, end_of_run, wish

KINDS = ("toy", "tool")
ENDS = (Cause.SUCCEED, Cause.FAIL, Cause.RETRY_LATER, Cause.RELEASE, Cause.PAUSE, Cause.CANCEL)
LEASE = 30


class Life(RuleBasedStateMachine):
    """`leases` are what workers believe to hold; some of them are lost without knowing it."""

    jobs = Bundle("jobs")
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = Database(sqlite_url(Path(self.folder.name) / "ferry.db"))
        self.database.migrate()
        self.store = SqlStore(self.database)
        self.loop = asyncio.new_event_loop()
        self.now = 1_700_000_000.0
        self.accepted = set()
        self.epochs = Counter()
        self.trash = {}
        self.limits = {}

    def teardown(self):
        self.database.close_now()
        self.loop.close()
        self.folder.cleanup()

    def do(self, work):
        return self.loop.run_until_complete(work)

    def get(self, job_id):
        return self.do(self.store.get(job_id))

    @rule(
        target=jobs, kind=st.sampled_from(KINDS), owner=st.sampled_from([None, "me"]), key=st.sampled_from([None, "k"]),
        wait=st.sampled_from([None, 5.0]), priority=st.integers(0, 9),
    )  # fmt: skip
    def accept(self, kind, owner, key, wait, priority):
        new = NewJob(kind, "a job", {}, owner=owner, priority=priority, idempotency_key=key and f"{key}{kind}{owner}",
                     not_before=wait and self.now + wait)  # fmt: skip
        (job,) = self.do(self.store.add([(new_id(self.now), new)], self.now))
        assert key is None or job.idempotency_key
        self.accepted.add(job.id)
        return job.id

    @rule(target=leases, holder=st.sampled_from(["w1", "w2"]), free=st.integers(1, 3))
    def take(self, holder, free):
        running = self.do(self.store.counts([], None))[State.RUNNING]
        claim = Claim(holder, KINDS, free, self.limits)
        taken = self.do(self.store.lease(claim, self.now, self.now + LEASE))
        assert len(taken) <= free
        if taken and "*" in self.limits:
            assert running + len(taken) <= self.limits["*"]
        order = [(job.priority, job.position) for job in taken]
        assert order == sorted(order)
        for job in taken:
            self.epochs[job.id] += 1
            assert job.epoch == self.epochs[job.id]
            assert job.desired is Desired.RUN
        return multiple(*[(job.id, job.epoch, holder) for job in taken])

    @rule(lease=consumes(leases), cause=st.sampled_from(ENDS), counts=st.booleans())
    def end(self, lease, cause, counts):
        job_id, epoch, holder = lease
        before = self.get(job_id)
        later = self.now + 3 if cause is Cause.RETRY_LATER else None
        done = self.do(
            self.store.finish(job_id, epoch, Outcome(cause, not_before=later, counts=counts), self.now)
        )
        if before is None or before.state is not State.RUNNING or before.epoch != epoch:
            assert done is None
            assert self.get(job_id) == before
            return
        assert before.lease_holder == holder
        assert done == self.get(job_id)
        assert done.state is end_of_run(cause, before.desired)

    @rule(lease=leases, number=st.integers(0, 99))
    def checkpoint(self, lease, number):
        job_id, epoch, _ = lease
        before = self.get(job_id)
        mine = before is not None and before.state is State.RUNNING and before.epoch == epoch
        save = Save(job_id, epoch, phase="p", checkpoint={"n": number})
        assert self.do(self.store.save([save], self.now)) == (set() if mine else {job_id})
        if before is not None:
            assert self.get(job_id).checkpoint == ({"n": number} if mine else before.checkpoint)

    @rule(job_id=jobs, cause=st.sampled_from(list(WISHES)))
    def act(self, job_id, cause):
        before = self.get(job_id)
        if before is None:
            return
        try:
            state = wish(before.state, cause)
        except Conflict:
            return
        after = self.do(self.store.act(before, WISHES[cause], state, self.now))
        assert after.desired is WISHES[cause]
        assert after.state is (state or before.state)

    @rule(dead=st.sampled_from([[], ["w1"], ["w1", "w2"]]))
    def crash(self, dead):
        for job in self.do(self.store.reclaim(self.now, dead)):
            assert job.state in (State.QUEUED, State.PAUSED, State.CANCELLED, State.FAILED)
            assert self.get(job.id) == job

    @rule(holder=st.sampled_from(["w1", "w2"]))
    def beat(self, holder):
        held = self.do(self.store.held(holder))
        assert self.do(self.store.renew(holder, list(held), self.now + LEASE)) == held

    @rule(seconds=st.floats(0.1, 40))
    def time_goes_by(self, seconds):
        self.now += seconds
        for job in self.do(self.store.wake(self.now)):
            assert job.state is State.QUEUED
        due = self.do(self.store.next_due())
        assert due is None or due > self.now

    @rule(job_id=jobs)
    def remove(self, job_id):
        before = self.get(job_id)
        removed = self.do(self.store.delete([job_id], self.now))
        assert bool(removed) == (before is not None and before.state in TERMINAL)
        if removed:
            self.accepted.discard(job_id)
            self.trash[job_id] = before

    @rule(job_id=jobs)
    def bring_back(self, job_id):
        back = self.do(self.store.restore([job_id]))
        assert bool(back) == (job_id in self.trash)
        if back:
            found, before = self.get(job_id), self.trash.pop(job_id)
            assert replace(found, idempotency_key=before.idempotency_key) == before
            assert found.idempotency_key in (None, before.idempotency_key)  # it may be another one's by now
            self.accepted.add(job_id)

    @rule()
    def empty_the_trash(self):
        doomed = [gone.job.id for gone in self.do(self.store.doom(self.now))]
        assert set(doomed) == set(self.trash)
        self.do(self.store.remove(doomed))
        for job_id in doomed:
            del self.trash[job_id]
            self.epochs.pop(job_id, None)
            assert self.do(self.store.events(job_id, 0, 10)) == []

    @rule(job_id=jobs, top=st.booleans())
    def reorder(self, job_id, top):
        before = self.get(job_id)
        moved = self.do(self.store.move([job_id], Place(top=top, bottom=not top), self.now))
        assert bool(moved) == (before is not None and before.state is State.QUEUED)
        if moved:
            queued = Query(kinds=(before.kind,), states=(State.QUEUED,), sort="run_order", limit=200)
            order = [job.id for job in self.do(self.store.find(queued)).items]
            assert order[0 if top else -1] == job_id

    @rule(limit=st.sampled_from([{}, {"*": 1}, {"*": 2}, {"toy": 1}]))
    def limit(self, limit):
        self.limits = limit

    @invariant()
    def nothing_is_lost_and_the_counts_are_right(self):
        page = self.do(self.store.find(Query(limit=10_000)))
        assert {job.id for job in page.items} == self.accepted
        for owner in (None, "me"):
            seen = Counter(job.state for job in page.items if owner is None or job.owner == owner)
            told = self.do(self.store.counts([], owner))
            assert {state: number for state, number in told.items() if number} == seen
        for job in page.items:
            assert (job.state is State.RUNNING) == (job.lease_holder is not None)
            assert (job.state in TERMINAL) == (job.finished_at is not None)
            assert job.attempt >= 0


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase

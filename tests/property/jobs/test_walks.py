"""Whatever people and workers do in whatever order, a job stays in its table."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ferryman.core.errors import Conflict
from ferryman.jobs.model import TERMINAL, State
from ferryman.jobs.transitions import EDGES, Cause, move


class Walk(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.state = State.QUEUED
        self.leases = 0
        self.ended = 0

    @rule(cause=st.sampled_from(Cause))
    def try_it(self, cause):
        before = self.state
        try:
            self.state = move(before, cause)
        except Conflict:
            assert (before, cause) not in EDGES
            return
        if self.state is State.RUNNING:
            assert before is State.QUEUED
            self.leases += 1
        if before in TERMINAL:
            assert cause is Cause.RETRY
            assert self.state is State.QUEUED
        if self.state in TERMINAL:
            self.ended += 1

    @invariant()
    def success_needs_a_lease(self):
        assert self.state is not State.SUCCEEDED or self.leases


TestWalk = Walk.TestCase


@given(st.lists(st.sampled_from([Cause.PAUSE, Cause.RESUME]), max_size=20))
def test_pausing_never_ends_a_job(causes):
    state = State.QUEUED
    for cause in causes:
        if (state, cause) in EDGES:
            state = move(state, cause)
    assert state in (State.QUEUED, State.PAUSED)

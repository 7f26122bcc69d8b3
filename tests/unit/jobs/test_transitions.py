import itertools

import pytest

from ferryman.core.errors import Conflict
from ferryman.jobs.model import TERMINAL, Desired, State
from ferryman.jobs.transitions import EDGES, WISHES, Cause, end_of_run, move, wish


def test_every_state_can_be_reached_and_every_unfinished_one_left():
    reached = set(EDGES.values())
    assert reached == set(State)
    assert {start for start, _ in EDGES} == set(State)


def test_a_finished_job_is_left_only_by_a_retry():
    assert {cause for start, cause in EDGES if start in TERMINAL} == {Cause.RETRY}


def test_every_unfinished_job_can_be_cancelled():
    assert {start for start, cause in EDGES if cause is Cause.CANCEL} == set(State) - TERMINAL


@pytest.mark.parametrize(("state", "cause"), list(itertools.product(State, Cause)))
def test_what_is_not_in_the_table_is_refused_with_what_is_possible(state, cause):
    if (state, cause) in EDGES:
        assert move(state, cause) is EDGES[state, cause]
    else:
        with pytest.raises(Conflict) as error:
            move(state, cause)
        assert error.value.code == "transition_refused"
        assert str(state) in error.value.message
        assert "Possible now" in error.value.advice


def test_each_wish_of_a_person_has_a_desired_state():
    assert set(WISHES) == {Cause.PAUSE, Cause.RESUME, Cause.CANCEL, Cause.RETRY}


@pytest.mark.parametrize(
    ("cause", "desired", "state"),
    [
        (Cause.SUCCEED, Desired.CANCEL, State.SUCCEEDED),
        (Cause.SUCCEED, Desired.PAUSE, State.SUCCEEDED),
        (Cause.FAIL, Desired.PAUSE, State.FAILED),
        (Cause.FAIL, Desired.CANCEL, State.CANCELLED),
        (Cause.RETRY_LATER, Desired.RUN, State.WAITING),
        (Cause.RETRY_LATER, Desired.PAUSE, State.PAUSED),
        (Cause.RETRY_LATER, Desired.CANCEL, State.CANCELLED),
        (Cause.RELEASE, Desired.RUN, State.QUEUED),
        (Cause.RELEASE, Desired.PAUSE, State.PAUSED),
        (Cause.RELEASE, Desired.CANCEL, State.CANCELLED),
        (Cause.PAUSE, Desired.CANCEL, State.CANCELLED),
        (Cause.PAUSE, Desired.PAUSE, State.PAUSED),
        (Cause.PAUSE, Desired.RUN, State.QUEUED),
        (Cause.CANCEL, Desired.RUN, State.CANCELLED),
    ],
)
def test_a_wish_that_came_while_the_run_ended_counts(cause, desired, state):
    assert end_of_run(cause, desired) is state


def test_a_running_job_is_left_to_its_worker_and_others_move_at_once():
    for cause in (Cause.PAUSE, Cause.CANCEL, Cause.RESUME):
        assert wish(State.RUNNING, cause) is None
    assert wish(State.QUEUED, Cause.PAUSE) is State.PAUSED
    with pytest.raises(Conflict):
        wish(State.RUNNING, Cause.RETRY)
    with pytest.raises(Conflict):
        wish(State.SUCCEEDED, Cause.PAUSE)

import itertools

import pytest

from ferryman.core.errors import Conflict
from ferryman.jobs.model import TERMINAL, State
from ferryman.jobs.transitions import EDGES, WISHES, Cause, move


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

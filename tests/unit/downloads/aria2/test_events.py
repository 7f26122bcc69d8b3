"""Which notifications a life of a download gives rise to."""

import pytest

from ferryman.downloads.aria2.events import COMPLETE, ERROR, PAUSE, START, STOP, Story
from ferryman.jobs.model import State


def told(*states: State, kind: str = "download", known: State | None = None) -> list[str]:
    story = Story()
    if known:
        story.begin("1", known)
    return [method for state in states for method in story.goes_on({"id": "1", "kind": kind, "state": state})]


@pytest.mark.parametrize(
    ("states", "methods"),
    [
        ([State.QUEUED, State.RUNNING, State.RUNNING, State.SUCCEEDED], [START, COMPLETE]),
        ([State.RUNNING, State.WAITING, State.QUEUED, State.RUNNING, State.FAILED], [START, ERROR]),
        (
            [State.RUNNING, State.PAUSED, State.QUEUED, State.RUNNING, State.CANCELLED],
            [START, PAUSE, START, STOP],
        ),
        ([State.QUEUED, State.PAUSED, State.PAUSED, State.CANCELLED], [PAUSE, STOP]),
        ([State.QUEUED, State.CANCELLED], [STOP]),
        ([State.QUEUED, State.SUCCEEDED], [START, COMPLETE]),
        ([State.PAUSED, State.QUEUED, State.FAILED], [PAUSE, START, ERROR]),
        (
            [State.RUNNING, State.SUCCEEDED, State.QUEUED, State.RUNNING, State.SUCCEEDED],
            [START, COMPLETE] * 2,
        ),
    ],
)
def test_a_life_is_told(states, methods):
    assert told(*states) == methods


def test_who_comes_late_hears_the_end_only():
    assert told(State.SUCCEEDED, known=State.RUNNING) == [COMPLETE]


def test_other_kinds_of_jobs_are_not_told_of():
    assert told(State.RUNNING, State.SUCCEEDED, kind="delivery") == []

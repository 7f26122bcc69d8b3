"""The one transition table of a job: every state, every edge, and what causes it.

    accepted ──────────► queued ──lease──► running ──done──► succeeded
                          ▲  │                │ ├──error, final──► failed
              retry, due  │  │pause           │ ├──cancel──► cancelled
                          │  ▼                │ ├──pause──► paused ──resume──► queued
                        waiting ◄──error, to be tried again, or no room──┤
                          ▲                   └──shutdown or lost lease──► queued
                          └── not before a time

`paused` and `waiting` jobs can be cancelled; finished ones go back to `queued` only by a retry. Pure.
"""

from enum import StrEnum
from typing import Final

from ferryman.core.errors import Conflict
from ferryman.jobs.model import Desired, State


class Cause(StrEnum):
    """What moves a job from one state to another."""

    LEASE = "lease"
    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY_LATER = "retry_later"
    RELEASE = "release"
    DUE = "due"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


EDGES: Final[dict[tuple[State, Cause], State]] = {
    (State.QUEUED, Cause.LEASE): State.RUNNING,
    (State.QUEUED, Cause.PAUSE): State.PAUSED,
    (State.QUEUED, Cause.CANCEL): State.CANCELLED,
    (State.RUNNING, Cause.SUCCEED): State.SUCCEEDED,
    (State.RUNNING, Cause.FAIL): State.FAILED,
    (State.RUNNING, Cause.RETRY_LATER): State.WAITING,
    (State.RUNNING, Cause.RELEASE): State.QUEUED,
    (State.RUNNING, Cause.PAUSE): State.PAUSED,
    (State.RUNNING, Cause.CANCEL): State.CANCELLED,
    (State.PAUSED, Cause.RESUME): State.QUEUED,
    (State.PAUSED, Cause.CANCEL): State.CANCELLED,
    (State.WAITING, Cause.DUE): State.QUEUED,
    (State.WAITING, Cause.RESUME): State.QUEUED,
    (State.WAITING, Cause.PAUSE): State.PAUSED,
    (State.WAITING, Cause.CANCEL): State.CANCELLED,
    (State.SUCCEEDED, Cause.RETRY): State.QUEUED,
    (State.FAILED, Cause.RETRY): State.QUEUED,
    (State.CANCELLED, Cause.RETRY): State.QUEUED,
}
"""All edges: from a state, by a cause, to a state. What is not here cannot happen."""

WISHES: Final = {
    Cause.PAUSE: Desired.PAUSE,
    Cause.CANCEL: Desired.CANCEL,
    Cause.RESUME: Desired.RUN,
    Cause.RETRY: Desired.RUN,
}
"""What a person's action makes of the desired state."""


def move(state: State, cause: Cause) -> State:
    """Follow an edge. Raises `Conflict` (`transition_refused`) when there is none."""
    try:
        return EDGES[state, cause]
    except KeyError:
        allowed = ", ".join(sorted(edge.value for start, edge in EDGES if start is state))
        raise Conflict(
            "transition_refused",
            f"A job that is {state} cannot {cause}.",
            advice=f"Possible now: {allowed}.",
        ) from None

"""The one transition table of a job: every state, every edge, and what causes it. Pure.

    accepted ──────────► queued ──lease──► running ──succeed──► succeeded
       │                  ▲  │                │ ├──fail, final──► failed
       │     retry, due,  │  │pause           │ ├──cancel──► cancelled
       │          resume  │  ▼                │ ├──pause──► paused ──resume──► queued
       └─not before──►  waiting ◄─retry later,┤
                                      defer   │
                                              └──release (shutdown, lost lease)──► queued

`queued`, `paused` and `waiting` jobs can be cancelled at once; finished ones go back to `queued` only by a retry.
Queued and paused jobs are deferred to `waiting` as well, and `start` takes what does not run to the front of `queued`.
A running job is not moved by people: they change what is desired, and its worker follows.
"""

from enum import StrEnum
from typing import Final

from ferryman.core.errors import Conflict
from ferryman.jobs.model import Desired, State


class Cause(StrEnum):
    """What moves a job from one state to another."""

    LEASE = "lease"
    """A worker took it."""
    SUCCEED = "succeed"
    """Its handler returned."""
    FAIL = "fail"
    """Its handler raised, and trying again is of no use or has been tried often enough."""
    RETRY_LATER = "retry_later"
    """Its handler raised what may pass: a pause, then another attempt."""
    RELEASE = "release"
    """Its worker stopped in order, or died: it goes on from its checkpoint."""
    DUE = "due"
    """The time it waited for has come."""
    DEFER = "defer"
    """It goes on later: at the time people gave it, or when its window opens again."""
    START = "start"
    """People want it to run now, whatever the limits are."""
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
    (State.QUEUED, Cause.DEFER): State.WAITING,
    (State.RUNNING, Cause.DEFER): State.WAITING,
    (State.WAITING, Cause.DEFER): State.WAITING,
    (State.PAUSED, Cause.DEFER): State.WAITING,
    (State.QUEUED, Cause.START): State.QUEUED,
    (State.WAITING, Cause.START): State.QUEUED,
    (State.PAUSED, Cause.START): State.QUEUED,
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

_UNFINISHED: Final = frozenset({Cause.FAIL, Cause.RETRY_LATER, Cause.RELEASE, Cause.PAUSE, Cause.DEFER})
_GOES_ON: Final = frozenset({Cause.RETRY_LATER, Cause.RELEASE, Cause.DEFER})


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


def end_of_run(cause: Cause, desired: Desired) -> State:
    """Where a running job goes when its run ends by `cause` and people want `desired`.

    A wish that came while the run ended counts: what did not succeed and is to be cancelled is cancelled, and what
    would go on and is to be paused is paused; one whose pause was taken back goes on. What had succeeded or failed for
    good stays so.
    """
    if desired is Desired.CANCEL and cause in _UNFINISHED:
        cause = Cause.CANCEL
    elif desired is Desired.PAUSE and cause in _GOES_ON:
        cause = Cause.PAUSE
    elif desired is Desired.RUN and cause is Cause.PAUSE:
        cause = Cause.RELEASE
    return move(State.RUNNING, cause)


def wish(state: State, cause: Cause) -> State | None:
    """Where a person's action takes a job at once; `None` when its worker has to follow. Raises `Conflict`.

    Wishing what is already so is granted: to resume a running job takes back a pause that was not followed yet.
    """
    if state is State.RUNNING and cause in {Cause.PAUSE, Cause.CANCEL, Cause.RESUME}:
        return None
    return move(state, cause)

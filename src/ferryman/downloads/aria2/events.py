"""What aria2 notifies of, from what the ledger tells. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from ferryman.downloads.model import KIND
from ferryman.jobs.model import TERMINAL, State

START: Final = "aria2.onDownloadStart"
PAUSE: Final = "aria2.onDownloadPause"
STOP: Final = "aria2.onDownloadStop"
COMPLETE: Final = "aria2.onDownloadComplete"
ERROR: Final = "aria2.onDownloadError"
NOTIFICATIONS: Final = (START, PAUSE, STOP, COMPLETE, ERROR, "aria2.onBtDownloadComplete")
_SAID: Final[Mapping[State, str]] = {
    State.RUNNING: START,
    State.PAUSED: PAUSE,
    State.CANCELLED: STOP,
    State.SUCCEEDED: COMPLETE,
    State.FAILED: ERROR,
}
MOST_FOLLOWED: Final = 20_000


class Story:
    """What one listener was told of each download. Tells everything once, a start also when it was missed."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: dict[str, State] = {}

    def begin(self, job_id: str, state: State) -> None:
        """Take `state` for told: it was so before anybody listened."""
        self._told[job_id] = state

    def goes_on(self, data: Mapping[str, Any]) -> list[str]:
        """Return the notifications that a job, as the hub tells it, gives rise to.

        Waiting for another attempt is nothing that aria2 would tell of, nor is the attempt itself.
        """
        if data.get("kind") != KIND:
            return []
        job_id, state = str(data["id"]), State(data["state"])
        before = self._told.get(job_id)
        if state not in _SAID or state is before:
            return []
        missed = state in {State.SUCCEEDED, State.FAILED} and before is not State.RUNNING
        if state in TERMINAL:
            self._told.pop(job_id, None)
        else:
            if len(self._told) >= MOST_FOLLOWED:
                self._told.clear()
            self._told[job_id] = state
        return [START, _SAID[state]] if missed else [_SAID[state]]

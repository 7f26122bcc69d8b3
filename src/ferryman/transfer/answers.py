"""What a transfer does about each kind of answer `judge` finds. Loop only."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ferryman.core.errors import Corrupt, FerryError, Unavailable
from ferryman.transfer import plan
from ferryman.transfer.ask import credentials
from ferryman.transfer.credentials import own_of
from ferryman.transfer.failures import shown
from ferryman.transfer.http import Head
from ferryman.transfer.judge import Kind, Verdict, judge
from ferryman.transfer.lane import OPEN_END, Lane
from ferryman.transfer.model import Phase
from ferryman.transfer.naming import name_from

if TYPE_CHECKING:
    from ferryman.transfer.engine import Core
    from ferryman.transfer.task import Task

_MOST_RESTARTS: Final = 6
_MOST_RESOLUTIONS: Final = 5


class Answers:
    """Deals with answers for one transfer. Ends it when that is what an answer means."""

    def __init__(self, core: "Core", task: "Task") -> None:
        """Start with nothing counted."""
        self._core, self._task = core, task
        self._hops = 0
        self._resolved_again = 0
        self._resolved_at = 0
        self._restarts = 0
        self._deal: dict[Kind, Callable[[Lane, Head, Verdict], None]] = {
            Kind.CHANGED: self._changed,
            Kind.REDIRECT: self._redirect,
            Kind.RESOLVE_AGAIN: self._resolve_again,
            Kind.UNRANGED: self._unranged,
            Kind.COMPLETE: self._complete,
            Kind.REFUSED: self._refused,
            Kind.RETRY: self._retry,
            Kind.FATAL: self._fatal,
        }

    def answered(self, lane: Lane, head: Head) -> bool:
        """Judge an answer; True when its body is to be read."""
        task = self._task
        verdict = judge(lane.asked, head, task.arrival.pins(lane.host), self._core.clock.now())
        wanted: list[bool] = []
        task.guard(lambda: wanted.append(self._obey(lane, head, verdict)))
        return wanted == [True] and not task.over

    def _obey(self, lane: Lane, head: Head, verdict: Verdict) -> bool:
        stranger = len(self._task.mirrors) > 1 and not self._task.arrival.knows(lane.host)
        if verdict.kind in {Kind.CHANGED, Kind.CHANGED_WHOLE} and stranger and self._task.arrival.pinned:
            self.drop_mirror(
                lane,
                Corrupt(
                    "mirror_differs",
                    f"{shown(lane.asked.url)} has another file.",
                    advice="Leave this mirror out.",
                ),
            )
        elif verdict.kind in {Kind.BODY, Kind.WHOLE, Kind.CHANGED_WHOLE}:
            return self._take_body(lane, head, verdict)
        else:
            self._deal[verdict.kind](lane, head, verdict)
        self._task.settle()
        return False

    def _take_body(self, lane: Lane, head: Head, verdict: Verdict) -> bool:
        task, arrival = self._task, self._task.arrival
        if verdict.kind is Kind.CHANGED_WHOLE:
            self._restart(lane, "The file at the source is not the one we began with")
        elif verdict.kind is Kind.WHOLE and (lane.start > 0 or task.disk() or task.lanes != [lane]):
            self._restart(lane, f"{shown(lane.asked.url)} does not serve parts")
        arrival.pin(lane.host, lane.asked.url, head, verdict)
        task.check_size(arrival.total or 0)
        if verdict.kind is not Kind.BODY:
            task.ranged = False
        if arrival.part is None:
            task.open(self._named(lane, head))
            if task.over or task.phase not in {Phase.CONNECTING, Phase.DOWNLOADING}:
                return False
        if head.encoded:
            task.log(
                "warning",
                f"{shown(lane.asked.url)} sends it compressed although we asked for the file as it is.",
            )
        lane.answered_yes = True
        lane.body_end = verdict.end if verdict.end is not None else OPEN_END
        task.place(lane)
        task.phase = Phase.DOWNLOADING
        arrival.start_chaser(task.hashed, task.unreadable)
        task.heard()
        if lane.end <= lane.pos:
            task.drop(lane)
            task.settle()
            return False
        return True

    def _named(self, lane: Lane, head: Head) -> Path:
        request = self._task.request
        return request.target / (request.name or name_from)(head.headers, lane.mirror.origin)

    def _restart(self, keep: Lane | None, why: str) -> None:
        """Nothing that is here may be mixed with what comes. Raises `Unavailable` when that happens all the time."""
        task = self._task
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise Unavailable(
                "source_changing", f"{shown(task.arrival.url)} changes all the time.", advice="Try later."
            )
        if self._restarts >= 3:
            task.ranged = False
        if task.disk():
            task.log("warning", f"{why}: starting again from the beginning.")
        for lane in [lane for lane in task.lanes if lane is not keep]:
            task.drop(lane, lost=True)
        task.arrival.reset()
        if keep:
            keep.restart()

    def _changed(self, _lane: Lane, _head: Head, _verdict: Verdict) -> None:
        self._restart(None, "The file at the source is not the one we began with")

    def _unranged(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        task = self._task
        task.ranged = False
        if verdict.error:
            task.log("warning", f"{verdict.error} Asking for the whole file instead.")
        if task.disk() or task.arrival.pinned:
            self._restart(None, f"{shown(lane.asked.url)} does not serve parts")
        else:
            task.drop(lane)

    def _complete(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        self._task.arrival.total = verdict.total
        self._task.drop(lane)

    def _redirect(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        self._hops += 1
        lane.mirror.url = verdict.location
        self._task.drop(lane)
        if self._hops > self._core.limits.redirects * (len(self._task.mirrors) + self._resolved_again):
            loop = Unavailable(
                "redirect_loop", f"{shown(lane.mirror.origin)} redirects in circles.", advice="Check the URL."
            )
            self.drop_mirror(lane, loop)

    def _resolve_again(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        """A redirected URL expired: ask the origin again, without spending a try while that helps."""
        task = self._task
        lane.mirror.url = lane.mirror.origin
        task.drop(lane)
        if task.disk() > self._resolved_at:
            self._resolved_at, self._resolved_again = task.disk(), 0
        self._resolved_again += 1
        if self._resolved_again > _MOST_RESOLUTIONS and not task.lanes:
            self.drop_mirror(lane, verdict.error)

    def _refused(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        task, now = self._task, self._core.now()
        wait = plan.backoff(1, self._core.limits.backoff, verdict.retry_after)
        limit = self._core.hosts.refused(lane.host, now, wait)
        task.log(
            "warning", f"{verdict.error} At most {limit} connections to {lane.host}, after {wait:.0f} s."
        )
        lane.mirror.url = lane.mirror.origin
        task.drop(lane)
        if not task.lanes and verdict.error:
            task.failed(verdict.error, verdict.retry_after)

    def _retry(self, lane: Lane, _head: Head, verdict: Verdict) -> None:
        self._task.drop(lane)
        if verdict.error:
            self._task.failed(verdict.error, verdict.retry_after)

    def _fatal(self, lane: Lane, head: Head, verdict: Verdict) -> None:
        schemes = head.headers.get("www-authenticate", "").lower()
        beyond_basic = any(scheme in schemes for scheme in ("digest", "ntlm", "negotiate"))
        options = self._task.request.options
        known = credentials(lane.mirror.origin, options) or own_of(lane.asked.url, options, 0.0).login
        if head.status == 401 and beyond_basic and known and not self._task.negotiate:
            self._task.negotiate = True
            self._task.drop(lane)
        else:
            self.drop_mirror(lane, verdict.error)

    def drop_mirror(self, lane: Lane, error: FerryError | None) -> None:
        """A source is of no use: go on with the others, with the connections that work, or end."""
        task = self._task
        error = error or Unavailable("transfer_failed", "The transfer failed.")
        task.drop(lane)
        if len(task.mirrors) > 1:
            task.log("warning", f"Leaving out a source: {error}")
            task.mirrors = [mirror for mirror in task.mirrors if mirror is not lane.mirror]
        elif any(other.answered_yes for other in task.lanes):
            task.failed(error, None, unheard=True)
        else:
            task.fail(error)

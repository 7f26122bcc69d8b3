"""A transfer at work: carries out what `plan` and `judge` decide. Lives on the loop; nothing here is thread-safe."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError, Invalid, Unavailable
from ferryman.transfer import plan
from ferryman.transfer.answers import Answers
from ferryman.transfer.arrival import Arrival
from ferryman.transfer.ask import Own, bare, credentials, headers_for
from ferryman.transfer.carrier import Ask
from ferryman.transfer.credentials import own_of
from ferryman.transfer.failures import UNREACHED, disk_error, shown
from ferryman.transfer.finish import Finish
from ferryman.transfer.http import host_key
from ferryman.transfer.journal import SAVE_EVERY
from ferryman.transfer.judge import Asked
from ferryman.transfer.lane import OPEN_END, Lane, Mirror
from ferryman.transfer.meter import Meter, why_slow
from ferryman.transfer.model import Phase, Request, Result, Snapshot
from ferryman.transfer.plan import Ranges
from ferryman.transfer.rate import Bucket
from ferryman.transfer.tries import STRANGERS, Tries
from ferryman.transfer.verify import Chaser

if TYPE_CHECKING:
    from ferryman.transfer.engine import Core

_MOST_LANES: Final = 32
_CAP_RECOVERY: Final = 10.0
_LIMIT_FELT: Final = 1.0
"""Seconds for which a rate limit that held something back explains why a connection is slow."""
_EARLY: Final = 0.06
"""Seconds after the first answer until it is known what holds a transfer back."""
_AT_WORK: Final = frozenset({Phase.CONNECTING, Phase.DOWNLOADING})

Report = Callable[[Result | None, BaseException | None], None]


class Task:
    """State of one transfer. `report` is called once, on the loop, with the result or the error."""

    def __init__(
        self, core: "Core", request: Request, log: Callable[[str, str], None], report: Report
    ) -> None:
        """Only remember; `begin` starts."""
        self.core, self.request, self.log, self._report = core, request, log, report
        now = core.now()
        self.arrival = Arrival(request, core.boot, core.flusher, core.pump.post)
        self.answers = Answers(core, self)
        self.tries = Tries(core.limits.fruitless, core.limits.backoff, max(STRANGERS, len(request.urls)))
        self.mirrors = [Mirror(url) for url in request.urls]
        self.lanes: list[Lane] = []
        self.ranged = True
        self.negotiate = False
        self.phase = Phase.CONNECTING
        self.bucket = Bucket(request.options.rate_limit, now)
        self.snapshot = Snapshot()
        self.over = False
        self._meter = Meter(now)
        self._started = now
        self._network = 0
        self._unsaved = 0
        self._turn = 0
        self._most = max(1, min(_MOST_LANES, request.options.connections))
        self._cap = self._most
        self._cap_until = 0.0
        self._limited = False
        self._limited_at = -_LIMIT_FELT
        self._slow_start = plan.SlowStart()
        self._paces = plan.Paces()
        self._answered_at: float | None = None

    @property
    def starving(self) -> bool:
        """Wants a first connection now."""
        return (
            self.phase in _AT_WORK
            and not self.over
            and not self.lanes
            and self.core.now() >= self.tries.not_before
        )

    def begin(self) -> None:
        """Open the target when it is known, then ask."""
        self.guard(lambda: self.open(self.arrival.target) if self.arrival.target else None)
        self.step()

    def guard(self, work: Callable[[], object]) -> None:
        """Do something that may fail for good: then the transfer ends with that."""
        try:
            work()
        except FerryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, self.arrival.path))

    def open(self, target: Path) -> None:
        """Open the target; may end the transfer when an existing file is to be skipped. Raises `FerryError`, `OSError`."""
        existing = self.arrival.open(target)
        if existing:
            size, url = existing.stat().st_size, self.arrival.url
            self._end(Result(existing, size, (), 0.0, self._network, 0, url, skipped=True), None)
            return
        if resumed := self.arrival.resumed:
            self.tries.begin_with(resumed)
            self.log("info", f"Going on with {resumed} bytes that are here already.")
        if self.arrival.complete:
            self.settle()

    # -- asking ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Open as many lanes as are wanted and allowed."""
        now = self.core.now()
        while self.phase in _AT_WORK and not self.over and now >= self.tries.not_before:
            enough = len(self.lanes) >= self._lanes_wanted(now) and not self._held_up(now)
            if enough or (self.lanes and self.core.others_starve(self)):
                return
            if not self._start_lane(now):
                return

    def _lanes_wanted(self, now: float) -> int:
        total = self.arrival.total
        if not self.arrival.pinned or not self.ranged or total is None:
            return 1
        if self._cap < self._most and now >= self._cap_until:
            self._cap, self._cap_until = self._cap + 1, now + _CAP_RECOVERY
        return self._slow_start.wanted(self._cap, total - self.disk(), held=self._held_back(now))

    def _held_back(self, now: float) -> bool:
        """Whether more lanes bring nothing because reading or the disk is what takes the time, or it is too early to know."""
        early = self._answered_at is None or now - self._answered_at < _EARLY
        return early or self.core.saturated(now)

    def set_most(self, most: int) -> None:
        """Use at most `most` lanes from now on."""
        self._most = self._cap = max(1, min(_MOST_LANES, most))
        for lane in self.lanes[self._most :]:
            self.drop(lane)
        self._slow_start.answered(self._most)
        self.settle()

    def _held_up(self, now: float) -> bool:
        """Whether a crawling lane holds the rest, so that another one is worth it although little is left."""
        if not self.lanes or len(self.lanes) >= self._cap or not self.ranged:
            return False
        limited = now - self._limited_at < _LIMIT_FELT
        return not limited and plan.held_up([lane.view(now) for lane in self.lanes], self._pace())

    def _pace(self) -> plan.Pace:
        return self._paces.now(limited=self.core.now() - self._limited_at < _LIMIT_FELT)

    def _start_lane(self, now: float) -> bool:
        mirror = self.mirrors[self._turn % len(self.mirrors)]
        host = host_key(mirror.url)
        try:
            own = own_of(mirror.url, self.request.options, self.core.clock.now())
        except Invalid as error:
            self.fail(error)
            return False
        if not self.core.hosts.acquire(host, now):
            self._turn += len(self.mirrors) > 1
            return False
        span = self._next_span(now)
        if span is None:
            self.core.hosts.release(host)
            return False
        self._turn += 1
        asked = Asked(bare(mirror.url), span[0], span[1], self.ranged, mirror.url != mirror.origin)
        lane = Lane(self, mirror, host, asked, now)
        self.lanes.append(lane)
        ask = self._ask(mirror, host, asked, own)
        lane.exchange = self.core.carrier(ask).fetch(ask, lane)
        return True

    def _ask(self, mirror: Mirror, host: str, asked: Asked, own: Own) -> Ask:
        options = self.request.options
        pins = self.arrival.pins(host) if self.ranged else None
        headers = headers_for(mirror.url, mirror.origin, options, pins, not self.negotiate, own)
        trusted = host == host_key(mirror.origin)
        # Where a header cannot carry them (FTP, a server that wants more than basic) the carrier gets user and password.
        aside = self.negotiate or mirror.url.startswith("ftp")
        given = credentials(mirror.origin, options) if trusted else None
        login = (given or own.login) if aside else None
        allow = self.request.allow
        return Ask(asked.url, asked.start, asked.end, self.ranged, headers, options, allow, trusted, login)

    def _next_span(self, now: float) -> tuple[int, int | None] | None:
        total = self.arrival.total
        if not self.ranged:
            return (0, None) if not self.lanes else None
        if not self.arrival.pinned or total is None:
            return (self.arrival.base.watermark(), None) if not self.lanes else None
        rate = max((lane.rate for lane in self.lanes), default=0.0)
        first_byte = min((lane.first_byte for lane in self.lanes if lane.answered_yes), default=0.0)
        chunk = plan.chunk_for(rate, first_byte) if self._most > 1 else max(1, total)
        views, pace = [lane.view(now) for lane in self.lanes], self._pace()
        take = plan.next_take(total, self._held(), views, chunk, pace)
        if take is None:
            return None
        if take.victim is not None:
            victim = self.lanes[take.victim]
            victim.end = take.start
            if take.crawled:
                self._paces.robbed()
            if victim.pos >= victim.end:
                self.drop(victim)
        return take.start, take.end

    def heard(self) -> None:
        """A lane got an answer with a body: time for more lanes."""
        if self._answered_at is None:
            self._answered_at = self.core.now()
        self._slow_start.answered(self._most)
        self.core.pump.soon(self.step)

    def place(self, lane: Lane) -> None:
        """Give an answered lane its span: of an open-ended answer a chunk when others may help, else all that is free."""
        total = self.arrival.total
        if not self.ranged or total is None:
            lane.end = lane.body_end
        elif lane.asked.end is not None:
            lane.end = min(lane.end, lane.body_end)
        else:
            lane.end = lane.start
            lane.end = self._free_until(
                lane, min(lane.body_end, lane.start + (plan.CHUNK if self._most > 1 else total))
            )

    def extend(self, lane: Lane) -> int:
        """A lane reached the end of its span while its answer goes on: give it what follows when nobody has it."""
        if self.arrival.total is not None and lane.body_end > lane.end:
            lane.end = self._free_until(lane, min(lane.body_end, lane.end + plan.CHUNK))
        return lane.end - lane.pos

    def _free_until(self, lane: Lane, limit: int) -> int:
        held = Ranges(self.arrival.base.spans())
        for each in self.lanes:
            held.add(each.start, each.end)
        hole = next((hole for hole in held.missing(limit) if hole[0] <= lane.end < hole[1]), None)
        return hole[1] if hole else lane.end

    # -- ends of lanes --------------------------------------------------------------------------------------------

    def drop(self, lane: Lane, *, lost: bool = False) -> None:
        """Take a lane away; what it brought stays unless `lost`."""
        if lane not in self.lanes:
            return
        self.lanes.remove(lane)
        if lane.answered_yes and not lost:
            lane.flush()
            self.arrival.base.add(lane.start, lane.pos)
            self._paces.ended(lane.pos - lane.start, self.core.now() - lane.answered_at, lane.first_byte)
        if lane.exchange:
            lane.exchange.cancel()
        self.core.hosts.release(lane.host)
        self.core.pump.soon(self.core.feed)

    def lane_over(self, lane: Lane, error: FerryError | OSError | None) -> None:
        """An exchange ended."""
        if not self.over and lane in self.lanes:
            self.guard(lambda: self._lane_over(lane, error))

    def _lane_over(self, lane: Lane, error: FerryError | OSError | None) -> None:
        if isinstance(error, OSError):
            self.drop(lane)
            raise error
        whole = error is None and (lane.end in {OPEN_END, lane.pos})
        if lane.answered_yes and not self.ranged and not whole:
            self._lose_whole(lane)
        self.drop(lane)
        if error is None:
            if lane.answered_yes and self.arrival.total is None and not self.ranged:
                self.arrival.total = lane.pos
            elif lane.answered_yes and lane.pos == lane.start:
                self.failed(
                    Unavailable("connection_lost", f"{shown(lane.asked.url)}: the answer was empty."), None
                )
        elif isinstance(error, Unavailable):
            lane.mirror.url = lane.mirror.origin
            self.failed(error, None, unheard=not lane.answered_yes)
        else:
            self.answers.drop_mirror(lane, error)
        self.settle()

    def _lose_whole(self, lane: Lane) -> None:
        """Without ranges an unfinished body is worth nothing: the next answer begins at 0 again."""
        best = self.disk()
        self.drop(lane, lost=True)
        self.arrival.reset()
        self.tries.begin_with(best)

    def failed(self, error: FerryError, retry_after: float | None, *, unheard: bool = False) -> None:
        """Count a failure and plan the next try; give up after too many that brought nothing."""
        now = self.core.now()
        if (
            self.lanes and unheard
        ):  # the host bears fewer connections than we wanted: not a failure of the transfer
            self._cap, self._cap_until = max(1, len(self.lanes)), now + _CAP_RECOVERY
            return
        wait = self.tries.failed(now, self.disk(), retry_after, reached=error.code not in UNREACHED)
        if self.tries.spent and not self.lanes:
            if isinstance(error, Unavailable):
                error.retry_after = error.retry_after or retry_after
            self.fail(error)
        elif wait:
            self.log("warning", f"{error} Trying again in {wait:.1f} s.")

    # -- progress -------------------------------------------------------------------------------------------------

    def allowance(self, want: int) -> int:
        """How many bytes may be read now under the global and the own rate limit."""
        now = self.core.now()
        allowed = min(self.core.bucket.allowance(now, want), self.bucket.allowance(now, want))
        if not allowed:
            self._limited, self._limited_at = True, now
        return allowed

    def arrived(self, count: int) -> None:
        """Bytes were written by a lane."""
        self.core.bucket.spend(count)
        self.bucket.spend(count)
        self._network += count
        self._unsaved += count
        if self.arrival.chaser:
            self.arrival.chaser.advance(self.done().watermark())
        if self._unsaved >= SAVE_EVERY and self.ranged:
            self.save()
        if self.request.most is not None:
            self.guard(lambda: self.check_size(self.disk()))

    def check_size(self, size: int) -> None:
        """Raise `Invalid` when `size` is more than the request allows."""
        most = self.request.most
        if most is not None and size > most:
            raise Invalid(
                "source_too_large",
                f"{shown(self.arrival.url)} has more than {most} bytes.",
                advice="Check that the URL is that of the small file that was meant.",
            )

    def save(self) -> None:
        """Write the journal."""
        self._unsaved = 0
        self.guard(lambda: self.arrival.save(self.done()))

    def disk(self) -> int:
        """Bytes of the file that are written."""
        return self.arrival.base.size() + sum(lane.pos - lane.start for lane in self.lanes)

    def _held(self) -> Ranges:
        """What is written or on its way into the file."""
        held = Ranges(self.arrival.base.spans())
        for lane in self.lanes:
            held.add(lane.start, lane.offset())
        return held

    def done(self) -> Ranges:
        """The spans that are written."""
        done = Ranges(self.arrival.base.spans())
        for lane in self.lanes:
            done.add(lane.start, lane.pos)
        return done

    def tick(self, now: float) -> None:
        """Time-outs, retries, speed. Called about ten times a second."""
        for lane in list(self.lanes):
            lane.tick(now)
            if not self.over and lane in self.lanes and lane.stalled(now):
                self._replace(lane)
        if self.over:
            return
        self.arrival.sync(now, self.done(), self.save)
        self.observe(now)
        self.step()

    def _replace(self, lane: Lane) -> None:
        limit = self.request.options.stall_timeout
        self.log("warning", f"A connection to {lane.host} stalled: replacing it.")
        if lane.exchange:
            lane.exchange.cancel()
        self.lane_over(
            lane, Unavailable("read_timeout", f"{shown(lane.asked.url)}: nothing arrived for {limit:.0f} s.")
        )

    def observe(self, now: float) -> None:
        """Publish how far it is."""
        arrival = self.arrival
        self._meter.update(now, self._network)
        disk = max(self.snapshot.disk, self.disk())
        verified = max(self.snapshot.verified, arrival.chaser.hashed if arrival.chaser else 0)
        left = None if arrival.total is None else max(0, arrival.total - disk)
        slow = why_slow(
            limited=self._limited,
            refusing=bool(self.lanes) and self.core.hosts.refusing(self.lanes[0].host, now),
            disk_share=self.core.flusher.busy_share(now),
            lane_rates=[lane.rate for lane in self.lanes if lane.rate],
            lanes_limit=self._cap,
        )
        self._limited = False
        rate, eta = self._meter.rate, self._meter.eta(left)
        self.snapshot = Snapshot(
            phase=self.phase, total=arrival.total, network=self._network, disk=disk, verified=verified, rate=rate,
            eta=eta, slow=slow, connections=len(self.lanes), resumed=arrival.resumed,
        )  # fmt: skip

    # -- the end --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """After a change: finish when all is there, else go on."""
        if self.over or self.phase not in _AT_WORK:
            return
        if not self.arrival.complete:
            self.core.pump.soon(self.step)
            return
        for lane in list(self.lanes):
            self.drop(lane)
        self.core.left_network(self)
        self.guard(self._verify)

    def _verify(self) -> None:
        arrival = self.arrival
        assert arrival.total is not None
        if not arrival.part:
            raise Unavailable("transfer_failed", f"{shown(arrival.url)}: the answer had no body.")
        if arrival.part.size != arrival.total:
            os.ftruncate(arrival.part.fd, arrival.total)
        arrival.start_chaser(self.hashed, self.unreadable)
        if arrival.chaser:
            self.phase = Phase.VERIFYING
            arrival.chaser.advance(arrival.total, arrival.total)
        else:
            self._finish()

    def hashed(self, chaser: Chaser, digest: Digest) -> None:
        """All bytes were hashed."""
        if chaser is self.arrival.chaser and not self.over:
            self.arrival.digest = digest
            self._finish()

    def unreadable(self, error: OSError) -> None:
        """The partial file cannot be read back."""
        self.fail(disk_error(error, self.arrival.path))

    def _finish(self) -> None:
        arrival = self.arrival
        self.phase = Phase.FINISHING
        self.observe(self.core.now())
        assert arrival.part
        assert arrival.target
        part, journal = arrival.part, arrival.journal
        arrival.part = arrival.journal = None

        def done(path: Path | None, digest: Digest | None, error: FerryError | None) -> None:
            self.core.pump.post(lambda: self._finished(path, digest, error))

        overwrite, expected = self.request.overwrite, arrival.expected
        self.core.finisher.put(
            Finish(part, journal, arrival.target, overwrite, expected, arrival.digest, done)
        )

    def _finished(self, path: Path | None, digest: Digest | None, error: FerryError | None) -> None:
        if error or path is None:
            self._end(None, error)
            return
        arrival, now = self.arrival, self.core.now()
        total = arrival.total or 0
        self.snapshot = Snapshot(
            phase=Phase.FINISHING, total=total, network=self._network, disk=total, verified=total if digest else 0,
            rate=self._meter.rate, eta=0.0, resumed=arrival.resumed,
        )  # fmt: skip
        result = Result(
            path=path, size=total, digests=(digest,) if digest else (), seconds=now - self._started,
            network=self._network, resumed=arrival.resumed, url=arrival.url, etag=arrival.etag, mime=arrival.mime,
            renamed=arrival.renamed or path != arrival.target,
        )  # fmt: skip
        self._end(result, None)

    def fail(self, error: BaseException, *, keep: bool = True) -> None:
        """End with an error; what can be resumed is kept. Too late once the file is being finished."""
        if not self.over and self.phase is not Phase.FINISHING:
            self._end(None, error, keep=keep)

    def _end(self, result: Result | None, error: BaseException | None, *, keep: bool = True) -> None:
        """Report, after the files are closed: whoever hears of the end may start the same transfer again."""
        if self.over:
            return
        for lane in list(self.lanes):
            self.drop(lane)
        if result is None:
            self.observe(self.core.now())  # what came since the last look counts, too
        self.over = True
        self.core.ended(self)
        resumable = keep and (self.ranged or self.arrival.complete)
        self.arrival.close(self.core.finisher, lambda: self._report(result, error), keep=resumable)

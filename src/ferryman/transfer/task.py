"""A transfer at work: carries out what `plan` and `judge` decide. Lives on the loop; nothing here is thread-safe."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Unavailable
from ferryman.transfer import plan
from ferryman.transfer.ask import bare, headers_for
from ferryman.transfer.carrier import Ask
from ferryman.transfer.disk import PartFile
from ferryman.transfer.failures import disk_error, shown
from ferryman.transfer.finish import Finish, free_name, target_exists
from ferryman.transfer.http import Head, host_key
from ferryman.transfer.journal import SAVE_EVERY, Journal, Record, boot_id
from ferryman.transfer.judge import Asked, Kind, Pins, Verdict, judge
from ferryman.transfer.lane import OPEN_END, Lane, Mirror
from ferryman.transfer.meter import Meter, why_slow
from ferryman.transfer.model import Overwrite, Phase, Request, Result, Snapshot
from ferryman.transfer.plan import LaneView, MiB, Ranges
from ferryman.transfer.rate import Bucket
from ferryman.transfer.verify import Chaser

if TYPE_CHECKING:
    from ferryman.transfer.engine import Core

_CHASE_FROM: Final = 4 * MiB
_SYNC_EVERY: Final = 5.0
_MOST_RESTARTS: Final = 6

Report = Callable[[Result | None, BaseException | None], None]


class Task:
    """State of one transfer. `report` is called once, on the loop, with the result or the error."""

    def __init__(
        self, core: "Core", request: Request, log: Callable[[str, str], None], report: Report
    ) -> None:
        """Only remember; `begin` starts."""
        self.core, self.request, self.log, self._report = core, request, log, report
        now = core.now()
        self.mirrors = [Mirror(url) for url in request.urls]
        self.lanes: list[Lane] = []
        self.base = Ranges()
        self.total = request.size
        self.part: PartFile | None = None
        self.journal: Journal | None = None
        self.target: Path | None = None if request.folder else request.target
        self.renamed = False
        self.phase = Phase.CONNECTING
        self.bucket = Bucket(request.options.rate_limit, now)
        self.meter = Meter(now)
        self.snapshot = Snapshot()
        self.over = False
        self.started = now
        self.resumed = 0
        self.network = 0
        self.pinned = False
        self.ranged = True
        self._etags: dict[str, str] = {}
        self._modified: dict[str, str] = {}
        self._writer = secrets.token_hex(8)
        self._boot = boot_id() if not core.boot else core.boot
        self._safe = Ranges()
        self._unsaved = 0
        self._last_sync = now
        self._syncing = False
        self._chaser: Chaser | None = None
        self._digest: Digest | None = None
        self._turn = 0
        self._fruitless = 0
        self._best_disk = 0
        self._hops = 0
        self._reresolved = 0
        self._restarts = 0
        self._not_before = 0.0
        self._cap = max(1, min(32, request.options.connections))
        self._limited = False
        self._etag: str | None = None
        self._mime: str | None = None
        self._url = request.urls[0]

    # -- start ----------------------------------------------------------------------------------------------------

    @property
    def big(self) -> bool:
        """Whether its pages are worth managing."""
        return self.total is None or self.total > 32 * MiB

    @property
    def starving(self) -> bool:
        """Wants a first connection now."""
        return not self.over and not self.lanes and self.core.now() >= self._not_before

    def begin(self) -> None:
        """Open the target when it is known, then ask."""
        try:
            if self.target is None or self._open(self.target):
                self.step()
        except FerryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, self.target or self.request.target))

    def _open(self, target: Path) -> bool:
        """Open partial file and journal; False when the transfer ended because the target is to be skipped."""
        overwrite = self.request.overwrite
        if target.is_dir():
            raise disk_error(IsADirectoryError(21, "is a folder"), target)
        if overwrite is not Overwrite.OVERWRITE and target.exists():
            if overwrite is Overwrite.ASK:
                raise target_exists(target)
            if overwrite is Overwrite.SKIP:
                self._finish_skipped(target)
                return False
            target, self.renamed = free_name(target), True
        self.target = target
        self.part = PartFile(target.with_name(target.name + ".part"))
        if self._journal_path(target).exists():
            self._load(target)
        elif self.part.size:
            os.ftruncate(self.part.fd, 0)
        if self.request.checksum:
            self.part.needed_from = 0
        return True

    def _load(self, target: Path) -> None:
        assert self.part
        self.journal = Journal(self._journal_path(target), self._writer)
        record = self.journal.found
        if record is None or not self._trusted(record):
            os.ftruncate(self.part.fd, 0)
            return
        self.base = record.usable(self._boot, self.part.size)
        self._safe = Ranges(self.base.spans())
        if not self.pinned:
            self.total = record.total
            self._etags, self._modified = dict(record.etags), dict(record.modified)
            self.pinned = bool(self.base.size())
        self.resumed = self._best_disk = self.base.size()
        if self.resumed:
            self.log("info", f"Going on with {self.resumed} bytes that are here already.")

    def _trusted(self, record: Record) -> bool:
        """Whether an earlier run's bytes may be kept: same size, and something says it is the same object."""
        if self.request.size is not None and record.total not in {None, self.request.size}:
            return False
        checksum = str(self.request.checksum) if self.request.checksum else None
        if checksum and record.checksum not in {None, checksum}:
            return False
        if self.pinned:  # a folder target: the answer came first
            return record.total == self.total and self._agrees(record)
        return bool(record.etags or record.modified or (checksum and checksum == record.checksum))

    def _agrees(self, record: Record) -> bool:
        hosts = (set(self._etags) | set(self._modified)) & (set(record.etags) | set(record.modified))
        if not hosts:
            return self.request.checksum is not None
        return all(
            record.etags.get(host) == self._etags.get(host)
            and record.modified.get(host) == self._modified.get(host)
            for host in hosts
        )

    @staticmethod
    def _journal_path(target: Path) -> Path:
        return target.with_name(target.name + ".ferry")

    # -- asking ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Open as many lanes as are wanted and allowed."""
        if self.over or self.phase in {Phase.VERIFYING, Phase.FINISHING} or self._complete():
            return
        now = self.core.now()
        while now >= self._not_before and len(self.lanes) < self._lanes_wanted():
            if self.lanes and self.core.others_starve(self):
                return
            if not self._start_lane(now):
                return

    def _lanes_wanted(self) -> int:
        if not self.pinned or not self.ranged or self.total is None:
            return 1
        started = sum(lane.answered_yes for lane in self.lanes)
        return plan.lanes_wanted(len(self.lanes), started, self._cap, self.total - self.disk())

    def _start_lane(self, now: float) -> bool:
        mirror = self.mirrors[self._turn % len(self.mirrors)]
        span = self._next_span()
        if span is None:
            return False
        host = host_key(mirror.url)
        if not self.core.hosts.acquire(host, now):
            self._turn += len(self.mirrors) > 1
            return False
        self._turn += 1
        pins = self._pins(host)
        redirected = mirror.url != mirror.origin
        asked = Asked(bare(mirror.url), span[0], span[1], self.ranged, redirected)
        lane = Lane(self, mirror, host, asked, now)
        self.lanes.append(lane)
        options = self.request.options
        headers = headers_for(mirror.url, mirror.origin, options, pins if self.ranged else None)
        trusted = host == host_key(mirror.origin)
        ask = Ask(
            asked.url, asked.start, asked.end, self.ranged, headers, options, self.request.allow, trusted
        )
        lane.exchange = self.core.carrier(ask).fetch(ask, lane)
        return True

    def _next_span(self) -> tuple[int, int | None] | None:
        if not self.ranged:
            return (0, None) if not self.lanes else None
        if not self.pinned or self.total is None:
            return (self.base.watermark(), None) if not self.lanes else None
        rate = max((lane.rate for lane in self.lanes), default=0.0)
        first_byte = min((lane.first_byte for lane in self.lanes if lane.answered_yes), default=0.0)
        chunk = plan.chunk_for(rate, first_byte) if self._cap > 1 else self.total
        take = plan.next_take(self.total, self._done(), self._views(), chunk)
        if take is None:
            return None
        if take.victim is not None:
            victim = self.lanes[take.victim]
            victim.end = take.start
            if victim.pos >= victim.end:
                self._drop_lane(victim)
        return take.start, take.end

    def _views(self) -> list[LaneView]:
        return [lane.view() for lane in self.lanes]

    def extend(self, lane: Lane) -> int:
        """A lane reached the end of its span while its answer goes on: give it what follows when nobody has it."""
        if self.total is None or lane.body_end <= lane.end:
            return lane.end - lane.pos
        limit = min(lane.body_end, lane.end + plan.CHUNK)
        held = self._held()
        for start, end in held.missing(self.total):
            if start == lane.end:
                lane.end = min(limit, end)
                break
        return lane.end - lane.pos

    def _held(self) -> Ranges:
        held = Ranges(self.base.spans())
        for lane in self.lanes:
            held.add(lane.start, lane.end)
        return held

    # -- answers --------------------------------------------------------------------------------------------------

    def _pins(self, host: str) -> Pins | None:
        if not self.pinned:
            return None
        return Pins(self.total, self._etags.get(host), self._modified.get(host))

    def answered(self, lane: Lane, head: Head) -> bool:
        """Judge an answer; True when its body is to be read."""
        verdict = judge(lane.asked, head, self._pins(lane.host), self.core.clock.now())
        try:
            return self._obey(lane, head, verdict)
        except FerryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, self.target or self.request.target))
        return False

    def _obey(self, lane: Lane, head: Head, verdict: Verdict) -> bool:
        match verdict.kind:
            case Kind.BODY | Kind.WHOLE:
                return self._take_body(lane, head, verdict)
            case Kind.CHANGED_WHOLE | Kind.CHANGED if not self._knows(lane.host) and len(self.mirrors) > 1:
                self._drop_mirror(
                    lane, Corrupt("mirror_differs", f"{shown(lane.asked.url)} has another file.")
                )
            case Kind.CHANGED_WHOLE:
                self._restart(lane)
                return self._take_body(lane, head, verdict)
            case Kind.CHANGED:
                self._restart(None)
            case Kind.REDIRECT:
                self._redirect(lane, verdict.location)
            case Kind.RESOLVE_AGAIN:
                self._resolve_again(lane, verdict)
            case Kind.UNRANGED:
                self.ranged = False
                self._restart(None) if self.disk() or verdict.error else self._drop_lane(lane)
            case Kind.COMPLETE:
                self.total = verdict.total
                self._drop_lane(lane)
            case Kind.REFUSED:
                self._refused(lane, verdict)
            case Kind.RETRY:
                self._drop_lane(lane)
                self._failed(verdict.error, verdict.retry_after)
            case Kind.FATAL:
                self._drop_mirror(lane, verdict.error)
        self._settle()
        return False

    def _knows(self, host: str) -> bool:
        return host in self._etags or host in self._modified or len(self.mirrors) == 1

    def _take_body(self, lane: Lane, head: Head, verdict: Verdict) -> bool:
        whole = verdict.kind is not Kind.BODY
        first = not self.pinned
        if whole and (lane.start > 0 or self.lanes != [lane]):
            self.log(
                "warning", f"{shown(lane.asked.url)} does not serve parts: starting again from the beginning."
            )
            self._restart(lane)
            first = True
        if first and self.request.size is not None and verdict.total not in {None, self.request.size}:
            raise Corrupt(
                "size_mismatch",
                f"{shown(lane.asked.url)} has {verdict.total} bytes, {self.request.size} were expected.",
                advice="Check the source.",
            )
        self._pin(lane, head, verdict)
        if whole:
            self.ranged = False
        if self.part is None and not self._open(self._named(head, lane)):
            return False
        if self.over:
            return False
        lane.answered_yes = True
        lane.body_end = verdict.end if verdict.end is not None else OPEN_END
        self._place(lane)
        self.phase = Phase.DOWNLOADING
        self._start_chaser()
        self.core.pump.soon(self.step)
        if lane.end <= lane.pos and self.total:
            self.lane_over(lane, None)
            return False
        return True

    def _place(self, lane: Lane) -> None:
        """Give an open-ended answer its span: a chunk when others may help, else all that nobody has."""
        if not self.ranged or self.total is None:
            lane.end = lane.body_end
            return
        if lane.asked.end is not None:
            lane.end = min(lane.end, lane.body_end)
            return
        lane.end = lane.start
        hole = next((h for h in self._without(lane).missing(self.total) if h[0] <= lane.start < h[1]), None)
        if hole:
            size = plan.CHUNK if self._cap > 1 else self.total
            lane.end = min(hole[1], lane.start + size, lane.body_end)

    def _without(self, lane: Lane) -> Ranges:
        held = Ranges(self.base.spans())
        for other in self.lanes:
            if other is not lane:
                held.add(other.start, other.end)
        return held

    def _pin(self, lane: Lane, head: Head, verdict: Verdict) -> None:
        if not self.pinned:
            self.total = verdict.total if verdict.total is not None else self.request.size
            self.pinned = True
            self._etag, self._mime, self._url = head.etag, head.headers.get("content-type"), lane.asked.url
        if head.etag:
            self._etags.setdefault(lane.host, head.etag)
        if modified := head.headers.get("last-modified"):
            self._modified.setdefault(lane.host, modified)
        self._etag, self._mime = self._etag or head.etag, self._mime or head.headers.get("content-type")

    def _named(self, head: Head, lane: Lane) -> Path:
        if self.request.name:
            name = self.request.name(head.headers, lane.asked.url)
        else:
            name = unquote(urlsplit(lane.mirror.origin).path.rpartition("/")[2])
        name = name.replace("/", "_").replace("\0", "_")
        return self.request.target / (name if name not in {"", ".", ".."} else "download")

    def _start_chaser(self) -> None:
        wanted = self.request.checksum
        if wanted and self._chaser is None and (self.total is None or self.total > _CHASE_FROM):
            part = self.part
            assert part
            part.needed_from = 0

            def behind(hashed: int) -> None:
                part.needed_from = hashed

            self._chaser = chaser = Chaser(
                part.fd,
                wanted.algorithm,
                lambda digest: self.core.pump.post(lambda: self._hashed(chaser, digest)),
                lambda error: self.core.pump.post(lambda: self.fail(disk_error(error, part.path))),
                behind=behind,
            )

    def _redirect(self, lane: Lane, location: str) -> None:
        self._hops += 1
        lane.mirror.url = location
        self._drop_lane(lane)
        if self._hops > self.core.limits.redirects * (1 + len(self.mirrors) + self._reresolved):
            error = Unavailable("redirect_loop", f"{shown(lane.mirror.origin)} redirects in circles.")
            self._drop_mirror(lane, error)

    def _resolve_again(self, lane: Lane, verdict: Verdict) -> None:
        lane.mirror.url = lane.mirror.origin
        self._drop_lane(lane)
        self._reresolved += 1
        if self._reresolved > 5 and self.disk() <= self._best_disk:
            self._drop_mirror(lane, verdict.error)
            return
        if self.disk() > self._best_disk:
            self._best_disk, self._reresolved = self.disk(), 1

    def _refused(self, lane: Lane, verdict: Verdict) -> None:
        now = self.core.now()
        wait = plan.backoff(self._fruitless + 1, self.core.limits.backoff, verdict.retry_after)
        limit = self.core.hosts.refused(lane.host, now, wait)
        self.log(
            "warning",
            f"{lane.host} refuses ({verdict.error}): at most {limit} connections, waiting {wait:.0f} s.",
        )
        lane.mirror.url = lane.mirror.origin
        self._drop_lane(lane)
        if not self.lanes:
            self._failed(verdict.error, verdict.retry_after)

    def _restart(self, keep: Lane | None) -> None:
        """The object changed, or parts are not served: nothing that is here may be mixed with what comes."""
        self._restarts += 1
        if self._restarts > _MOST_RESTARTS:
            raise Unavailable("source_changing", f"{shown(self.request.urls[0])} changes all the time.")
        if self._restarts >= 3:
            self.ranged = False
        if self.disk():
            self.log(
                "warning",
                "The file at the source is not the one we began with: starting again from the beginning.",
            )
        for lane in [lane for lane in self.lanes if lane is not keep]:
            self._drop_lane(lane, lost=True)
        if self._chaser:
            self._chaser.stop()
            self._chaser = None
        self.base, self._safe = Ranges(), Ranges()
        self._etags.clear()
        self._modified.clear()
        self.pinned, self.total, self.resumed = False, self.request.size, 0
        if keep:
            keep.start = keep.pos = 0
            keep.flush()
        if self.part:
            os.ftruncate(self.part.fd, 0)
            self._save()

    # -- ends of lanes --------------------------------------------------------------------------------------------

    def _drop_lane(self, lane: Lane, *, lost: bool = False) -> None:
        if lane not in self.lanes:
            return
        self.lanes.remove(lane)
        if not lost and lane.answered_yes:
            lane.flush()
            self.base.add(lane.start, lane.pos)
        if lane.exchange:
            lane.exchange.cancel()
        self.core.hosts.release(lane.host)
        self.core.pump.soon(self.core.feed)

    def lane_over(self, lane: Lane, error: FerryError | OSError | None) -> None:
        """An exchange ended."""
        if self.over or lane not in self.lanes:
            return
        answered = lane.answered_yes
        self._drop_lane(lane)
        if isinstance(error, OSError):
            self.fail(disk_error(error, self.part.path if self.part else self.request.target))
            return
        if error is None:
            if answered and self.total is None and not self.ranged:
                self.total = lane.pos
        elif isinstance(error, Unavailable):
            lane.mirror.url = lane.mirror.origin
            if not self.ranged:
                self._start_over(lane)
            self._failed(error, None, silent=not answered)
        else:
            self._drop_mirror(lane, error)
        self._settle()

    def _start_over(self, lane: Lane) -> None:
        """Without ranges an unfinished body is worth nothing: the next answer begins at 0 again."""
        if self.base.size() < (self.total or OPEN_END):
            self.base = Ranges()
            self.ranged = self._restarts < 3
            self.pinned = False
            if self._chaser:
                self._chaser.stop()
                self._chaser = None
            if self.part:
                os.ftruncate(self.part.fd, 0)
            lane.start = lane.pos = 0

    def _failed(self, error: FerryError | None, retry_after: float | None, *, silent: bool = False) -> None:
        """Count a failure and plan the next try; give up after too many that brought nothing."""
        now = self.core.now()
        error = error or Unavailable("transfer_failed", "The transfer failed.")
        if self.disk() > self._best_disk:
            self._best_disk, self._fruitless = self.disk(), 0
        if self.lanes and silent:
            self._cap = max(1, len(self.lanes))  # it bears fewer connections than we wanted
            return
        if now < self._not_before:
            return
        self._fruitless += 1
        if self._fruitless >= self.core.limits.fruitless and not self.lanes:
            if isinstance(error, Unavailable):
                error.retry_after = error.retry_after or retry_after
            self.fail(error)
            return
        wait = plan.backoff(self._fruitless, self.core.limits.backoff, retry_after)
        self._not_before = now + wait
        self.log("warning", f"{error} Trying again in {wait:.1f} s.")

    def _drop_mirror(self, lane: Lane, error: FerryError | None) -> None:
        error = error or Unavailable("transfer_failed", "The transfer failed.")
        self._drop_lane(lane)
        if len(self.mirrors) > 1:
            self.log("warning", f"Leaving out a mirror: {error}")
            self.mirrors = [mirror for mirror in self.mirrors if mirror is not lane.mirror]
        elif any(other.answered_yes for other in self.lanes):
            self._cap = max(1, len(self.lanes))
        else:
            self.fail(error)

    # -- progress -------------------------------------------------------------------------------------------------

    def allowance(self, want: int) -> int:
        """How many bytes may be read now under the global and the own rate limit."""
        now = self.core.now()
        allowed = min(self.core.bucket.allowance(now, want), self.bucket.allowance(now, want))
        if not allowed:
            self._limited = True
        return allowed

    def arrived(self, count: int) -> None:
        """Bytes were written by a lane."""
        self.core.bucket.spend(count)
        self.bucket.spend(count)
        self.network += count
        self._unsaved += count
        if self._chaser:
            self._chaser.advance(self._done().watermark())
        if self._unsaved >= SAVE_EVERY and self.ranged and (self.total is None or self.total > SAVE_EVERY):
            self._save_or_fail()

    def disk(self) -> int:
        """Bytes of the file that are written."""
        return self.base.size() + sum(lane.pos - lane.start for lane in self.lanes)

    def _done(self) -> Ranges:
        done = Ranges(self.base.spans())
        for lane in self.lanes:
            done.add(lane.start, lane.pos)
        return done

    def _save_or_fail(self) -> None:
        try:
            self._save()
        except FerryError as error:
            self.fail(error)
        except OSError as error:
            self.fail(disk_error(error, self.target or self.request.target))

    def _save(self) -> None:
        assert self.target
        if self.journal is None:
            self.journal = Journal(self._journal_path(self.target), self._writer)
        self._unsaved = 0
        checksum = str(self.request.checksum) if self.request.checksum else None
        done = tuple(self._done().spans())
        self.journal.save(
            Record(
                tuple(bare(url) for url in self.request.urls),
                self.total,
                self._etags,
                self._modified,
                done,
                tuple(self._safe.spans()),
                self._boot,
                self._writer,
                checksum,
            )  # fmt: skip
        )

    def _sync(self, now: float) -> None:
        """Flush to the disk now and then; what was written before the flush is then safe from a power cut."""
        if self._syncing or not self.journal or not self.part or now - self._last_sync < _SYNC_EVERY:
            return
        done = self._done()
        restarts = self._restarts
        self._syncing, self._last_sync = True, now

        def synced(error: OSError | None) -> None:
            self._syncing = False
            if not error and not self.over and restarts == self._restarts:
                self._safe = done
                self._save_or_fail()

        self.core.flusher.sync(self.part, lambda error: self.core.pump.post(lambda: synced(error)))

    def tick(self, now: float) -> None:
        """Time-outs, retries, speed. Called about ten times a second."""
        if self.over:
            return
        for lane in list(self.lanes):
            lane.tick(now)
            limit = self.request.options.stall_timeout
            if (
                lane in self.lanes
                and plan.is_stalled(now, lane.last_at, limit)
                and lane.exchange
                and lane.exchange.connected
            ):
                self.log("warning", f"A connection to {lane.host} stalled: replacing it.")
                lane.exchange.cancel()
                stalled = Unavailable(
                    "read_timeout", f"{shown(lane.asked.url)}: nothing arrived for {limit:.0f} s."
                )
                self.lane_over(lane, stalled)
        if self.over:
            return
        self._sync(now)
        self.observe(now)
        self.step()

    def observe(self, now: float) -> None:
        """Publish how far it is."""
        self.meter.update(now, self.network)
        disk = max(self.snapshot.disk, self.disk())
        verified = max(self.snapshot.verified, self._chaser.hashed if self._chaser else 0)
        left = None if self.total is None else max(0, self.total - disk)
        slow = why_slow(
            limited=self._limited,
            refusing=bool(self.lanes) and self.core.hosts.refusing(self.lanes[0].host, now),
            disk_share=0.0,
            lane_rates=[lane.rate for lane in self.lanes if lane.rate],
            lanes_limit=self._cap,
        )
        self._limited = False
        self.snapshot = Snapshot(
            self.phase, self.total, self.network, disk, verified, self.meter.rate, self.meter.eta(left), slow,
            len(self.lanes), self.resumed,
        )  # fmt: skip

    # -- the end --------------------------------------------------------------------------------------------------

    def _complete(self) -> bool:
        return self.pinned and self.total is not None and not self.base.missing(self.total)

    def _settle(self) -> None:
        """After a lane ended: finish when all is there, else go on."""
        if self.over or self.phase in {Phase.VERIFYING, Phase.FINISHING}:
            return
        if not self._complete():
            self.core.pump.soon(self.step)
            return
        for lane in list(self.lanes):
            self._drop_lane(lane)
        self.phase = Phase.VERIFYING if self._chaser else Phase.FINISHING
        self.core.left_network(self)
        if self._chaser:
            assert self.total is not None
            self._chaser.advance(self.total, self.total)
        else:
            self._finish()

    def _hashed(self, chaser: Chaser, digest: Digest) -> None:
        if chaser is self._chaser and not self.over:
            self._digest, self.phase = digest, Phase.FINISHING
            self._finish()

    def _finish(self) -> None:
        if self.part is None or self.target is None:
            self.fail(Unavailable("transfer_failed", "The answer had no body."))
            return
        assert self.total is not None
        try:
            if self.part.size != self.total:
                os.ftruncate(self.part.fd, self.total)
        except OSError as error:
            self.fail(disk_error(error, self.part.path))
            return
        self.observe(self.core.now())
        self.core.finisher.put(
            Finish(
                self.part,
                self.journal,
                self.target,
                self.request.overwrite,
                self.request.checksum,
                self._digest,
                lambda path, digest, error: self.core.pump.post(lambda: self._finished(path, digest, error)),
            )  # fmt: skip
        )

    def _finished(self, path: Path | None, digest: Digest | None, error: FerryError | None) -> None:
        self.part = self.journal = None
        if error or path is None:
            self._end(None, error)
            return
        total = self.total or 0
        self.snapshot = Snapshot(
            Phase.FINISHING,
            total,
            self.network,
            total,
            total if digest else 0,
            self.meter.rate,
            0.0,
            None,
            0,
            self.resumed,
        )
        self._end(
            Result(
                path,
                total,
                (digest,) if digest else (),
                self.core.now() - self.started,
                self.network,
                self.resumed,
                self._url,
                self._etag,
                self._mime,
                renamed=self.renamed or path != self.target,
            ),  # fmt: skip
            None,
        )

    def _finish_skipped(self, target: Path) -> None:
        size = target.stat().st_size
        self._cleanup(keep=True)
        self._end(Result(target, size, (), 0.0, self.network, 0, self.request.urls[0], skipped=True), None)

    def fail(self, error: BaseException, *, keep: bool = True) -> None:
        """End with an error; what can be resumed is kept."""
        if self.over or (self.phase is Phase.FINISHING and self.part is None):
            return
        self._cleanup(keep=keep)
        self._end(None, error)

    def _cleanup(self, *, keep: bool) -> None:
        for lane in list(self.lanes):
            self._drop_lane(lane)
        if self._chaser:
            self._chaser.stop()
            self._chaser = None
        part, journal = self.part, self.journal
        keep = keep and self.ranged and bool(self.base.size()) and part is not None
        if keep:
            try:
                self._save()
            except (FerryError, OSError):
                pass  # the record before this one still holds
            journal = self.journal
        self.part = self.journal = None

        def close() -> None:
            if part:
                part.close(remove=not keep)
            if journal:
                journal.close(remove=not keep)

        if part or journal:
            self.core.finisher.put(close)

    def _end(self, result: Result | None, error: BaseException | None) -> None:
        if not self.over:
            self.over = True
            self.core.ended(self)
            self._report(result, error)

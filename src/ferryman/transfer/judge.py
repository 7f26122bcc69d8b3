"""What an answer means for the span that was asked: the traps of HTTP downloads, decided in one place. Pure."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ferryman.core.errors import FerryError, Invalid, Unavailable
from ferryman.transfer.failures import shown, status_error
from ferryman.transfer.http import Head, redirect_target, retry_after


class Kind(Enum):
    """What to do with an answer."""

    BODY = auto()  # its body is the wanted bytes, from `start`
    WHOLE = auto()  # its body is the whole file from 0: ranges are not honoured
    CHANGED = auto()  # another object than before: throw away what is there; the body is not usable
    CHANGED_WHOLE = auto()  # the same, and the body is the new object from 0
    REDIRECT = auto()  # ask at `location`
    RESOLVE_AGAIN = auto()  # a redirected URL expired: ask the origin, without spending a try
    RETRY = auto()  # may work later
    REFUSED = auto()  # the host wants fewer connections or a pause
    COMPLETE = auto()  # 416 that says: the file ends exactly where we are
    UNRANGED = auto()  # ask again without Range
    FATAL = auto()  # will not get better here


@dataclass(frozen=True, slots=True)
class Pins:
    """What identifies the object: length, the entity tag this host gave, and Last-Modified."""

    total: int | None
    etag: str | None
    modified: str | None

    @property
    def validator(self) -> str | None:
        """What may stand in If-Range: a strong entity tag, else the date."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the judge needs it: `end` None is open; `redirected` when `url` came from a redirect."""

    url: str
    start: int
    end: int | None
    ranged: bool
    redirected: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision; `end` is where the body ends (None = not announced), `total` the length of the object."""

    kind: Kind
    total: int | None = None
    end: int | None = None
    location: str = ""
    error: FerryError | None = None
    retry_after: float | None = None


_REDIRECTS: Final = {301, 302, 303, 307, 308}


def judge(asked: Asked, head: Head, pins: Pins | None, now: float) -> Verdict:
    """Decide about an answer. `pins` is None while nothing is known about the object; `now` is UNIX seconds."""
    status = head.status
    if status in {200, 206}:
        return _partial(asked, head, pins) if status == 206 else _whole(asked, head, pins)
    if status in _REDIRECTS:
        return _redirect(asked, head)
    if status == 416:
        return _unsatisfiable(asked, head, pins)
    return _refusal(asked, head, now)


def _refusal(asked: Asked, head: Head, now: float) -> Verdict:
    status = head.status
    if asked.redirected and status in {400, 401, 403}:
        return Verdict(Kind.RESOLVE_AGAIN, error=status_error(status, asked.url))
    error = status_error(status, asked.url)
    if status in {429, 503}:
        return Verdict(
            Kind.REFUSED, error=error, retry_after=retry_after(head.headers.get("retry-after"), now)
        )
    if isinstance(error, Unavailable) and status != 501:
        return Verdict(Kind.RETRY, error=error, retry_after=retry_after(head.headers.get("retry-after"), now))
    return Verdict(Kind.FATAL, error=error)


def same_object(head: Head, total: int | None, pins: Pins) -> bool:
    """Whether an answer is about the pinned object, by everything both sides state."""
    if pins.total is not None and total is not None and pins.total != total:
        return False
    if pins.etag and head.etag != pins.etag:
        return False
    modified = head.headers.get("last-modified")
    return not (pins.modified and modified and modified != pins.modified and not pins.etag)


def _partial(asked: Asked, head: Head, pins: Pins | None) -> Verdict:
    found = head.content_range
    first, after, total = found or (None, None, None)
    if not asked.ranged or first is None or after is None:
        return _nonsense(asked, f"206 with Content-Range '{head.headers.get('content-range', '')[:60]}'")
    if pins and not same_object(head, total, pins):
        return Verdict(Kind.CHANGED)
    too_long = asked.end is not None and after > asked.end
    if first != asked.start or after <= first or too_long or (total is not None and after > total):
        return _nonsense(asked, f"bytes {first}-{after - 1} when bytes from {asked.start} were asked")
    if head.length is not None and head.length != after - first:
        return _nonsense(asked, f"Content-Length {head.length} for {after - first} bytes")
    if head.encoded:
        return Verdict(Kind.UNRANGED)
    return Verdict(Kind.BODY, total=total if total is not None else (pins.total if pins else None), end=after)


def _whole(asked: Asked, head: Head, pins: Pins | None) -> Verdict:
    total = None if head.encoded else head.length
    kind = Kind.WHOLE
    if pins and (asked.start > 0 or not same_object(head, total, pins)):
        kind = Kind.WHOLE if same_object(head, total, pins) else Kind.CHANGED_WHOLE
    return Verdict(kind, total=total, end=head.length)


def _redirect(asked: Asked, head: Head) -> Verdict:
    location = head.headers.get("location", "")
    try:
        return Verdict(Kind.REDIRECT, location=redirect_target(asked.url, location))
    except ValueError:
        error = Invalid(
            "redirect_invalid",
            f"{shown(asked.url)} redirects to '{shown(location)[:200]}', which is not an http(s) URL.",
            advice="Use the URL of the file itself.",
        )
        return Verdict(Kind.FATAL, error=error)


def _unsatisfiable(asked: Asked, head: Head, pins: Pins | None) -> Verdict:
    found = head.content_range
    total = found[2] if found else None
    if not asked.ranged:
        return Verdict(Kind.FATAL, error=status_error(416, asked.url))
    if asked.start == 0 or pins is None or total is None:
        return Verdict(Kind.UNRANGED)
    if total == asked.start and (pins.total in {None, total}) and (not head.etag or head.etag == pins.etag):
        return Verdict(Kind.COMPLETE, total=total)
    return Verdict(Kind.CHANGED)


def _nonsense(asked: Asked, what: str) -> Verdict:
    error = Unavailable(
        "range_wrong", f"{shown(asked.url)} answered {what}.", advice="Try with one connection."
    )
    return Verdict(Kind.UNRANGED if asked.ranged else Kind.RETRY, error=error)

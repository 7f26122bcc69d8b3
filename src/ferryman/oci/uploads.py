"""One blob on its way up: begun, sent in one or several requests, resumed where the registry says, or begun again.

distribution-spec, "Pushing blobs". Registries differ in what they keep of a request that broke off: they are asked.
"""

import contextlib
import re
from collections.abc import Callable
from typing import Final

from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.connection import Connection
from ferryman.oci.http import Body, Response
from ferryman.oci.manifest import Descriptor
from ferryman.oci.moving import Mover
from ferryman.oci.ports import BlobStream, ResumeUpload, UploadState
from ferryman.oci.repository import Repository, quoted
from ferryman.oci.session import Ask

WORTH_SAVING: Final = 8 * 1024 * 1024
"""Bytes from which it pays to remember an upload."""
_SMALLEST_CHUNK: Final = 1024 * 1024
_MOST_REFUSED: Final = 2
"""New tokens in a row that bring nothing further: more of them would not either."""
_RANGE: Final = re.compile(r"(?:bytes[= ])?0-(\d{1,18})")
_LOST: Final = frozenset({400, 404, 405, 410, 416})
_OCTETS: Final = {"Content-Type": "application/octet-stream"}


class Lost(Unavailable):
    """The registry does not know the upload any more, or not at this offset."""


class Upload:
    """Sends one blob to a repository. One thread; used once."""

    def __init__(
        self,
        place: Repository,
        scopes: tuple[str, ...],
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload,
        begun: str | None = None,
    ) -> None:
        """`begun` is the location of an upload that was begun a moment ago."""
        self._place, self._scopes, self._blob = place, scopes, blob
        self._source, self._resume = source, resume
        self._options = place.registry.options
        self._chunk = self._options.chunk
        self._location: str | None = begun
        self._offset = 0
        self._saved = False
        self._stream: BlobStream | None = None
        self._at = 0
        self._mover = Mover(tell)

    def run(self) -> None:
        """Send the blob. Raises `Corrupt`, `Unavailable` after several tries without progress, and what the source raises."""
        try:
            if self._resume.state:
                self._continue(self._resume.state)
            self._tries()
        except (Corrupt, NotFound, Invalid):
            self._give_up()
            raise
        finally:
            self._close_stream()
            self._mover.close()

    def _tries(self) -> None:
        fruitless, furthest, refused = 0, self._offset, 0
        while True:
            try:
                self._send()
            except Unavailable as error:
                self._close_stream()
                refused = refused + 1 if error.code == "auth_renewed" and self._offset <= furthest else 0
                if refused > _MOST_REFUSED:
                    raise self._refused() from error
                fruitless = 0 if self._offset > furthest else fruitless + 1
                furthest = max(furthest, self._offset)
                if fruitless > self._options.retries or (error.retry_after or 0) > 60:
                    raise
                if error.code not in {"auth_renewed", "chunk_too_large"}:
                    self._pause(fruitless, error.retry_after)
                if self._recover(error):
                    return
            else:
                return

    def _send(self) -> None:
        if self._location is None:
            self._begin()
        size = self._blob.size
        if self._offset or size > self._chunk:
            while self._offset < size:
                self._patch(min(self._chunk, size - self._offset))
            self._put(0)
        else:
            self._put(size)
        self._save(None)

    def _begin(self) -> None:
        self._offset = 0
        ask = self._ask("POST", f"{self._place.name}/blobs/uploads/")
        with self._place.registry.ask(ask) as answer:
            self._location = self._named(answer, None)
            least = answer.headers.get("oci-chunk-min-length", "")
        if least.isascii() and least.isdecimal():
            self._chunk = max(self._chunk, int(least[:12]))
        if self._blob.size >= WORTH_SAVING:
            self._save(UploadState(self._location, 0))

    def _patch(self, count: int) -> None:
        span = {"Content-Range": f"{self._offset}-{self._offset + count - 1}"}
        with self._asked("PATCH", self._location or "", count, span) as answer:
            self._location = self._named(answer, self._location)
            arrived = _arrived(answer.headers.get("range"), self._offset + count)
        if not self._offset <= arrived <= self._offset + count:
            raise Lost("upload_lost", f"{self._shown}: the registry is at {arrived:,}, which was not sent.")
        self._offset = arrived
        self._save(UploadState(self._location, self._offset))

    def _put(self, count: int) -> None:
        location = self._location or ""
        url = f"{location}{'&' if '?' in location else '?'}digest={quoted(str(self._blob.digest))}"
        with self._asked("PUT", url, count, {}) as answer:
            stored = answer.headers.get("docker-content-digest")
        if (
            stored
            and stored != str(self._blob.digest)
            and stored.startswith(f"{self._blob.digest.algorithm}:")
        ):
            raise Corrupt(
                "digest_refused",
                f"{self._shown}: the registry stored {stored[:140]} instead.",
                advice="The registry is at fault: push again, and tell who runs it.",
            )
        self._offset = self._blob.size

    def _asked(self, method: str, url: str, count: int, more: dict[str, str]) -> Response:
        """Send `count` bytes from the offset. Raises `Lost` when the registry does not know the upload any more."""
        ask = self._ask(method, url)
        ask.headers = {**_OCTETS, **more}
        ask.body = Body(count, lambda connection: self._bytes(connection, count))
        ask.expected = {404, 413, 416}
        answer = self._place.registry.ask(ask)
        if answer.status < 300:
            return answer
        answer.close()
        if answer.status == 413:
            raise self._too_large(count)
        raise Lost(
            "upload_lost", f"{self._shown}: the registry does not know the upload any more ({answer.status})."
        )

    def _bytes(self, connection: Connection, count: int) -> bool:
        if self._stream is None or self._at != self._offset:
            self._close_stream()
            self._stream = self._source(self._offset)
        whole = self._mover.move(self._stream, connection, count)
        self._at = self._offset + count if whole else -1
        return whole

    def _too_large(self, count: int) -> FerryError:
        if count <= _SMALLEST_CHUNK:
            return Invalid(
                "registry_too_small",
                f"{self._shown}: the registry, or a proxy before it, takes not even {count:,} bytes at once (413).",
                advice="Ask who runs it to raise the limit.",
            )
        self._chunk = max(_SMALLEST_CHUNK, count // 2)
        return Unavailable(
            "chunk_too_large", f"{self._shown}: the registry takes less than {count:,} bytes at once (413)."
        )

    def _refused(self) -> Denied:
        return Denied(
            "auth_required",
            f"{self._shown}: the registry refuses the token that was just given for it (401).",
            advice="Check the right to push there; if it is there, tell who runs the registry.",
        )

    def _recover(self, error: Unavailable) -> bool:
        """Find out where to go on after `error`; True when everything has arrived after all."""
        if self._location and not isinstance(error, Lost):
            self._continue(UploadState(self._location, self._offset))
        else:
            self._location = None
        if self._location is None:
            self._save(None)
            return self._place.has_blob(self._blob.digest)
        return False

    def _continue(self, state: UploadState) -> None:
        """Ask the registry how far an upload is; one that it does not know is begun again."""
        self._location, self._offset = None, 0
        ask = self._ask("GET", state.location)
        ask.expected = _LOST
        with self._place.registry.ask(ask) as answer:
            if answer.status >= 300:
                return
            arrived = _arrived(answer.headers.get("range"), state.offset)
            if arrived == 1 and state.offset == 0:
                arrived = 0  # `0-0` is also what some say when nothing has arrived
            if arrived <= self._blob.size:
                self._location, self._offset = self._named(answer, state.location), arrived

    def _give_up(self) -> None:
        """Tell the registry that nothing more comes."""
        self._save(None)
        if self._location:
            ask = self._ask("DELETE", self._location)
            ask.expected = _LOST
            with contextlib.suppress(FerryError):
                self._place.registry.ask(ask).close()

    def _named(self, answer: Response, known: str | None) -> str:
        location = answer.headers.get("location")
        if location:
            return self._place.registry.named(location, answer.url)
        if known:
            return known
        raise Unavailable("answer_invalid", f"{self._shown}: the registry does not say where to upload to.")

    def _save(self, state: UploadState | None) -> None:
        if state is not None or self._saved or self._resume.state:
            self._resume.save(state)
            self._saved = state is not None

    def _ask(self, method: str, path: str) -> Ask:
        return Ask(method, path, self._shown, self._scopes, timed=False)

    def _pause(self, number: int, wanted: float | None) -> None:
        backoff = self._options.backoff * 2 ** max(0, number - 1)
        self._options.sleep(max(min(20.0, backoff), wanted or 0.0))

    def _close_stream(self) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None

    @property
    def _shown(self) -> str:
        return self._place.what(self._blob.digest)


def _arrived(value: str | None, otherwise: int) -> int:
    """Return how many bytes `Range: 0-N` says have arrived."""
    found = _RANGE.fullmatch((value or "").strip())
    return int(found[1]) + 1 if found else otherwise

"""A blob on its way from a registry: what comes is compared with what was asked for, and what breaks off goes on."""

from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from ferryman.core.errors import Corrupt, Unavailable
from ferryman.oci.http import Response
from ferryman.oci.manifest import Descriptor
from ferryman.transfer.failures import shown

_SKIP: Final = 256 * 1024


class RegistryBlob:
    """A blob on its way from a registry. When the connection breaks, it goes on with a range where it was."""

    def __init__(
        self,
        reopen: Callable[[int], Response],
        blob: Descriptor,
        offset: int,
        retries: int,
        wait: Callable[[int], None],
    ) -> None:
        """Open at `offset`. `wait(n)` pauses before the n-th try without progress."""
        self.size: int | None = blob.size
        self.offset = offset
        self._reopen, self._blob, self._retries, self._wait = reopen, blob, retries, wait
        self._at = offset
        self._fruitless = 0
        self._response: Response | None = self._open() if offset < blob.size else None

    def readinto(self, view: memoryview, /) -> int:
        """Fill `view`; 0 at the end. Raises `Unavailable` when several tries brought nothing more."""
        left = self._blob.size - self._at
        while left and len(view):
            try:
                count = self._current().readinto(view[:left])
            except Unavailable as error:
                self._again(error)
                continue
            if count:
                self._went_on(count)
                return count
            self._again(_early(self._blob, left))
        return 0

    def fileno(self) -> int | None:
        """The socket when the rest comes straight from it; ask again after each read."""
        if self._response is None or self._at >= self._blob.size:
            return None
        return self._response.fileno()

    def moved(self, count: int, /) -> None:
        """Count bytes that left through `fileno`."""
        if self._response and count:
            self._response.moved(count)
            self._went_on(count)

    def _went_on(self, count: int) -> None:
        self._at += count
        self._fruitless = 0

    def interrupt(self) -> None:
        """End a read that waits, from another thread: the connection is lost for it."""
        response = self._response
        if response:
            response.interrupt()

    def close(self) -> None:
        """Give the connection back when the body was read. Repeatable."""
        if self._response:
            self._response.close()
            self._response = None

    def _current(self) -> Response:
        if self._response is None:
            self._response = self._open()
        return self._response

    def _again(self, error: Unavailable) -> None:
        self.close()
        self._fruitless += 1
        if self._fruitless >= self._retries:
            raise error
        self._wait(self._fruitless)

    def _open(self) -> Response:
        response = self._reopen(self._at)
        try:
            self._check(response)
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, response: Response) -> None:
        """Compare what comes with what was asked for. Raises `Corrupt` (`blob_size_wrong`), `Unavailable`."""
        size = self._blob.size
        if response.status == 206:
            span = response.head.content_range
            if span is None or span[0] != self._at or (span[2] is not None and span[2] != size):
                if span is not None and span[2] not in {None, size}:
                    raise _wrong_size(self._blob, response, span[2])
                raise Unavailable(
                    "range_wrong", f"{response.url.partition('?')[0]} sends another part than asked for."
                )
            return
        if response.head.encoded:
            raise Unavailable(
                "answer_invalid", f"{response.url.partition('?')[0]} compresses what must stay as it is."
            )
        if response.length not in {None, size}:
            raise _wrong_size(self._blob, response, response.length)
        left, view = self._at, memoryview(bytearray(min(_SKIP, self._at)))
        while left:  # the registry does not know ranges
            count = response.readinto(view[:left])
            if not count:
                raise _early(self._blob, left)
            left -= count

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _early(blob: Descriptor, left: int) -> Unavailable:
    return Unavailable("connection_lost", f"{blob.digest} ended {left:,} bytes too early.")


def _wrong_size(blob: Descriptor, response: Response, size: int | None) -> Corrupt:
    return Corrupt(
        "blob_size_wrong",
        f"{shown(response.url)} has {size or 0:,} bytes, but the manifest says {blob.size:,}.",
        advice="The registry is damaged or lies: push the image there again, or use another source.",
    )

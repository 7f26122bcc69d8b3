"""Asking a checksum file before the transfer it belongs to. Blocking parts are small; runs on the loop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError
from ferryman.transfer.ask import options_beside
from ferryman.transfer.checksums import names_for, parse_checksum_file
from ferryman.transfer.failures import shown
from ferryman.transfer.model import Overwrite, Request, Result

_MOST: Final = 4 * 1024 * 1024

Then = Callable[[Digest | None, BaseException | None], None]


class Prelude:
    """The request for the checksum file of another request, and what its end means."""

    def __init__(self, request: Request, then: Then) -> None:
        """Make a folder of its own for the file; `then` is called with the digest or the error."""
        import tempfile  # noqa: PLC0415 - few transfers have a checksum file, and it loads every compressor

        assert request.checksum_url
        self._request, self._url, self._then = request, request.checksum_url, then
        self._folder = Path(tempfile.mkdtemp(prefix="ferry-"))
        target = self._folder / "checksums"
        options = replace(
            options_beside(self._url, request.urls[0], request.options), connections=1, rate_limit=0
        )
        self.request = Request(
            (self._url,), target, options, overwrite=Overwrite.OVERWRITE, allow=request.allow, most=_MOST
        )

    def report(self, result: Result | None, error: BaseException | None) -> None:
        """Read the file when it arrived."""
        digest: Digest | None = None
        try:
            if result:
                text = result.path.read_text(encoding="utf-8", errors="replace")
                digest = parse_checksum_file(text, names_for(self._request.urls[0]), shown(self._url))
        except FerryError as reason:
            error = reason
        finally:
            import shutil  # noqa: PLC0415 - see above

            shutil.rmtree(self._folder, ignore_errors=True)
        self._then(digest, error)

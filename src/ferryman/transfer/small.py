"""Small texts that belong to a file, such as its checksum file or a Metalink: fetched whole, by the same engine."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.checksums import LARGEST_FILE, names_for, parse_checksum_file
from ferryman.transfer.model import AddressRule, Options, Overwrite, Request, Result
from ferryman.transfer.service import Engine, Transfer

_LOOK: Final = 0.05
_SECRET: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


def fetch_small(
    engine: Engine,
    url: str,
    *,
    options: Options,
    allow: AddressRule | None,
    beside: str = "",
    largest: int = LARGEST_FILE,
    wanted: Callable[[], bool] = lambda: True,
) -> bytes:
    """Fetch `url` and return its bytes. Blocks, so it is called in a thread of its own where others wait.

    The credentials in `options` are for the host of `beside` (the file it belongs to) and go nowhere else.
    Raises `Invalid` (`text_too_large`) beyond `largest` bytes, what the transfer raises, and its `Stopped` as soon as
    `wanted` says no. Leaves nothing on disk.
    """
    with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as folder:
        transfer = engine.submit(
            Request(
                (url,),
                Path(folder) / "text",
                options=_for_host(replace(options, connections=1), url, beside),
                overwrite=Overwrite.OVERWRITE,
                allow=allow,
            )
        )
        try:
            data = _wait(transfer, url, largest, wanted).path.read_bytes()
        finally:
            transfer.stop(keep=False)
    if len(data) > largest:
        raise _too_large(url, largest)
    return data


def without_secrets(options: Options) -> Options:
    """Return `options` without what signs in: for hosts it is not meant for."""
    headers = tuple(pair for pair in options.headers if pair[0].lower() not in _SECRET)
    return replace(options, headers=headers, username=None, password=None, bearer=None)


def _wait(transfer: Transfer, url: str, largest: int, wanted: Callable[[], bool]) -> Result:
    while True:
        try:
            return transfer.wait(_LOOK)
        except TimeoutError:
            now = transfer.snapshot()
            if max(now.disk, now.total or 0) > largest:
                raise _too_large(url, largest) from None
            if not wanted():
                transfer.stop(keep=False)


def _for_host(options: Options, url: str, beside: str) -> Options:
    one, two = urlsplit(url), urlsplit(beside)
    if not beside or (one.scheme, one.netloc) == (two.scheme, two.netloc):
        return options
    return without_secrets(options)


def checksum_at(text: bytes, checksum_url: str, url: str) -> Digest:
    """Return the digest that the checksum file at `checksum_url` gives for what `url` fetches. Raises `Invalid`."""
    return parse_checksum_file(text.decode("utf-8", "replace"), names_for(url), checksum_url)


def _too_large(url: str, largest: int) -> Invalid:
    return Invalid(
        "text_too_large",
        f"{url.partition('?')[0]} has more than {largest} bytes.",
        advice="Check the address: this is no checksum file or list.",
    )

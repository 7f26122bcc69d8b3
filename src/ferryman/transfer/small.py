"""Small texts that belong to a file, such as its checksum file or a Metalink: fetched whole, by the same engine."""

from dataclasses import replace
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.transfer.ask import options_beside
from ferryman.transfer.checksums import LARGEST_FILE, names_for, parse_checksum_file
from ferryman.transfer.model import AddressRule, Options, Overwrite, Request
from ferryman.transfer.service import Engine


def small_request(
    url: str,
    folder: Path,
    *,
    options: Options,
    beside: str,
    allow: AddressRule | None,
    most: int = LARGEST_FILE,
) -> Request:
    """Return the request for the text at `url`, at most `most` bytes, into `folder`.

    The credentials in `options` are for the host of `beside` (the file it belongs to) and go nowhere else.
    """
    return Request(
        (url,),
        folder / "text",
        options=replace(options_beside(url, beside, options), connections=1, rate_limit=0),
        overwrite=Overwrite.OVERWRITE,
        allow=allow,
        most=most,
    )


def fetch_small(
    engine: Engine, url: str, *, options: Options, beside: str, allow: AddressRule | None
) -> bytes:
    """Fetch the text at `url` and return its bytes; blocks. Raises what the transfer raises; leaves nothing on disk."""
    import tempfile  # noqa: PLC0415 - few transfers have such texts, and it loads every compressor

    with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as name:
        request = small_request(url, Path(name), options=options, beside=beside, allow=allow)
        transfer = engine.submit(request)
        try:
            return transfer.wait().path.read_bytes()
        finally:
            transfer.stop(keep=False)


def checksum_at(text: bytes, checksum_url: str, url: str) -> Digest:
    """Return the digest that the checksum file at `checksum_url` gives for what `url` fetches. Raises `Invalid`."""
    return parse_checksum_file(text.decode("utf-8", "replace"), names_for(url), checksum_url)

"""Digests that come with a file: checksum files, and the headers of an answer. Pure; everything read is hostile."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from ferryman.core.digests import HEX_LENGTHS, Digest
from ferryman.core.errors import Corrupt, Invalid

LARGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes of a checksum file that are worth reading."""

STRENGTH: Final = ("sha512", "blake2b", "sha256", "sha1", "md5")
"""Which digest is taken when several are offered."""

_BY_LENGTH: Final = {length: name for name, length in HEX_LENGTHS.items() if name != "blake2b"}
_TAGGED: Final = re.compile(r"\\?([A-Za-z0-9-]{3,12}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_GNU: Final = re.compile(r"(\\?)(?:([A-Za-z0-9-]{3,12}):)?([0-9A-Fa-f]{32,128})(?:[ \t]+\*?(.+))?")
_HTTP_NAMES: Final = {
    "sha": "sha1", "sha-1": "sha1", "sha-256": "sha256", "sha256": "sha256",
    "sha-512": "sha512", "sha512": "sha512", "md5": "md5",
}  # fmt: skip
_HEX_HEADERS: Final = {f"x-checksum-{name}": name for name in ("sha512", "sha256", "sha1", "md5")}
_BASE64_HEADERS: Final = {
    "x-amz-checksum-sha512": "sha512", "x-amz-checksum-sha256": "sha256", "x-amz-checksum-sha1": "sha1",
}  # fmt: skip


def parse_checksum_file(text: str, name: str, origin: str = "") -> Digest:
    """Find the digest of file `name` in a checksum file read from `origin` (a URL or path, for hints and messages).

    Reads the forms of `sha256sum`, `sha256sum --tag`, OpenSSL and a bare digest, also inside a clear-signed message.
    Of several digests of the file the strongest wins. Raises `Invalid` (`checksum_missing`).
    """
    entries = list(_entries(text, _hint(origin)))
    wanted = _last(name)
    matching = [digest for digest, entry in entries if entry is not None and _last(entry) == wanted]
    if not matching and len(entries) == 1 and entries[0][1] is None:
        matching = [entries[0][0]]
    if not matching:
        where = f" in {origin}" if origin else ""
        raise Invalid(
            "checksum_missing",
            f"There is no checksum of '{wanted}'{where} (it has {len(entries)} entries).",
            advice="Check the address of the checksum file, or give the checksum itself as ALGO:HEX.",
        )
    best = strongest(matching)
    assert best is not None
    if any(other != best for other in matching if other.algorithm == best.algorithm):
        raise Invalid(
            "checksum_ambiguous",
            f"The checksum file has different {best.algorithm} checksums of '{wanted}'.",
            advice="Give the right checksum itself as ALGO:HEX.",
        )
    return best


def names_for(url: str) -> str:
    """Return the file name under which a checksum file lists what `url` fetches."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def digest_from_headers(headers: Mapping[str, str], *, partial: bool = False) -> Digest | None:
    """Return the strongest digest of the whole file that an answer promises; None when there is none.

    `headers` has names in lower case. A `partial` answer (206) says nothing about the whole in Content-Digest and
    Content-MD5; nothing is believed when the body is encoded, because the digest is of the encoded bytes then.
    """
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        return None
    return strongest(_offers(headers, partial=partial))


def strongest(digests: Iterable[Digest]) -> Digest | None:
    """Return the digest of the strongest algorithm, the first of equals."""
    return min(digests, key=lambda digest: STRENGTH.index(digest.algorithm), default=None)


def mismatch(expected: Digest, found: Digest, name: str) -> Corrupt:
    """Build the error for a file that is not what was promised."""
    return Corrupt(
        "checksum_mismatch",
        f"'{name}' has {found} but {expected} was expected.",
        advice="The data is kept aside with the ending .corrupt; check the checksum or use another source.",
    )


def _offers(headers: Mapping[str, str], *, partial: bool) -> Iterator[Digest]:
    yield from _structured(headers.get("repr-digest", ""))
    yield from _legacy(headers.get("digest", ""))
    yield from _legacy(headers.get("x-goog-hash", ""))
    if not partial:
        yield from _structured(headers.get("content-digest", ""))
        yield from _base64("md5", headers.get("content-md5", ""))
    for name, algorithm in _BASE64_HEADERS.items():
        yield from _base64(algorithm, headers.get(name, ""))
    for name, algorithm in _HEX_HEADERS.items():
        yield from _checked(algorithm, headers.get(name, ""))
    kind, _, value = headers.get("docker-content-digest", "").partition(":")
    yield from _checked(kind, value)


def _structured(value: str) -> Iterator[Digest]:
    """Read RFC 9530: `sha-256=:base64:, sha-512=:base64:`."""
    for key, encoded in re.findall(r"([a-zA-Z0-9-]+)=:([A-Za-z0-9+/=]*):", value):
        yield from _base64(_HTTP_NAMES.get(key.lower(), ""), encoded)


def _legacy(value: str) -> Iterator[Digest]:
    """Read RFC 3230 and its kin: `SHA-256=base64, MD5=base64`."""
    for part in value.split(","):
        key, _, encoded = part.strip().partition("=")
        yield from _base64(_HTTP_NAMES.get(key.lower(), ""), encoded)


def _base64(algorithm: str, encoded: str) -> Iterator[Digest]:
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):  # also `…-3`: a checksum of checksums of parts
        return
    yield from _checked(algorithm, raw.hex())


def _checked(algorithm: str, text: str) -> Iterator[Digest]:
    if not algorithm or not text:
        return
    try:
        yield Digest.parse(f"{algorithm}:{text}")
    except Invalid:
        return


def _entries(text: str, hint: str | None) -> Iterator[tuple[Digest, str | None]]:
    for line in text.lstrip("\ufeff").splitlines():
        stripped = line.rstrip()
        if found := _TAGGED.fullmatch(stripped):
            for digest in _checked(_tag(found[1]), found[3]):
                yield digest, _unescape(found[2], escaped=stripped.startswith("\\"))
        elif found := _GNU.fullmatch(stripped):
            name = found[4]
            algorithm = _tag(found[2]) if found[2] else _by_length(len(found[3]), hint)
            for digest in _checked(algorithm, found[3]):
                yield digest, None if name is None else _unescape(name, escaped=bool(found[1]))


def _tag(name: str) -> str:
    lower = name.lower().replace("-", "")
    return "blake2b" if lower in {"blake2b512", "blake2b", "b2"} else lower


def _by_length(length: int, hint: str | None) -> str:
    """SHA-512 and BLAKE2b digests are equally long: the name of the checksum file decides."""
    return hint if hint and HEX_LENGTHS[hint] == length else _BY_LENGTH.get(length, "")


def _hint(origin: str) -> str | None:
    return "blake2b" if re.search(r"b2sum|blake2b|\.b2\b", _last(origin).lower()) else None


def _unescape(name: str, *, escaped: bool) -> str:
    if not escaped:
        return name
    return re.sub(r"\\([\\nr])", lambda found: {"\\": "\\", "n": "\n", "r": "\r"}[found[1]], name)


def _last(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]

"""Named digests: `sha256:…` as values that are checked before anything is built from them."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Protocol

from ferryman.core.errors import Invalid

HEX_LENGTHS: Final = {"sha256": 64, "sha512": 128, "sha1": 40, "md5": 32, "blake2b": 128}
"""Supported algorithms and how many hexadecimal digits each digest has."""


class Hasher(Protocol):
    """What `hashlib` objects offer and we use."""

    def update(self, data: "bytes | bytearray | memoryview", /) -> None:
        """Add bytes; releases the interpreter lock for large ones."""
        ...

    def hexdigest(self) -> str:
        """Lower-case digest of all bytes so far."""
        ...


@dataclass(frozen=True, slots=True)
class Digest:
    """A checked digest: a known algorithm and the right number of lower-case hex digits."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read `ALGO:HEX` (also `sha-256:…` and upper case). Raises `Invalid`."""
        algorithm, _, value = text.strip().partition(":")
        algorithm = algorithm.lower().replace("-", "")
        value = value.strip().lower()
        expected = HEX_LENGTHS.get(algorithm)
        if expected is None:
            known = ", ".join(HEX_LENGTHS)
            raise Invalid(
                "checksum_invalid",
                f"Unknown checksum algorithm in '{text[:80]}'.",
                advice=f"Write ALGO:HEX with one of {known}.",
            )
        if len(value) != expected or not all(c in "0123456789abcdef" for c in value):
            raise Invalid(
                "checksum_invalid",
                f"'{text[:160]}' is not a {algorithm} checksum.",
                advice=f"{algorithm} has {expected} hexadecimal digits; {len(value)} characters were given.",
            )
        return cls(algorithm, value)

    def matches(self, other: str) -> bool:
        """Compare with a hex digest in constant time."""
        return hmac.compare_digest(self.hex, other.lower())

    def __str__(self) -> str:
        """Render `algorithm:hex`."""
        return f"{self.algorithm}:{self.hex}"


def new_hasher(algorithm: str) -> Hasher:
    """Return a fresh hasher for a supported algorithm. Raises `KeyError` for others."""
    if algorithm not in HEX_LENGTHS:
        raise KeyError(algorithm)
    return hashlib.new(algorithm, usedforsecurity=False)

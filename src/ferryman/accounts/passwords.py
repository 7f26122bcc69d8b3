"""Password hashes with Argon2id (RFC 9106) and the random secrets of sessions and tokens."""

import asyncio
import hashlib
import hmac
import secrets
import string
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from ferryman.core.errors import Corrupt

TOKEN_PREFIX: Final = "ferry_"  # noqa: S105 - the public beginning of every token
_ALPHABET: Final = string.digits + string.ascii_letters
_READABLE: Final = "abcdefghjkmnpqrstuvwxyz23456789"


class Passwords:
    """Hashes and verifies passwords in threads, few at a time, because each takes tens of MiB and one core.

    Belongs to one event loop.
    """

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        """Use `hasher` (default: Argon2id with the library's current parameters), at most `at_once` together."""
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(at_once)
        self._stand_in: str | None = None

    async def hash(self, password: str) -> str:
        """Return the encoded hash, with its salt and parameters."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(self, encoded: str | None, password: str) -> bool:
        """Tell whether `password` is the one behind `encoded`.

        None for `encoded` means there is no such user: takes as long as for one who exists, and is False.
        Raises `Corrupt` (`password_hash_damaged`) when the stored hash cannot be read.
        """
        if self._stand_in is None:  # made at the first check of anybody, so that it tells nothing
            self._stand_in = await self.hash(secrets.token_hex(16))
        checked = self._stand_in if encoded is None else encoded
        async with self._turns:
            right = await asyncio.to_thread(self._matches, checked, password)
        return right and encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Tell whether `encoded` was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(encoded)

    def _matches(self, encoded: str, password: str) -> bool:
        try:
            return self._hasher.verify(encoded, _bytes(password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as error:
            raise Corrupt(
                "password_hash_damaged",
                "The stored password hash cannot be read.",
                advice="Set a new password with 'ferry users password NAME'.",
            ) from error


def new_password() -> str:
    """Return a random password of 100 bits that is easy to type: five groups of four."""
    letters = "".join(secrets.choice(_READABLE) for _ in range(20))
    return "-".join(letters[at : at + 4] for at in range(0, 20, 4))


def new_token() -> str:
    """Return a new API token: `ferry_` and 256 random bits in base 62."""
    value = int.from_bytes(secrets.token_bytes(32), "big")
    digits: list[str] = []
    while len(digits) < 43:
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return TOKEN_PREFIX + "".join(digits)


def new_session_secret() -> str:
    """Return a new session secret: 256 random bits, safe in a cookie."""
    return secrets.token_urlsafe(32)


def fingerprint(secret: str) -> str:
    """Return what is stored of a token or session secret: its SHA-256. The secrets are random, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_of(secret: str) -> str:
    """Derive the CSRF token of a session from its secret (HMAC-SHA256): nothing more to store, nothing to leak."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"ferryman csrf", hashlib.sha256).hexdigest()


def _bytes(password: str) -> bytes:
    """Return what is hashed: one form for what looks the same however it was typed (NIST SP 800-63B, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")

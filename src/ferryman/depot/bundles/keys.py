"""The key pair of this site, and the keys of others that are trusted. Files below the folder of keys of the home.

Ed25519 (RFC 8032). `bundle.key` holds the private key; `trusted/NAME` one public key each, as `ferry-ed25519 BASE64`.
"""

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ferryman.core.errors import Corrupt, Invalid, NotFound
from ferryman.depot.bundles import errors

KIND: Final = "ferry-ed25519"
OWN: Final = "this site"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """32 bytes that tell whose signature it is; `name` is what it is called here, empty when nobody knows it."""

    raw: bytes
    name: str = ""

    @property
    def id(self) -> str:
        """The first 32 hex digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:32]

    def __str__(self) -> str:
        """Render `ferry-ed25519 BASE64`."""
        return f"{KIND} {base64.b64encode(self.raw).decode()}"

    @classmethod
    def parse(cls, text: str, name: str = "") -> "PublicKey":
        """Read what `str` renders. Raises `Invalid` (`key_invalid`)."""
        words = text.split()
        try:
            raw = base64.b64decode(words[1], validate=True) if len(words) == 2 and words[0] == KIND else b""
        except binascii.Error:
            raw = b""
        if len(raw) != 32:
            raise Invalid(
                "key_invalid",
                f"'{text.strip()[:100]}' is no public key.",
                advice=f"Write what 'ferry bundle key' prints at the other site: {KIND} BASE64; or a file with it.",
                fields={"key": "is no public key"},
            )
        return cls(raw, name)


class Keys:
    """Keys in a folder. Thread-safe; several processes may use it."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made when a key is written."""
        self._folder = folder

    def own(self) -> PublicKey:
        """Return the public key of this site; the pair is made when there is none."""
        return PublicKey(self._private().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), OWN)

    def trusted(self) -> list[PublicKey]:
        """Return the keys of others, by name."""
        place = self._folder / "trusted"
        files = sorted(place.iterdir()) if place.is_dir() else []
        return [PublicKey.parse(file.read_text(), file.name) for file in files if _NAME.fullmatch(file.name)]

    def trust(self, name: str, text: str) -> PublicKey:
        """Trust the key in `text` under `name`, instead of another of that name. Raises `Invalid`."""
        self._check(name)
        key = PublicKey.parse(text, name)
        place = self._folder / "trusted"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place / name, f"{key}\n".encode(), replace=True)
        return key

    def untrust(self, name: str) -> None:
        """Trust a key no more. Raises `NotFound` (`key_unknown`)."""
        self._check(name)
        try:
            (self._folder / "trusted" / name).unlink()
        except FileNotFoundError as error:
            raise NotFound(
                "key_unknown",
                f"No key is trusted as '{name}'.",
                advice="See 'ferry bundle trusted' for those that are.",
            ) from error

    def sign(self, context: str, content: bytes) -> bytes:
        """Return the document that says who signed `content`, for what it is (`context`)."""
        signature = self._private().sign(_signed(context, content))
        document = {"key": str(self.own()), "signature": base64.b64encode(signature).decode()}
        return json.dumps(document, sort_keys=True).encode()

    def check(self, context: str, content: bytes, seal: bytes, place: str) -> PublicKey:
        """Return whose signature `seal` is, with the name of the key when it is trusted. Raises `Corrupt`, `Invalid`."""
        try:
            document = json.loads(seal)
            claimed = PublicKey.parse(str(document["key"]))
            signature = base64.b64decode(document["signature"], validate=True)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise errors.invalid(place, "has no signature that can be read") from error
        try:
            Ed25519PublicKey.from_public_bytes(claimed.raw).verify(signature, _signed(context, content))
        except (InvalidSignature, ValueError) as error:
            raise errors.tampered(place) from error
        return next((key for key in [*self.trusted(), self.own()] if key.raw == claimed.raw), claimed)

    def demand(self, context: str, content: bytes, seal: bytes, place: str) -> PublicKey:
        """Do as `check`, and raise `Denied` (`key_untrusted`) when nobody here trusts that key."""
        key = self.check(context, content, seal, place)
        if not key.name:
            raise errors.unknown_key(place, key.id, str(key))
        return key

    def _private(self) -> Ed25519PrivateKey:
        path = self._folder / "bundle.key"
        if not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            made = Ed25519PrivateKey.generate()
            raw = made.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            _write(path, base64.b64encode(raw) + b"\n", replace=False)
        try:
            return Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes()))
        except ValueError as error:
            raise Corrupt(
                "key_damaged",
                f"{path} holds no private key.",
                advice="Bring it back from a backup; or remove it: a new one is made, which other sites must trust anew.",
            ) from error

    @staticmethod
    def _check(name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Invalid(
                "key_name_invalid",
                f"'{name[:80]}' cannot name a key.",
                advice="Write up to 64 letters, digits, dots, dashes and underscores.",
            )


def _signed(context: str, content: bytes) -> bytes:
    return f"ferryman {context}\n".encode() + hashlib.sha512(content).digest()


def _write(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file whole or not at all; without `replace`, one that is there by now stays."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            fresh.replace(path)
        elif not path.exists():
            try:
                os.link(fresh, path)
            except FileExistsError:
                return
    finally:
        fresh.unlink(missing_ok=True)

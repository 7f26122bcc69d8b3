"""Secrets at rest: sealed with a key of this home; and masked wherever text is logged or shown."""

import base64
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from ferryman.core.durable import sync_folder
from ferryman.core.errors import Corrupt, Denied

_VERSION: Final = "v1:"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_HIDDEN: Final = "***"


class SecretBox:
    """Seals strings with AES-256-GCM (NIST SP 800-38D) under the key in a file only its owner may read.

    Thread-safe. Several processes may open the same box at once, also when the key does not exist yet.
    """

    def __init__(self, key_file: Path) -> None:
        """Read the key, making it when there is none.

        Raises `Denied` (`secret_key_exposed`, `secret_key_unreadable`) and `Corrupt` (`secret_key_damaged`).
        """
        # Masking must not cost one-shot commands the import of the cryptography library.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - see above

        self._file = key_file
        self._cipher = AESGCM(_load_key(key_file))

    def seal(self, text: str, context: str = "") -> str:
        """Return `text` sealed; only `open` with the same key and `context` gives it back.

        `context` names the place it belongs to, such as `profile:42`, so that it is of no use elsewhere.
        Sealing the same text twice gives different results.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), _bound(context))
        return _encoded(nonce + sealed)

    def open(self, sealed: str, context: str = "") -> str:
        """Return the text inside. Raises `Corrupt`: `secret_version` for a form not known here, else `secret_sealed`."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see the constructor

        if not sealed.startswith(_VERSION):
            raise Corrupt(
                "secret_version",
                "A stored secret has a form this version cannot read.",
                advice="Enter the secret again, or start the version of Ferryman that stored it.",
            )
        try:
            raw = _decoded(sealed)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(context)).decode()
        except (ValueError, InvalidTag) as error:
            raise Corrupt(
                "secret_sealed",
                f"A stored secret cannot be opened with the key {self._file}.",
                advice="Restore the key that belongs to this database from a backup, or enter the secret again.",
            ) from error


def mask(text: str) -> str:
    """Return `text` with everything recognised as a secret replaced by `***`. Takes linear time; masking twice is the same.

    Recognised are: headers that carry credentials, passwords in URLs, query and form parameters and JSON members with
    a telling name, `Bearer` and `Basic` credentials, and tokens known by their prefix (Ferryman, GitHub, GitLab,
    Hugging Face, AWS).
    """
    for pattern, shown in _MASKS:
        text = pattern.sub(shown, text)
    return text


_NAMES = (
    r"(?:[\w-]{0,40}(?:password|passwd|passphrase|secret|token|apikey|api[_-]key|credential|signature)s?"
    r"|sig|pwd|auth|x-amz-credential|awsaccesskeyid)"
)
_MASKS: Final = (
    # Authorization keeps its scheme: which kind of credentials was sent helps, the credentials do not.
    (
        re.compile(
            r"(?i)\b((?:proxy-)?authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)"
            r"((?:bearer|basic|digest|negotiate|token)\s{1,4})?[^\"'\r\n]+"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (
        re.compile(
            r"(?i)\b((?:set-)?cookie2?|x-(?:api-key|auth-token|csrf-token)|private-token|job-token)"
            r"([\"']?\s{0,4}:\s{0,4}[\"']?)[^\"'\r\n]+"
        ),
        rf"\1\2{_HIDDEN}",
    ),
    (
        re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20}://[^\s/?#:@\"'<>]{0,256}):[^\s/?#\"'<>]{0,1024}@"),
        rf"\1:{_HIDDEN}@",
    ),
    (
        re.compile(rf"(?i)([\"']?\b{_NAMES}[\"']?\s{{0,4}}[=:]\s{{0,4}}[\"'])(?:[^\"'\\\r\n]|\\.)+"),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(rf"(?i)(\b{_NAMES}=)[^\s&;,\"'<>]+"), rf"\1{_HIDDEN}"),
    # Credentials are never only lower-case letters; words of a sentence are.
    (
        re.compile(r"\b((?i:bearer|basic)\s{1,4})(?=[a-z.~]{0,500}[A-Z0-9_+/=-])[A-Za-z0-9._~+/=-]{8,}"),
        rf"\1{_HIDDEN}",
    ),
    (re.compile(r"\b(ferry_|gh[pousr]_|github_pat_|glpat-|hf_|AKIA)[0-9A-Za-z_-]{12,}"), rf"\1{_HIDDEN}"),
)


def _encoded(raw: bytes) -> str:
    return _VERSION + base64.urlsafe_b64encode(raw).decode()


def _decoded(sealed: str) -> bytes:
    """Undo `_encoded`. Raises `ValueError`, also for other spellings of the same bytes, which base64 has."""
    raw = base64.b64decode(sealed[len(_VERSION) :], altchars=b"-_", validate=True)
    if _encoded(raw) != sealed:
        raise ValueError(sealed[:4])
    return raw


def _bound(context: str) -> bytes:
    return f"ferryman {_VERSION}{context}".encode()


def _load_key(file: Path) -> bytes:
    try:
        if not file.exists():
            _make_key(file)
        mode = stat.S_IMODE(file.stat().st_mode)
        key = file.read_bytes()
    except OSError as error:
        raise Denied(
            "secret_key_unreadable",
            f"The key {file} cannot be read or made: {error.strerror}.",
            advice="Let the user who runs Ferryman own its home folder.",
        ) from error
    if mode & 0o077:
        raise Denied(
            "secret_key_exposed",
            f"The key {file} may be read by others (mode {mode:04o}).",
            advice=f"Run: chmod 600 {file}",
        )
    if len(key) != _KEY_BYTES:
        raise Corrupt(
            "secret_key_damaged",
            f"The key {file} has {len(key)} bytes instead of {_KEY_BYTES}.",
            advice="Restore it from a backup. If there is none, delete it and enter all stored secrets again.",
        )
    return key


def _make_key(file: Path) -> None:
    """Write a new key so that no moment shows a part of it, and the first of several makers wins."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            os.write(handle, secrets.token_bytes(_KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, file)  # unlike rename, never replaces a key that was made meanwhile
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)

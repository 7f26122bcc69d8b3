"""From what a registry answers to our errors (distribution-spec, "Error Codes"). Pure; hostile."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)
from ferryman.transfer.failures import UNREACHED

MOST_ERROR: Final = 64 * 1024
"""Bytes of an error's body that are read."""
_FULL: Final = re.compile(
    rb'"Err":\s*(?:28|122)\b|no space left on device|disk quota exceeded|insufficient storage', re.IGNORECASE
)
"""What registries say in a failure of their own (500) when their disk is full: ENOSPC and EDQUOT, as numbers or in words."""
_TEMPORARY: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530})


STRANGERS: Final = 2
"""Tries at a registry that refuses connections and never answered: it may be starting, or the port is wrong."""


def tries_for(error: Unavailable, most: int, *, met: bool) -> int:
    """How often a question is asked that failed with `error`: fewer than `most` when that will not get better soon.

    `met` says that the registry has answered before: then it is waited for, whatever keeps it away.
    """
    if error.code == "tls_missing":
        return 1
    if met or error.code not in UNREACHED:
        return most
    return min(most, STRANGERS) if error.code == "connect_failed" else 1


def temporary(status: int) -> bool:
    """Whether the same request may be answered differently later."""
    return status in _TEMPORARY or status > 508


def said(body: bytes) -> tuple[str, str]:
    """Return code and message of the first error of a body; empty when it has none."""
    try:
        document = json.loads(body.decode("utf-8", "replace"))
        first = document["errors"][0]
        code, message, detail = (first.get(name) for name in ("code", "message", "detail"))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return "", ""
    words = str(message or code or "")
    if isinstance(detail, str) and detail and detail not in words:
        words = f"{words}: {detail}" if words else detail
    return str(code or "")[:60], "".join(c if c.isprintable() else " " for c in words)[:300]


def answer_error(status: int, what: str, body: bytes = b"", retry_after: float | None = None) -> FerryError:
    """Return the error for an answer to a request about `what` (a name for people: host and repository)."""
    code, words = said(body)
    tail = f" ({status}: {words})" if words else f" ({status})"
    if status >= 500 and _FULL.search(body):
        return _full(what, tail)
    if status == 404:
        return _missing(code, what, tail)
    if temporary(status):
        return _later(status, what, tail, retry_after)
    final = _BY_STATUS.get(status) or _BY_CODE.get(code)
    if final:
        return final(what, tail)
    return Invalid(
        "registry_refused",
        f"{what}: the registry refuses this{tail}.",
        advice="Check the name and what is sent.",
    )


def _later(status: int, what: str, tail: str, retry_after: float | None) -> Unavailable:
    if status == 429:
        return Unavailable(
            "too_many_requests",
            f"{what}: the registry wants fewer requests{tail}.",
            advice="Wait, or sign in: many registries allow more then.",
            retry_after=retry_after,
        )
    return Unavailable(
        "registry_error",
        f"{what}: the registry failed{tail}.",
        advice="Try again later; if it stays, tell who runs the registry.",
        retry_after=retry_after,
    )


def _missing(code: str, what: str, tail: str) -> FerryError:
    if code == "NAME_UNKNOWN":
        return NotFound(
            "repository_unknown", f"{what}: there is no such repository{tail}.", advice="Check the name."
        )
    if code == "MANIFEST_BLOB_UNKNOWN":
        return _incomplete(what, tail)
    if code == "BLOB_UNKNOWN":
        return NotFound(
            "blob_unknown",
            f"{what}: the registry has no such blob{tail}.",
            advice="Push the image there again.",
        )
    if code == "BLOB_UPLOAD_UNKNOWN":
        return NotFound(
            "upload_unknown", f"{what}: the upload is not known any more{tail}.", advice="Start it again."
        )
    return NotFound("manifest_unknown", f"{what} does not exist{tail}.", advice="Check the name and the tag.")


def _unknown_person(what: str, tail: str) -> FerryError:
    return Denied(
        "auth_required",
        f"{what}: the registry wants to know who asks{tail}.",
        advice="Sign in with `docker login` or `podman login`, or give user and password; check the name too: "
        "registries often answer so for what does not exist.",
    )


def _forbidden(what: str, tail: str) -> FerryError:
    return Denied(
        "forbidden",
        f"{what}: the registry refuses access{tail}.",
        advice="Ask for the right, or check the name.",
    )


def _proxy(what: str, tail: str) -> FerryError:
    return Denied(
        "proxy_auth_required",
        f"{what}: the proxy wants other credentials{tail}.",
        advice="Write them into the proxy's URL: http://user:password@host:port.",
    )


def _full(what: str, tail: str) -> FerryError:
    return Exhausted(
        "registry_full",
        f"{what}: the registry has no room{tail}.",
        advice="Make room there, or ask who runs it; then run the same again: what arrived is not sent again.",
    )


def _unsupported(what: str, tail: str) -> FerryError:
    return Invalid(
        "unsupported",
        f"{what}: the registry does not offer this{tail}.",
        advice="Use another registry, or ask who runs it to switch it on.",
    )


def _clash(what: str, tail: str) -> FerryError:
    return Conflict(
        "registry_conflict",
        f"{what}: this clashes with what is there{tail}.",
        advice="Look there, then try again.",
    )


def _too_much(what: str, tail: str) -> FerryError:
    return Invalid(
        "registry_too_small",
        f"{what}: the registry, or a proxy before it, takes no request this large{tail}.",
        advice="Ask who runs it to raise the limit.",
    )


def _mismatch(what: str, tail: str) -> FerryError:
    return Corrupt(
        "digest_refused",
        f"{what}: the registry says the bytes are not what their digest says{tail}.",
        advice="The source is damaged: check it with `ferry depot fsck`, or fetch it again from elsewhere.",
    )


def _incomplete(what: str, tail: str) -> FerryError:
    return NotFound(
        "blob_unknown",
        f"{what}: the registry lacks something that the manifest refers to{tail}.",
        advice="Copy again: what is missing is sent then.",
    )


_BY_STATUS: Final[Mapping[int, Callable[[str, str], FerryError]]] = {
    401: _unknown_person,
    403: _forbidden,
    405: _unsupported,
    407: _proxy,
    409: _clash,
    413: _too_much,
    507: _full,
}
_BY_CODE: Final[Mapping[str, Callable[[str, str], FerryError]]] = {
    "DENIED": _forbidden,
    "DIGEST_INVALID": _mismatch,
    "MANIFEST_BLOB_UNKNOWN": _incomplete,
    "QUOTA_EXCEEDED": _full,
    "UNSUPPORTED": _unsupported,
}

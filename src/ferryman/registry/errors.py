"""From errors to the answers of distribution-spec 1.1 section Error Codes. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

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

CODES: Final = (
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
)
"""All codes of the specification. `UNKNOWN` and `UNAVAILABLE` stand beside them in answers 5xx, which it leaves open."""

_TABLE: Final[Mapping[str, tuple[int, str]]] = {
    "checksum_invalid": (400, "DIGEST_INVALID"),
    "digest_invalid": (400, "DIGEST_INVALID"),
    "digest_unsupported": (400, "DIGEST_INVALID"),
    "blob_mismatch": (400, "DIGEST_INVALID"),
    "manifest_mismatch": (400, "DIGEST_INVALID"),
    "reference_invalid": (400, "NAME_INVALID"),
    "manifest_invalid": (400, "MANIFEST_INVALID"),
    "manifest_too_large": (413, "SIZE_INVALID"),
    "manifest_blob_unknown": (400, "MANIFEST_BLOB_UNKNOWN"),
    "manifest_unknown": (404, "MANIFEST_UNKNOWN"),
    "blob_lost": (404, "MANIFEST_UNKNOWN"),
    "blob_unknown": (404, "BLOB_UNKNOWN"),
    "repository_unknown": (404, "NAME_UNKNOWN"),
    "upload_unknown": (404, "BLOB_UPLOAD_UNKNOWN"),
    "precondition_failed": (412, "DENIED"),
    "upload_busy": (409, "BLOB_UPLOAD_INVALID"),
    "blob_needed": (405, "UNSUPPORTED"),
    "upstream_wrong": (502, "UNKNOWN"),
    "login_throttled": (429, "TOOMANYREQUESTS"),
    "too_many_requests": (429, "TOOMANYREQUESTS"),
}
_BRANCHES: Final[tuple[tuple[type[FerryError], int, str], ...]] = (
    (Invalid, 400, "UNSUPPORTED"),
    (Denied, 403, "DENIED"),
    (NotFound, 404, "NAME_UNKNOWN"),
    (Conflict, 409, "DENIED"),
    (Exhausted, 507, "UNAVAILABLE"),
    (Unavailable, 503, "UNAVAILABLE"),
    (Corrupt, 500, "UNKNOWN"),
)


class Refusal(Exception):
    """An answer that ends a request: `status`, one code of the specification, and what a person should know."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        detail: Mapping[str, Any] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Keep all parts."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = dict(detail or {})
        self.headers = headers

    def body(self) -> bytes:
        """Return the body of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail:
            error["detail"] = self.detail
        return json.dumps({"errors": [error]}, ensure_ascii=False).encode()


def refusal_of(error: FerryError) -> Refusal:
    """Return the answer for an error of other rooms; its stable code and advice are in `detail`."""
    status, code = _TABLE.get(error.code) or _by_branch(error)
    detail = {"reason": error.code, **error.details}
    if error.advice:
        detail["advice"] = error.advice
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Unavailable) and error.retry_after is not None:
        headers = ((b"retry-after", str(max(1, round(error.retry_after))).encode()),)
    elif status in {429, 503}:
        headers = ((b"retry-after", b"5"),)
    return Refusal(status, code, error.message, detail=detail, headers=headers)


def _by_branch(error: FerryError) -> tuple[int, str]:
    return next(((s, c) for kind, s, c in _BRANCHES if isinstance(error, kind)), (500, "UNKNOWN"))

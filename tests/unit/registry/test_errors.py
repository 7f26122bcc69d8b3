"""Errors of other rooms become answers of the specification."""

import json

import pytest

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
from ferryman.registry.errors import CODES, Refusal, refusal_of


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Invalid("digest_invalid", "x"), 400, "DIGEST_INVALID"),
        (Corrupt("blob_mismatch", "x"), 400, "DIGEST_INVALID"),
        (Invalid("manifest_blob_unknown", "x"), 400, "MANIFEST_BLOB_UNKNOWN"),
        (Invalid("reference_invalid", "x"), 400, "NAME_INVALID"),
        (NotFound("upload_unknown", "x"), 404, "BLOB_UPLOAD_UNKNOWN"),
        (Conflict("tag_immutable", "x"), 409, "DENIED"),
        (Conflict("pinned", "x"), 409, "DENIED"),
        (Denied("anything", "x"), 403, "DENIED"),
        (Exhausted("disk_full", "x"), 507, "UNAVAILABLE"),
        (Unavailable("upstream_down", "x"), 503, "UNAVAILABLE"),
        (Unavailable("too_many_requests", "x"), 429, "TOOMANYREQUESTS"),
        (Corrupt("manifest_damaged", "x"), 500, "UNKNOWN"),
        (FerryError("strange", "x"), 500, "UNKNOWN"),
    ],
)
def test_an_error_has_a_status_and_a_code(error: FerryError, status: int, code: str):
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code) == (status, code)
    assert code in CODES or status >= 500


def test_the_body_has_reason_advice_and_details():
    error = Invalid("manifest_blob_unknown", "Lacks it.", advice="Send it.")
    error.details["missing"] = ["sha256:1"]
    assert json.loads(refusal_of(error).body()) == {
        "errors": [
            {
                "code": "MANIFEST_BLOB_UNKNOWN",
                "message": "Lacks it.",
                "detail": {"reason": "manifest_blob_unknown", "advice": "Send it.", "missing": ["sha256:1"]},
            }
        ]
    }
    assert json.loads(Refusal(404, "NAME_UNKNOWN", "None.").body())["errors"][0].keys() == {"code", "message"}


@pytest.mark.parametrize(("seconds", "said"), [(None, b"5"), (0.2, b"1"), (30.0, b"30")])
def test_who_shall_come_again_is_told_when(seconds: float | None, said: bytes):
    error = Unavailable("too_many_requests", "Slow down.", retry_after=seconds)
    assert refusal_of(error).headers == ((b"retry-after", said),)

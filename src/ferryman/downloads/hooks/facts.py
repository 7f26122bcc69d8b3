"""What a hook is told about a download, as JSON and as variables of a program. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from ferryman.core.clock import rfc3339
from ferryman.downloads.hooks.model import Delivery, HookEvent
from ferryman.jobs.model import Document, Job

_LONGEST: Final = 4096


def facts_of(job: Job, result: Mapping[str, Any] | None) -> Document:
    """Return the facts of a download that ended with `result`, or without one."""
    found = result or {}
    return {
        "job": {
            "id": job.id,
            "kind": job.kind,
            "title": job.title,
            "category": job.category,
            "owner": job.owner,
            "created_at": rfc3339(job.created_at),
        },
        "file": {
            "path": found.get("path"),
            "name": str(found["path"]).rpartition("/")[2] if found.get("path") else None,
            "size": found.get("size"),
            "mime": found.get("mime"),
            "url": _plain(str(found.get("url") or (job.spec.get("urls") or [""])[0])),
            "digests": list(found.get("digests") or ()),
            "unpacked": found.get("unpacked"),
        },
        "error": {"code": job.error_code, "message": job.error} if result is None and job.error else None,
    }


def ping() -> Document:
    """Return the facts of a test."""
    return {"job": None, "file": None, "error": None}


def body_of(delivery: Delivery, delivery_id: str, at: float) -> bytes:
    """Return the body of a webhook."""
    document = {
        "event": str(delivery.event),
        "delivery": delivery_id,
        "at": rfc3339(at),
        **delivery.facts,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def variables_of(delivery: Delivery, delivery_id: str) -> dict[str, str]:
    """Return the `FERRY_…` variables of a command; what is not known is empty."""
    job = delivery.facts.get("job") or {}
    file = delivery.facts.get("file") or {}
    error = delivery.facts.get("error") or {}
    values = {
        "FERRY_EVENT": delivery.event.value,
        "FERRY_DELIVERY": delivery_id,
        "FERRY_JOB": job.get("id"),
        "FERRY_CATEGORY": job.get("category"),
        "FERRY_PATH": file.get("path"),
        "FERRY_NAME": file.get("name"),
        "FERRY_SIZE": file.get("size"),
        "FERRY_URL": file.get("url"),
        "FERRY_DIGEST": (file.get("digests") or [""])[0],
        "FERRY_UNPACKED": file.get("unpacked"),
        "FERRY_ERROR": error.get("message"),
    }
    return {name: _text(value) for name, value in values.items()}


def is_test(delivery: Delivery) -> bool:
    """Tell whether the delivery is a test."""
    return delivery.event is HookEvent.PING


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("\0", "")[:_LONGEST]


def _plain(url: str) -> str:
    """Return an address without query and fragment: they may be secret."""
    return url.partition("#")[0].partition("?")[0]

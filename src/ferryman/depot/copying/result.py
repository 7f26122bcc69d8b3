"""What a copy came to, and what it would do, as JSON documents. Pure; sizes are bytes, durations seconds."""

from collections.abc import Callable
from typing import Any

from ferryman.core.errors import FerryError
from ferryman.depot.copying.copier import Prepared
from ferryman.depot.copying.meter import View
from ferryman.depot.copying.model import How, Image, Plan
from ferryman.depot.copying.run import Outcome

Problem = Callable[[FerryError], dict[str, Any]]


def told(error: FerryError) -> dict[str, Any]:
    """Return an error as documents show it."""
    return {"code": error.code, "detail": error.message, "advice": error.advice}


def plan_document(prepared: Prepared, problem: Problem = told) -> dict[str, Any]:
    """Say what would be done."""
    plan = prepared.plan
    return {
        "dry_run": True,
        "images": [_image(image, "planned") for image in plan.images] + _failed(prepared, problem),
        "plan": sums(plan),
        "blobs": [
            {
                "digest": str(step.blob.digest),
                "size": step.blob.size,
                "media_type": step.blob.media_type,
                "how": str(step.how),
                "target": str(step.first),
                "then": [str(place) for place in step.then],
            }
            for step in plan.blobs
        ],
    }


def result_document(
    prepared: Prepared, outcome: Outcome, view: View, seconds: float, problem: Problem = told
) -> dict[str, Any]:
    """Say what was done."""
    changed = {(step.target, step.manifest.digest) for step in prepared.plan.manifests}
    images = []
    for one in outcome.images:
        touched = any((one.image.target, manifest.digest) in changed for manifest in one.image.manifests)
        found = _image(one.image, "failed" if one.error else "copied" if touched else "unchanged")
        if one.instead is not None:
            found["instead"] = str(one.instead)
        if one.error is not None:
            found["error"] = problem(one.error)
        images.append(found)
    images += _failed(prepared, problem)
    return {
        "images": images,
        "copied": sum(one["state"] == "copied" for one in images),
        "unchanged": sum(one["state"] == "unchanged" for one in images),
        "failed": sum(one["state"] == "failed" for one in images),
        "plan": sums(prepared.plan),
        "moved": view.disk - sum(s.blob.size for s in prepared.plan.blobs if s.how is not How.MOVE),
        "mounted": outcome.mounted,
        "network": view.network,
        "resumed": view.resumed,
        "seconds": round(seconds, 3),
    }


def sums(plan: Plan) -> dict[str, Any]:
    """Say how much there is to do."""
    return {
        "images": len(plan.images),
        "manifests": len(plan.manifests),
        "manifests_there": plan.manifests_there,
        "blobs": plan.count(How.MOVE),
        "bytes": plan.to_move,
        "mounts": plan.count(How.MOUNT) + sum(len(step.then) for step in plan.blobs),
        "mount_bytes": plan.to_mount,
        "there": plan.count(How.THERE),
        "there_bytes": plan.there,
    }


def _image(image: Image, state: str) -> dict[str, Any]:
    return {
        "source": image.said,
        "target": f"{image.target}:{image.tag}" if image.tag else f"{image.target}@{image.root}",
        "tag": image.tag,
        "digest": str(image.root),
        "manifests": len(image.manifests),
        "left_out": len(image.left_out),
        "state": state,
    }


def _failed(prepared: Prepared, problem: Problem) -> list[dict[str, Any]]:
    return [
        {"source": wish.said, "target": str(wish.target), "state": "failed", "error": problem(error)}
        for wish, error in prepared.failed
    ]

"""Asks the targets what they have, with as few questions as the plan needs, many at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from ferryman.core.digests import Digest
from ferryman.depot.copying.model import Image, Place, Plan, Present
from ferryman.depot.copying.plan import (
    first_questions,
    further_questions,
    make_plan,
    manifests_to_ask,
    missing_manifests,
    needs,
)
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import Target

Open = Callable[[Place], Target]
"""Opens a place to write to, or gives the one that is open; called from many threads."""


def plan_of(images: Sequence[Image], target: Open, pool: Executor, *, mounts: bool = True) -> Plan:
    """Ask what is there and return the plan. Raises what a target answers that is no answer: `Denied`, `Unavailable`."""
    present = _manifests(images, target, pool)
    wanted = needs(missing_manifests(images, present))
    first = _blobs(first_questions(wanted), target, pool)
    present = Present(present.manifests, present.tags, first)
    if mounts:
        present = Present(
            present.manifests,
            present.tags,
            first | _blobs(further_questions(wanted, present), target, pool),
        )
    else:
        everywhere = [(place, need.blob) for need in wanted for place in need.places[1:]]
        present = Present(present.manifests, present.tags, first | _blobs(everywhere, target, pool))
    return make_plan(images, present, mounts=mounts)


def _manifests(images: Sequence[Image], target: Open, pool: Executor) -> Present:
    def ask(place: Place, digest: Digest, tag: str | None) -> tuple[Digest | None, bool]:
        end = target(place)
        found = end.tagged(tag) if tag is not None else None
        return found, found == digest or end.has_manifest(digest)

    questions = manifests_to_ask(images)
    answers = list(pool.map(lambda question: ask(*question), questions))
    tags = {
        (place, tag): found
        for (place, _, tag), (found, _) in zip(questions, answers, strict=True)
        if tag is not None and found is not None
    }
    there = {
        (place, digest) for (place, digest, _), (_, have) in zip(questions, answers, strict=True) if have
    }
    return Present(frozenset(there), tags)


def _blobs(
    questions: Sequence[tuple[Place, Descriptor]], target: Open, pool: Executor
) -> frozenset[tuple[Place, Digest]]:
    def ask(question: tuple[Place, Descriptor]) -> bool:
        place, blob = question
        return target(place).has_blob(blob)

    return frozenset(
        (place, blob.digest)
        for (place, blob), have in zip(questions, pool.map(ask, questions), strict=True)
        if have
    )

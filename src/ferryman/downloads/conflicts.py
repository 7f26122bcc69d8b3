"""What stands in the way of an order: files that are there, downloads that were asked for before. Asked, not guessed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman.core.errors import Conflict
from ferryman.core.paths import join_within
from ferryman.downloads.model import Duplicates
from ferryman.downloads.order import Draft
from ferryman.transfer.model import Overwrite

MOST_TOLD: Final = 200
"""Conflicts that are told one by one."""
CHOICES: Final = {"exists": ("rename", "overwrite", "skip"), "duplicate": ("add", "skip")}
"""What can be decided: the values of `overwrite` and of `duplicates`."""


@dataclass(frozen=True, slots=True)
class Clash:
    """One thing in the way of a draft: `exists` with the path of the file, or `duplicate` with the id of the job.

    A duplicate within the same order has no job.
    """

    draft: Draft
    kind: str
    path: Path | None = None
    job_id: str | None = None

    @property
    def says(self) -> str:
        """What is in the way, in words."""
        if self.kind == "exists":
            return f"'{self.path}' exists already."
        if self.job_id:
            return f"'{self.draft.title}' was asked for before, by job {self.job_id}."
        return f"'{self.draft.title}' is twice in this order."

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "place": str(self.draft.place),
            "field": self.draft.place.field,
            "index": self.draft.place.index,
            "name": self.draft.title,
            "url": self.draft.spec.urls[0],
            "kind": self.kind,
            "path": str(self.path) if self.path else None,
            "job_id": self.job_id,
            "choices": list(CHOICES[self.kind]),
        }


def existing(root: Path, drafts: Sequence[Draft]) -> list[Clash]:
    """Return what is there already of the drafts that ask and whose name is known. Looks at the disk, changes nothing."""
    return [
        Clash(draft, "exists", path)
        for draft in drafts
        if draft.spec.overwrite is Overwrite.ASK
        and draft.spec.name
        and os.path.lexists(path := target_of(root, draft, draft.spec.name))
    ]


def target_of(root: Path, draft: Draft, name: str) -> Path:
    """Return where the file of `draft` goes when it is called `name`."""
    folder = draft.spec.folder
    return join_within(root, f"{folder}/{name}" if folder else name)


def repeated(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts whose file an earlier one of the same order fetches to the same folder, unless that is wanted."""
    seen: set[tuple[str, str, str | None]] = set()
    found = []
    for draft in drafts:
        key = (draft.spec.urls[0], draft.spec.folder, draft.spec.name)
        if key in seen and draft.duplicates is not Duplicates.ADD:
            found.append(draft)
        seen.add(key)
    return found


def refusal(clashes: Sequence[Clash]) -> Conflict:
    """Build the error that asks what to do about `clashes`."""
    kinds = {clash.kind for clash in clashes}
    if kinds == {"exists"}:
        code, advice = "target_exists", "Choose to rename, overwrite or skip, or give another name."
    elif kinds == {"duplicate"}:
        code, advice = "download_duplicate", "Choose to add it again or to skip it."
    else:
        code, advice = (
            "download_conflicts",
            "Choose for each whether to rename, overwrite, add again or skip.",
        )
    first = clashes[0].says
    message = first if len(clashes) == 1 else f"{len(clashes):,} downloads clash with what is there: {first}"
    fields = {str(clash.draft.place): clash.says for clash in clashes[:MOST_TOLD]}
    error = Conflict(code, message, advice=advice, fields=fields)
    error.details = {
        "conflicts": [clash.document() for clash in clashes[:MOST_TOLD]],
        "number": len(clashes),
    }
    return error

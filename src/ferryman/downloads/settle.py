"""What becomes of a download that found its file there: somebody decides, and it goes on."""

import dataclasses
from typing import Final, Literal

from pydantic import Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import Conflict
from ferryman.downloads.change import spec_of
from ferryman.jobs.model import Job, State
from ferryman.jobs.service import Ledger
from ferryman.transfer.model import Overwrite
from ferryman.web.job import reachable
from ferryman.web.shapes import Strict

UNDECIDED: Final = frozenset({"target_exists", "target_twice"})
"""Codes of failures that wait for a decision."""


class Decision(Strict):
    """What to do about a file that is there."""

    overwrite: Literal["rename", "overwrite", "skip"] = Field(
        description="`rename` keeps both, `overwrite` replaces the old one, `skip` keeps the old one."
    )


async def settle(ledger: Ledger, job_id: str, caller: Principal, decision: Decision) -> Job:
    """Let a download that failed because its file exists go on as decided, and return it.

    Raises `NotFound` for what is out of reach or no download, `Conflict` (`conflict_none`) when nothing is to be decided.
    """
    await reachable(ledger, job_id, caller)
    overwrite = Overwrite(decision.overwrite)

    def edit(job: Job) -> Job:
        spec = spec_of(job)
        if job.state is not State.FAILED or job.error_code not in UNDECIDED:
            raise Conflict(
                "conflict_none",
                f"Nothing has to be decided about '{job.title}', which is {job.state}.",
                advice="Only a download that failed because its file is there already asks for it.",
            )
        changed = spec.model_copy(update={"overwrite": overwrite})
        return dataclasses.replace(job, spec=changed.model_dump(mode="json"))

    await ledger.change_spec(job_id, edit, {"overwrite": str(overwrite)}, caller.name)
    return await ledger.retry(job_id, caller.name)

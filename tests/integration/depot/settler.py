"""A process that settles many small contents in one group and is killed at a step of it.

    python -m tests.integration.depot.settler FOLDER DATABASE_URL LOG STEP

What was acknowledged stands in the log. `STEP` is the name of a step and how often it comes before the kill, as in `name:3`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ferryman.core.clock import SystemClock
from ferryman.db import Database
from ferryman.depot import content, settling
from ferryman.depot.files import Files
from ferryman.depot.service import Depot
from ferryman.depot.settling import Settling
from tests.conformance.depot.making import ORIGIN, digest_of

COUNT = 40


def contents() -> list[bytes]:
    return [b"content %d " % number * 50 for number in range(COUNT)]


def killed_at(step: str, times: int, where: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, or the end of this process when the step comes for the last time."""
    left = [times]

    def wrapped(*arguments: Any) -> Any:
        found = call(*arguments)
        if where == step:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
        return found

    return wrapped


def arm(step: str, times: int) -> None:
    for where, owner, name in (
        ("begin", Settling, "_begin"),
        ("name", Files, "name"),
        ("folder", settling, "sync_folder"),
        ("record", content, "add_blobs"),
        ("settle", Settling, "settle"),
    ):
        call = getattr(owner, name)
        wrapped = killed_at(step, times, where, call)
        setattr(owner, name, staticmethod(wrapped) if where == "begin" else wrapped)


def main() -> None:
    folder, url, log, armed = sys.argv[1:]
    depot = Depot(Path(folder), Database(url), SystemClock())
    step, _, times = armed.partition(":")
    if step != "none":
        arm(step, int(times))
    everything = contents()
    with Path(log).open("ab", buffering=0) as out:
        for half in (everything[: COUNT // 2], everything[COUNT // 2 :]):
            writers = []
            for one in half:
                writer = depot.writer(ORIGIN, digest_of(one))
                writer.write(one)
                writer.verify()
                writers.append(writer)
            out.writelines(f"{blob.digest}\n".encode() for blob in depot.commit_all(writers))


if __name__ == "__main__":
    main()

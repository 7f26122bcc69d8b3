"""The transfers at work in this process by job, so that what is changed while one runs reaches it at once."""

from typing import Protocol

from ferryman.downloads.model import DownloadSpec
from ferryman.jobs.model import Job, State


class Adjustable(Protocol):
    """What can be changed of a transfer at work; `transfer.service.Transfer` is one."""

    def set_rate(self, rate: int) -> None:
        """Change its limit, bytes per second, 0 for none."""
        ...

    def set_connections(self, most: int) -> None:
        """Change how many connections it may use."""
        ...


class Running:
    """Transfers by the id of their job. Used in one event loop; no method waits.

    A change may come after a worker took the job and before its transfer began: it is kept until then.
    """

    def __init__(self) -> None:
        """Nothing moves yet."""
        self._transfers: dict[str, Adjustable] = {}
        self._changed: dict[str, DownloadSpec] = {}

    def begun(self, job_id: str, transfer: Adjustable) -> None:
        """Note that the transfer of a job began, and give it what changed since its job was taken."""
        self._transfers[job_id] = transfer
        if (spec := self._changed.get(job_id)) is not None:
            _adjust(transfer, spec)

    def ended(self, job_id: str) -> None:
        """Note that the run of a job ended."""
        self._transfers.pop(job_id, None)
        self._changed.pop(job_id, None)

    def changed(self, job: Job, spec: DownloadSpec) -> None:
        """Take in that `job`, as it is now, has the new `spec`."""
        if job.state is not State.RUNNING:
            self._changed.pop(job.id, None)  # its next run begins with the new spec
            return
        self._changed[job.id] = spec
        if (transfer := self._transfers.get(job.id)) is not None:
            _adjust(transfer, spec)


def _adjust(transfer: Adjustable, spec: DownloadSpec) -> None:
    transfer.set_rate(spec.rate_limit)
    transfer.set_connections(spec.connections)

"""What the event stream and the metrics read from the ledger."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from ferryman.jobs.hub import Message
from ferryman.jobs.model import State
from ferryman.jobs.service import Ledger
from ferryman.web.job import JobView, job_view, view_fields
from ferryman.web.metrics import Counter, Gauge, Sample, Source


class LedgerFeed:
    """The feed of the event stream over one ledger and its hub. Belongs to their event loop."""

    def __init__(self, ledger: Ledger) -> None:
        """Read stored events from `ledger`, live ones from its hub."""
        self._ledger = ledger

    async def subscribe(self) -> AsyncGenerator[Message, None]:
        """Follow the hub from the first `anext` on; jobs come as the API shows them."""
        with self._ledger.hub.subscribe() as messages:
            async for message in messages:
                if message.name == "job":
                    shown = JobView(**view_fields(message.data)).model_dump(mode="json")
                    yield Message("job", shown, message.id)
                else:
                    yield message

    async def last_id(self) -> int:
        """Return the id of the newest stored event, 0 when there is none."""
        return await self._ledger.last_event()

    async def changed(self, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """Return `(event id, job id)` of stored events after `after`, the oldest first."""
        return [(event.id, event.job_id) for event in await self._ledger.events(None, after, limit)]

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the `job` message shows it. Raises `NotFound`."""
        return job_view(await self._ledger.get(job_id)).model_dump(mode="json")

    async def counts(self, owner: str | None) -> dict[str, int]:
        """Return how many jobs are in each state: those of `owner`, or all."""
        return {str(state): number for state, number in (await self._ledger.counts(owner=owner)).items()}


def job_figures(ledger: Ledger) -> Source:
    """Return the source of `ferry_jobs`."""

    async def figures() -> Iterable[Sample]:
        counts = await ledger.counts()
        return [
            Gauge("ferry_jobs", "Jobs by state.", number, (("state", state),))
            for state, number in counts.items()
        ]

    return figures


def reason_figures(reasons: Callable[[], Awaitable[Iterable[tuple[str, str, int]]]]) -> Source:
    """Return the source of `ferry_job_failures_total` and `ferry_job_retries_total`.

    `reasons` tells reason, state it led to, and how often.
    """

    async def figures() -> Iterable[Sample]:
        samples: list[Sample] = []
        for reason, state, number in await reasons():
            if state == State.FAILED:
                samples.append(
                    Counter("ferry_job_failures_total", "Jobs that failed.", number, (("reason", reason),))
                )
            elif state == State.WAITING:
                samples.append(
                    Counter(
                        "ferry_job_retries_total",
                        "Attempts that had to be repeated.",
                        number,
                        (("reason", reason),),
                    )
                )
        return samples

    return figures


def transfer_figures(received: Callable[[], int]) -> Source:
    """Return the source of `ferry_transfer_bytes_total`; `received` tells the bytes since this process started."""

    async def figures() -> Iterable[Sample]:
        return [Counter("ferry_transfer_bytes_total", "Bytes received by transfers.", received())]

    return figures

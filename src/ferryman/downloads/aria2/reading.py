"""The methods that only look."""

from typing import Any, Final

from ferryman import __version__
from ferryman.accounts.model import Principal
from ferryman.downloads.aria2 import options, values
from ferryman.downloads.aria2.house import ACTIVE, MOST_STOPPED, STOPPED, WAITING, House, owns
from ferryman.downloads.aria2.params import Params
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.change import spec_of
from ferryman.downloads.model import KIND
from ferryman.jobs.model import TERMINAL, Job, State
from ferryman.web.job import owner_filter

VERSION: Final = "1.37.0"
"""The aria2 whose interface this is; front ends look at it to know what they may use."""
FEATURES: Final = ("Async DNS", "GZip", "HTTPS", "Message Digest", "Metalink")


class Reading:
    """Each method takes the caller and the parameters without the token, and returns what aria2 does."""

    def __init__(self, house: House) -> None:
        """Look into `house`."""
        self._house = house

    async def tell_status(self, caller: Principal, params: Params) -> Any:
        """Tell all about one download."""
        job = await self._job(caller, params)
        return self._house.tell(job, caller, params.strings(1, []))

    async def tell_active(self, caller: Principal, params: Params) -> Any:
        """Tell of those that run."""
        keys = params.strings(0, [])
        return [self._house.tell(job, caller, keys) for job in await self._house.jobs(caller, ACTIVE)]

    async def tell_waiting(self, caller: Principal, params: Params) -> Any:
        """Tell of those that wait or are paused, in the order they run."""
        return await self._part(caller, params, WAITING)

    async def tell_stopped(self, caller: Principal, params: Params) -> Any:
        """Tell of those that ended, the oldest first; those at the end are the newest."""
        return await self._part(caller, params, STOPPED)

    async def _part(
        self, caller: Principal, params: Params, states: tuple[State, ...]
    ) -> list[values.Status]:
        """Tell a part of a list: a negative offset counts from its end, and goes backwards."""
        offset, number, keys = params.number(0), params.number(1), params.strings(2, [])
        if number < 0:
            raise RpcError("The parameter at 1 must not be negative.")
        backwards = offset < 0
        skipped = -offset - 1 if backwards else offset
        found = await self._house.jobs(caller, states, skipped + number, backwards=backwards)
        return [self._house.tell(job, caller, keys) for job in found[skipped : skipped + number]]

    async def get_files(self, caller: Principal, params: Params) -> Any:
        """Tell the file of a download."""
        job = await self._job(caller, params)
        return values.files(job, self._house.root, own=owns(caller, job))

    async def get_uris(self, caller: Principal, params: Params) -> Any:
        """Tell the addresses of a download that has not ended."""
        job = await self._unfinished(caller, params, "URI")
        return values.uris(job, own=owns(caller, job))

    async def get_servers(self, caller: Principal, params: Params) -> Any:
        """Tell what an active download is fetched from."""
        job = await self._job(caller, params)
        if job.state is not State.RUNNING:
            raise RpcError(f"No active download for GID#{self._house.gids.tell(job)}")
        return values.servers(job, own=owns(caller, job))

    async def get_peers(self, caller: Principal, params: Params) -> Any:
        """Tell the peers of a download that has not ended: there are none without BitTorrent."""
        await self._unfinished(caller, params, "peer")
        return []

    async def get_option(self, caller: Principal, params: Params) -> Any:
        """Tell the options of a download."""
        job = await self._job(caller, params)
        return options.of_job(job, spec_of(job), self._house.root)

    async def get_global_option(self, _caller: Principal, _params: Params) -> Any:
        """Tell what holds for all downloads."""
        now = self._house.settings.live.now()
        return options.overall(
            self._house.root,
            connections=now.connections,
            rate=self._house.speed.limit().rate,
            at_once=now.download_concurrency,
        )

    async def get_global_stat(self, caller: Principal, _params: Params) -> Any:
        """Tell numbers and speed of all downloads within reach."""
        counts = await self._house.ledger.counts((KIND,), owner_filter(caller))
        active = await self._house.jobs(caller, ACTIVE)
        stopped = sum(counts.get(state, 0) for state in STOPPED)
        return {
            "downloadSpeed": str(sum(values.speed(job) for job in active)),
            "numActive": str(counts.get(State.RUNNING, 0)),
            "numStopped": str(min(MOST_STOPPED, stopped)),
            "numStoppedTotal": str(stopped),
            "numWaiting": str(sum(counts.get(state, 0) for state in WAITING)),
            "uploadSpeed": "0",
        }

    async def get_version(self, _caller: Principal, _params: Params) -> Any:
        """Tell which aria2 this stands for, and that it is none."""
        return {"enabledFeatures": [*FEATURES, f"Ferryman {__version__}"], "version": VERSION}

    async def get_session_info(self, _caller: Principal, _params: Params) -> Any:
        """Tell an id that changes when the daemon starts again."""
        return {"sessionId": self._house.session}

    async def _unfinished(self, caller: Principal, params: Params, what: str) -> Job:
        job = await self._job(caller, params)
        if job.state in TERMINAL:
            raise RpcError(f"No {what} data is available for GID#{self._house.gids.tell(job)}")
        return job

    async def _job(self, caller: Principal, params: Params) -> Job:
        return await self._house.gids.find(params.text(0), caller)

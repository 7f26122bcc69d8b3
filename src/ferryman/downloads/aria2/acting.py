"""The methods that change something."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from pydantic import ValidationError

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError
from ferryman.downloads.aria2 import options
from ferryman.downloads.aria2.gids import gid, key_for
from ferryman.downloads.aria2.house import STOPPED, UNFINISHED, WAITING, House
from ferryman.downloads.aria2.params import Params
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.change import DownloadChange, has_begun, spec_of
from ferryman.downloads.model import KIND, DownloadOrder
from ferryman.jobs.model import TERMINAL, Job, Query, State
from ferryman.transfer.metalink import MetalinkFile, parse_metalink
from ferryman.web.job import owner_filter

OK: Final = "OK"
HOLD: Final = timedelta(days=365)
"""How long a download that is added paused would wait, if it were not paused right after it was accepted."""
MOST_AT_ONCE: Final = 32
_log = structlog.get_logger("ferryman.rpc")


class Acting:
    """Each method takes the caller and the parameters without the token, and returns what aria2 does."""

    def __init__(self, house: House) -> None:
        """Change what is in `house`."""
        self._house = house

    async def add_uri(self, caller: Principal, params: Params) -> Any:
        """Add a download from one or several addresses of the same file."""
        uris, given, place = params.strings(0), params.options(1, {}), params.number(2, None)
        _note_ignored(given)
        entry = options.entry(uris, given, self._house.root)
        return (await self._add(options.wanted([entry], given), caller, place))[0]

    async def add_metalink(self, caller: Principal, params: Params) -> Any:
        """Add the files of a Metalink document, which comes in base64."""
        text, given, place = params.text(0), params.options(1, {}), params.number(2, None)
        try:
            files = parse_metalink(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise RpcError("The Metalink document is not in base64.") from error
        shared = {name: value for name, value in given.items() if name not in {"out", "gid", "checksum"}}
        _note_ignored(shared)
        entries = [self._of_metalink(file, shared) for file in files]
        return await self._add(options.wanted(entries, shared), caller, place)

    async def add_torrent(self, _caller: Principal, _params: Params) -> Any:
        """Refuse: torrents are not fetched."""
        raise RpcError("Torrents are not supported: Ferryman fetches over HTTP, HTTPS and FTP.")

    async def pause(self, caller: Principal, params: Params) -> Any:
        """Stop one download for now."""
        job = await self._job(caller, params)
        if job.state in TERMINAL or job.state is State.PAUSED:
            raise RpcError(f"GID#{gid(job)} cannot be paused now")
        await self._house.ledger.pause(job.id, caller.name)
        return gid(job)

    async def unpause(self, caller: Principal, params: Params) -> Any:
        """Let a paused download go on."""
        job = await self._job(caller, params)
        if job.state is not State.PAUSED:
            raise RpcError(f"GID#{gid(job)} cannot be unpaused now")
        await self._house.ledger.resume(job.id, caller.name)
        return gid(job)

    async def pause_all(self, caller: Principal, _params: Params) -> Any:
        """Stop all downloads within reach for now."""
        states = tuple(state for state in UNFINISHED if state is not State.PAUSED)
        await self._house.ledger.bulk("pause", _all(caller, states), caller.name)
        return OK

    async def unpause_all(self, caller: Principal, _params: Params) -> Any:
        """Let all paused downloads within reach go on."""
        await self._house.ledger.bulk("resume", _all(caller, (State.PAUSED,)), caller.name)
        return OK

    async def remove(self, caller: Principal, params: Params) -> Any:
        """End a download for good; what arrived of it is removed."""
        job = await self._job(caller, params)
        if job.state in TERMINAL:
            raise RpcError(f"Active Download not found for GID#{gid(job)}")
        await self._house.ledger.cancel(job.id, caller.name)
        return gid(job)

    async def change_position(self, caller: Principal, params: Params) -> Any:
        """Move a download in the queue, and tell its new place."""
        job, place, how = await self._job(caller, params), params.number(1), params.text(2)
        queue = [each.id for each in await self._house.jobs(caller, WAITING)]
        if job.id not in queue:
            raise RpcError(f"GID#{gid(job)} not found in the waiting queue.")
        start = {"POS_SET": 0, "POS_CUR": queue.index(job.id), "POS_END": len(queue)}.get(how)
        if start is None:
            raise RpcError("Illegal argument.")
        return await self._move(job, queue, start + place)

    async def change_uri(self, caller: Principal, params: Params) -> Any:
        """Remove and add addresses of a download that does not run; tell how many of each."""
        job, index = await self._job(caller, params), params.number(1)
        gone, fresh, place = params.strings(2), params.strings(3), params.number(4, None)
        if index != 1:
            raise RpcError("fileIndex is out of range")
        if job.state in {State.RUNNING, State.SUCCEEDED}:
            raise RpcError(f"GID#{gid(job)} runs or is complete: pause it to change its addresses.")
        kept = [url for url in spec_of(job).urls if url not in gone]
        removed = len(spec_of(job).urls) - len(kept)
        added = [url for url in options.addresses(fresh) if url not in kept] if fresh else []
        at = len(kept) if place is None else max(0, min(place, len(kept)))
        await self._house.changes.set_urls(job.id, caller, [*kept[:at], *added, *kept[at:]])
        return [removed, len(added)]

    async def change_option(self, caller: Principal, params: Params) -> Any:
        """Change limit and connections at once, folder, name and the like before it begins."""
        job, given = await self._job(caller, params), params.options(1)
        _note_ignored(given)
        change = options.changed(given, self._house.root)
        if has_begun(job):  # front ends send back all options they were told; those that stay are no change
            change = _differing(change, spec_of(job).model_dump(mode="json"))
        if change:
            await self._house.changes.change(job.id, caller, _checked(DownloadChange, change))
        return OK

    async def change_global_option(self, caller: Principal, params: Params) -> Any:
        """Change the limit of all downloads, and how many run at once."""
        given, live = params.options(0), self._house.settings.live.now()
        rate, number = options.size(given, "max-overall-download-limit"), None
        if "max-concurrent-downloads" in given:
            number = options.size(given, "max-concurrent-downloads")
            if number is None or not 1 <= number <= MOST_AT_ONCE:
                raise RpcError(f"The option max-concurrent-downloads must be from 1 to {MOST_AT_ONCE}.")
        values: dict[str, Any] = {}
        if rate is not None and rate != self._house.speed.limit().rate:
            values["rate_limit"] = str(rate)
        if number is not None and number != live.download_concurrency:
            values["download_concurrency"] = number
        if values:
            await self._house.settings.change(values, caller)
        return OK

    async def purge(self, caller: Principal, _params: Params) -> Any:
        """Take the caller's own stopped downloads off the list, as far as it is shown; files stay."""
        shown = await self._house.jobs(caller, STOPPED)
        await self._house.ledger.bulk("delete", [job.id for job in shown if job.owner == caller.user_id])
        return OK

    async def remove_result(self, caller: Principal, params: Params) -> Any:
        """Take one stopped download off the list; its file stays."""
        job = await self._job(caller, params)
        if job.state not in TERMINAL:
            raise RpcError(f"Could not remove download result of GID#{gid(job)}")
        await self._house.ledger.delete([job.id])
        return OK

    async def save_session(self, _caller: Principal, _params: Params) -> Any:
        """Do nothing: everything is kept the moment it is accepted."""
        return OK

    async def shutdown(self, _caller: Principal, _params: Params) -> Any:
        """Refuse: others use the daemon too."""
        raise RpcError(
            "Ferryman is not shut down over JSON-RPC: stop its service, or press Ctrl-C where it runs."
        )

    # inside

    async def _job(self, caller: Principal, params: Params) -> Job:
        return await self._house.gids.find(params.text(0), caller)

    def _of_metalink(self, file: MetalinkFile, shared: Mapping[str, Any]) -> dict[str, Any]:
        found = options.entry(
            [source.url for source in file.sources], {**shared, "out": file.path}, self._house.root
        )
        known = {"checksum": str(file.checksum) if file.checksum else None, "size": file.size}
        return found | {name: value for name, value in known.items() if value is not None}

    async def _add(self, wanted: options.Wanted, caller: Principal, place: int | None) -> list[str]:
        if place is not None and place < 0:
            raise RpcError("The position must not be negative.")
        if wanted.gid and await self._house.gids.taken(wanted.gid, caller):
            raise RpcError(f"GID {wanted.gid} is not unique.")
        fields = dict(wanted.fields)
        if wanted.paused:
            fields["not_before"] = datetime.now(UTC) + HOLD
        order = _checked(DownloadOrder, fields)
        key = key_for(wanted.gid) if wanted.gid else None
        jobs, _ = await self._house.downloads.add(order, caller, key)
        if wanted.paused:
            for job in jobs:
                await self._house.ledger.pause(job.id, caller.name)
        if place is not None:
            await self._place(jobs, place, caller)
        return [self._house.gids.tell(job) for job in jobs]

    async def _place(self, jobs: Sequence[Job], place: int, caller: Principal) -> None:
        queue = [job.id for job in await self._house.jobs(caller, WAITING)]
        for offset, job in enumerate(jobs):
            if job.id in queue:
                await self._move(job, queue, place + offset)

    async def _move(self, job: Job, queue: Sequence[str], place: int) -> int:
        """Move `job` to `place` of `queue`, which is what the caller sees of it; return where it is then."""
        others = [job_id for job_id in queue if job_id != job.id]
        place = max(0, min(place, len(others)))
        if place == queue.index(job.id):
            return place
        for anchor, behind in _anchors(others, place):
            if (await self._house.ledger.get(anchor)).state is not State.QUEUED:
                continue
            if behind:
                await self._house.ledger.move([job.id], after=anchor)
            else:
                await self._house.ledger.move([job.id], before=anchor)
            break
        return place


def _anchors(others: Sequence[str], place: int) -> list[tuple[str, bool]]:
    """Return next to which jobs one could be put to come to `place`, and whether behind them, the nearest first."""
    here = [(job_id, False) for job_id in others[place : place + 1]]
    ahead = [(job_id, True) for job_id in reversed(others[:place])]
    return [*here, *ahead, *((job_id, False) for job_id in others[place + 1 :])]


def _all(caller: Principal, states: tuple[State, ...]) -> Query:
    return Query(kinds=(KIND,), states=states, owner=owner_filter(caller), sort="created_at")


def _differing(change: dict[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `change` is not so already."""
    return {name: value for name, value in change.items() if str(value) != str(spec.get(name))}


def _checked(model: Callable[..., Any], fields: Mapping[str, Any]) -> Any:
    """Return the model with `fields`. Raises `RpcError` that names the first wrong one."""
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise RpcError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}.") from error


def _note_ignored(given: Mapping[str, Any]) -> None:
    if names := options.ignored(given):
        _log.info("options without an effect here", options=", ".join(names)[:400])


def refusal(error: FerryError) -> RpcError:
    """Return an error of ours as a method answers it."""
    return RpcError(f"{error.message} {error.advice}".strip())

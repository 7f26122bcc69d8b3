"""GIDs: sixteen hexadecimal digits that name a download.

The GID of a job is the random end of its id, so that every download has one whoever added it, and none has to be kept.
A caller may choose one when adding; it is part of the idempotency key of the job, which the ledger keeps unique and indexed.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from ferryman.accounts.model import Principal
from ferryman.core.errors import NotFound
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.model import KIND
from ferryman.jobs.model import Job, Query, State
from ferryman.jobs.service import Ledger

LENGTH: Final = 16
REMEMBERED: Final = 20_000
MOST_ALIKE: Final = 50
"""Downloads with the same beginning of a GID that are looked at."""
_RANDOM_END: Final = 19
_HEX: Final = re.compile(r"[0-9a-f]{1,16}")
_CHOSEN: Final = re.compile(r".+/aria2-gid/([0-9a-f]{16})/0")
_UNFINISHED: Final = (State.RUNNING, State.QUEUED, State.PAUSED, State.WAITING)


def gid_of(job_id: str, key: str | None) -> str:
    """Return the GID of a job with this id and idempotency key."""
    if key is not None and (chosen := _CHOSEN.fullmatch(key)):
        return chosen[1]
    return job_id[_RANDOM_END:].replace("-", "")


def key_for(chosen: str) -> str:
    """Return the key under which a download is added that gets a chosen GID."""
    return f"aria2-gid/{chosen}"


def gid(job: Job) -> str:
    """Return the GID of `job`."""
    return gid_of(job.id, job.idempotency_key)


def gid_in(data: Mapping[str, Any]) -> str:
    """Return the GID of a job as the hub tells it."""
    return gid_of(str(data["id"]), data.get("idempotency_key"))


def check(text: str) -> str:
    """Return a GID or the beginning of one in lower case. Raises `RpcError`."""
    found = text.lower()
    if not _HEX.fullmatch(found):
        raise RpcError(f"Invalid GID {text[:40]}")
    return found


def check_chosen(text: str) -> str:
    """Return a GID somebody chose, which is whole and not zero. Raises `RpcError`."""
    found = check(text)
    if len(found) != LENGTH or not int(found, 16):
        raise RpcError(f"Invalid GID {text[:40]}")
    return found


def tail_of(part: str) -> str:
    """Return the beginning of a GID as it stands in an id."""
    return part if len(part) <= 4 else f"{part[:4]}-{part[4:]}"


class Gids:
    """Finds downloads by GID, and by the beginning of one when only one has it. For one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        """Look in `ledger`."""
        self._ledger = ledger
        self._known: OrderedDict[str, str] = OrderedDict()

    def tell(self, job: Job) -> str:
        """Return the GID of `job`, and remember it: it will be asked for."""
        name = gid(job)
        self._known[name] = job.id
        self._known.move_to_end(name)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return name

    async def find(self, text: str, caller: Principal) -> Job:
        """Return the download within the reach of `caller`. Raises `RpcError`; out of reach looks like not there."""
        part = check(text)
        found = await (self._whole(part, caller) if len(part) == LENGTH else self._beginning(part, caller))
        if found is None or found.kind != KIND or not caller.reaches(found.owner):
            raise RpcError(f"GID {part} is not found")
        self.tell(found)
        return found

    async def taken(self, name: str, caller: Principal) -> bool:
        """Tell whether a download has this GID already."""
        return await self._whole(name, caller) is not None

    async def _whole(self, name: str, caller: Principal) -> Job | None:
        store, who = self._ledger.store, caller.user_id or caller.name
        if (chosen := await store.by_key(f"{who}/{key_for(name)}/0")) is not None:
            return chosen
        if (known := self._known.get(name)) is not None and (job := await self._get(known)) is not None:
            return job
        for job_id in await store.ids_ending(tail_of(name), 2):
            job = await self._get(job_id)
            if job is not None and gid(job) == name:
                return job
        return None

    async def _beginning(self, part: str, caller: Principal) -> Job | None:
        unfinished = await self._ledger.list(Query(kinds=(KIND,), states=_UNFINISHED, limit=200))
        found = {job.id: job for job in unfinished.items}
        ids = [job_id for name, job_id in self._known.items() if name.startswith(part)][-MOST_ALIKE:]
        for job_id in {*ids, *await self._ledger.store.ids_ending(tail_of(part), MOST_ALIKE)}:
            if job_id not in found and (job := await self._get(job_id)) is not None:
                found[job_id] = job
        fitting = [
            job
            for job in found.values()
            if job.kind == KIND and gid(job).startswith(part) and caller.reaches(job.owner)
        ]
        if len(fitting) > 1:
            raise RpcError(f"GID {part} is not unique: {len(fitting)} downloads begin with it.")
        return fitting[0] if fitting else None

    async def _get(self, job_id: str) -> Job | None:
        try:
            return await self._ledger.get(job_id)
        except NotFound:
            return None

"""Changing one download after it was added: its limit and connections also while it runs, its file before it begins."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from ferryman.accounts.model import Principal
from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Denied, FerryError, Invalid, NotFound
from ferryman.core.paths import join_within
from ferryman.core.units import parse_rate
from ferryman.downloads.model import KIND, DownloadSpec, Text
from ferryman.downloads.order import check_name
from ferryman.downloads.running import Running
from ferryman.jobs.model import Job, State
from ferryman.jobs.service import Ledger
from ferryman.transfer.model import Overwrite
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import parse_source
from ferryman.web.job import job_not_found
from ferryman.web.shapes import Strict, Whole

BEFORE_IT_BEGINS: Final = frozenset({"folder", "name", "checksum", "overwrite"})
"""What is settled once the first byte of a file is written."""
_ALWAYS: Final = frozenset({"category", "priority"})


class DownloadChange(Strict):
    """What to change; what is left out stays. `null` takes a category, a name or a checksum away."""

    rate_limit: Text = Field("0", description="Speed limit, such as `2MB/s`; 0 means none. At once.")
    connections: Annotated[int, Field(ge=1, le=32), Whole] = Field(
        8, description="Most connections to use. At once."
    )
    priority: Annotated[int, Field(ge=0, le=9), Whole] = Field(5, description="0 runs first, 9 last.")
    category: Annotated[Text, Field(max_length=80)] | None = Field(
        None, description="What it is filed under."
    )
    folder: Text = Field("", description="Folder below the download folder; before it begins.")
    name: Text | None = Field(None, description="Name of the file; before it begins.")
    checksum: Text | None = Field(None, description="`ALGO:HEX` of the file; before it begins.")
    overwrite: Overwrite = Field(
        Overwrite.RENAME, description="What to do when the file exists; before it begins."
    )

    def given(self) -> dict[str, Any]:
        """Return what was asked to be changed, by name."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class Changes:
    """Changes downloads. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, running: Running, root: Path) -> None:
        """Change jobs of `ledger`, files below `root`; what runs in this process is told through `running`."""
        self._ledger = ledger
        self._running = running
        self._root = root

    async def change(self, job_id: str, caller: Principal, change: DownloadChange) -> Job:
        """Change a download within the reach of `caller`, all that is asked or nothing, and return it.

        Raises `NotFound`, `Conflict` (`download_begun`, `download_done`), `Invalid` with a message for each wrong field.
        """
        found = await self._ledger.get(job_id)
        if not caller.reaches(found.owner):
            raise job_not_found(job_id)
        given = change.given()
        told = {name: str(value) for name, value in given.items()}
        if not given:
            return found
        job = await self._ledger.change_spec(job_id, self._editor(given), told, caller.name)
        self._running.changed(job, DownloadSpec.model_validate(job.spec))
        if "priority" in given and job.priority != given["priority"]:
            job = await self._ledger.set_priority(job_id, given["priority"])
        return job

    async def set_urls(self, job_id: str, caller: Principal, urls: Sequence[str]) -> Job:
        """Change where a download that does not run comes from: `urls` are mirrors of its file, the best first.

        Raises `NotFound`, `Conflict` (`download_running`), `Denied`, `Invalid`.
        """
        if not caller.reaches((await self._ledger.get(job_id)).owner):
            raise job_not_found(job_id)
        told = {"urls": str(len(urls))}
        return await self._ledger.change_spec(job_id, lambda job: with_urls(job, urls), told, caller.name)

    def _editor(self, given: Mapping[str, Any]) -> Callable[[Job], Job]:
        return lambda job: edited(job, given, self._root)


def edited(job: Job, given: Mapping[str, Any], root: Path) -> Job:
    """Return `job` with what is `given`. Raises what speaks against it."""
    spec = spec_of(job)
    _check_state(job, given)
    values = _read(given, root)
    changed = spec.model_copy(update=values)
    title = changed.name if values.get("name") else job.title
    category = given.get("category", job.category) or None
    return dataclasses.replace(
        job, spec=changed.model_dump(mode="json"), title=title or job.title, category=category
    )


def with_urls(job: Job, urls: Sequence[str]) -> Job:
    """Return `job` with other mirrors, as private as those it was added with. Raises what speaks against it."""
    spec = spec_of(job)
    if job.state in {State.RUNNING, State.SUCCEEDED}:
        raise Conflict(
            "download_running",
            f"'{job.title}' runs or is done: its addresses stay.",
            advice="Pause it to change them.",
        )
    sources, policy = [parse_source(url) for url in urls], AddressPolicy(private=spec.private)
    if not sources:
        raise Invalid("urls_missing", f"'{job.title}' would have no address left.", advice="Keep or add one.")
    known = {(source.host, source.port) for source in map(parse_source, spec.urls)}
    for source in sources:
        policy.check_host(source.host)
        strange = spec.sealed is not None and (source.host, source.port) not in known
        if strange or source.username is not None:
            raise Denied(
                "url_credentials",
                f"'{source.host}' would get the password or the headers of '{job.title}'.",
                advice="Add the download anew for that server.",
            )
    changed = spec.model_copy(update={"urls": [source.url for source in sources]})
    return dataclasses.replace(job, spec=changed.model_dump(mode="json"))


def spec_of(job: Job) -> DownloadSpec:
    """Return the spec of a download. Raises `NotFound` (`download_not_found`) for another kind of job."""
    try:
        if job.kind == KIND:
            return DownloadSpec.model_validate(job.spec)
    except ValidationError as error:
        raise Conflict(
            "spec_invalid",
            f"What '{job.title}' was asked to do is not understood by this version.",
            advice="Add it anew.",
        ) from error
    raise NotFound("download_not_found", f"Job {job.id} is no download.", advice="Use the id of a download.")


def has_begun(job: Job) -> bool:
    """Tell whether the file of a download is settled: it runs, or something of it has arrived."""
    return job.state in {State.RUNNING, State.SUCCEEDED} or job.checkpoint is not None


def _check_state(job: Job, given: Mapping[str, Any]) -> None:
    if job.state is State.SUCCEEDED and set(given) - _ALWAYS:
        raise Conflict(
            "download_done",
            f"'{job.title}' is done: nothing moves any more.",
            advice="Add the address again to fetch it differently.",
        )
    late = sorted(set(given) & BEFORE_IT_BEGINS)
    if late and has_begun(job):
        raise Conflict(
            "download_begun",
            f"'{job.title}' has begun: its {' and '.join(late)} cannot change any more.",
            advice="Cancel it and add it again; limit, connections, priority and category can change.",
        )


def _read(given: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return what is given as the spec keeps it. Raises `Invalid` with a message for each wrong field."""
    readers: dict[str, Callable[[Any], Any]] = {
        "rate_limit": parse_rate,
        "connections": int,
        "folder": lambda text: _folder(text, root),
        "name": lambda text: None if text is None else check_name(text),
        "checksum": lambda text: None if not text else str(Digest.parse(text)),
        "overwrite": lambda choice: choice,
    }
    values: dict[str, Any] = {}
    wrong: dict[str, FerryError] = {}
    for name in given.keys() & readers.keys():
        try:
            values[name] = readers[name](given[name])
        except FerryError as error:
            wrong[name] = error
    if wrong:
        first = wrong[min(wrong)]
        fields = {name: f"{error.message} {error.advice}".strip() for name, error in wrong.items()}
        raise Invalid(first.code, first.message, advice=first.advice, fields=fields)
    if "checksum" in values:
        values["checksum_url"] = None
    return values


def _folder(text: str, root: Path) -> str:
    if text:
        join_within(root, text)
    return text

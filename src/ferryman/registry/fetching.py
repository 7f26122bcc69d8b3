"""Blobs from upstreams: each is fetched once, into the depot, while all who asked for it follow."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Final

import structlog

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid, NotFound, Unavailable
from ferryman.core.ids import new_id
from ferryman.depot.service import BlobWriter, Depot, Hold
from ferryman.oci.blobs import RegistryBlob
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import BlobStream, Source
from ferryman.registry.far import Far, wrong
from ferryman.registry.inflow import Inflow
from ferryman.registry.threads import Threads

MOST: Final = 20_000
"""Blobs that are remembered."""
FETCHES: Final = 16
"""Blobs that arrive at once; others wait."""
TRIES: Final = 5
"""Tries of a blob in a row that bring nothing: as many as a copy has."""
_READERS: Final = 4
_BUFFER: Final = 1 << 20
_PAGE: Final = 500
_LIFETIME_S: Final = 3600.0
_RENEW_S: Final = 600.0
_log = structlog.get_logger("registry.upstream")


class Fetching:
    """For one event loop. Only blobs that a manifest of the repository names are fetched.

    A fetch ends in the depot even when all who asked went away: they come back, or others ask, and nothing is asked twice.
    """

    def __init__(self, depot: Depot, far: Far) -> None:
        """Fetch into `depot`."""
        self._depot, self._far = depot, far
        self._fetches, self._near = Threads(FETCHES), Threads(_READERS)
        self._known: OrderedDict[tuple[str, Digest], Descriptor] = OrderedDict()
        self._running: dict[tuple[Digest, int], tuple[Inflow, asyncio.Task[None]]] = {}
        self._streams: set[RegistryBlob] = set()

    def remember(self, repository: str, blobs: Iterable[Descriptor]) -> None:
        """Know what a manifest names, so that it need not be looked for."""
        for blob in blobs:
            self._known[repository, blob.digest] = blob
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    async def blob(self, repository: str, digest: Digest) -> Inflow | bool:
        """Return the blob as it arrives, True when the depot has it, False when no manifest names it.

        Raises what keeps it from arriving.
        """
        blob = self._known.get((repository, digest))
        if blob is None:
            blob = await self._far.once(
                f"named {repository}@{digest}", lambda: self._look(repository, digest)
            )
        if blob is None:
            return False
        while True:
            running = self._running.get((digest, blob.size))
            if running is None:
                key = f"there {repository}@{digest}"
                if await self._far.once(key, lambda: self._near.call(self._is_there, repository, digest)):
                    return True
                running = self._running.get((digest, blob.size)) or self._begin(repository, blob)
            inflow, task = running
            if inflow.join(repository):
                try:
                    await inflow.begun()
                except FerryError:
                    if inflow.repository == repository:
                        raise
                else:
                    return inflow
            # It ends just now; or it came from another repository, whose upstream failed: this one may have it.
            await asyncio.wait([task])

    def stop(self) -> None:
        """End what is being fetched; it goes on where it was, with the next request. Blocks."""
        for stream in list(self._streams):
            stream.interrupt()
        self._fetches.close()
        self._near.close()

    async def _look(self, repository: str, digest: Digest) -> Descriptor | None:
        found = await self._near.call(self._named, repository, digest)
        if found is not None:
            self.remember(repository, [found])
        return found

    def _named(self, repository: str, digest: Digest) -> Descriptor | None:
        """Look for a blob in the manifests of the repository: what was remembered does not outlive the process."""
        after = ""
        while page := self._depot.manifests(repository, after, _PAGE):
            for entry in page:
                after = str(entry.digest)
                try:
                    manifest = self._depot.manifest(repository, entry.digest)
                except FerryError:
                    continue
                for blob in manifest.blobs:
                    if blob.digest == digest:
                        return blob
        return None

    def _is_there(self, repository: str, digest: Digest) -> bool:
        """Tell whether the depot has the blob, from wherever; then it is the repository's too."""
        if not self._depot.has(digest):
            return False
        try:
            self._depot.link_blob(repository, digest)
        except NotFound:  # it was swept just now
            return False
        return True

    def _begin(self, repository: str, blob: Descriptor) -> tuple[Inflow, asyncio.Task[None]]:
        key = (blob.digest, blob.size)
        inflow = Inflow(blob.size, repository, self._near, lambda: self._depot.path(blob.digest))
        task = asyncio.create_task(self._run(inflow, blob))
        self._running[key] = inflow, task
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return inflow, task

    async def _run(self, inflow: Inflow, blob: Descriptor) -> None:
        """Fetch a blob, and tell those who follow how it ended. Raises nothing."""
        error: FerryError | None = None
        try:
            await self._fetches.call(self._bring, inflow, blob)
        except (Corrupt, Invalid) as problem:
            error = wrong(inflow.repository, problem)
        except FerryError as problem:
            error = problem
        except Exception:  # noqa: BLE001 - those who wait must hear of it, whatever it is
            _log.exception("fetching a blob failed", repository=inflow.repository, digest=str(blob.digest))
            error = Unavailable("upstream_failed", "Fetching failed; the log says why.", advice="Try again.")
        finally:
            inflow.ended(error)
        if error is not None:
            _log.warning(
                "a blob did not arrive",
                repository=inflow.repository,
                digest=str(blob.digest),
                why=error.code,
                what=error.message,
            )

    def _bring(self, inflow: Inflow, blob: Descriptor) -> None:
        """Fetch a blob and make it part of the repositories that asked. Blocks."""
        self._far.check()
        with (
            self._far.client(inflow.repository) as client,
            self._depot.begin(f"pull:{new_id()}", _LIFETIME_S) as hold,
        ):
            hold.keep([blob.digest])
            source = client.source(retries=TRIES)
            while not self._brought(inflow, source, blob, hold):
                # What an earlier attempt left was not what it should be; it is gone now.
                inflow.again()
            for repository in inflow.named():
                self._depot.link_blob(repository, blob.digest)

    def _brought(self, inflow: Inflow, source: Source, blob: Descriptor, hold: Hold) -> bool:
        """Bring a blob; False when it is wrong because of what was there before."""
        origin = self._far.origin(inflow.repository)
        with self._depot.fetching(blob.digest, origin, hold=hold, size=blob.size) as writer:
            before = writer.offset
            with source.open_blob(blob, before) if before < blob.size else nullcontext() as stream:
                inflow.opened(writer.reader(), before)
                if stream is not None:
                    self._pour(stream, writer, inflow, hold)
            if writer.digest() == blob.digest:
                inflow.verified()
            try:
                writer.commit(blob.digest)
            except Corrupt:
                if not before:
                    raise
                return False
        return True

    def _pour(self, stream: BlobStream, writer: BlobWriter, inflow: Inflow, hold: Hold) -> None:
        if isinstance(stream, RegistryBlob):
            self._streams.add(stream)
        self._far.check()
        renew = time.monotonic() + _RENEW_S
        view = memoryview(bytearray(min(_BUFFER, inflow.size)))
        try:
            while count := stream.readinto(view):
                self._far.check()
                if writer.offset + count > inflow.size:
                    raise Corrupt(
                        "blob_too_long", f"The blob has more than {inflow.size} bytes.", advice="Check it."
                    )
                writer.write(view[:count])
                inflow.went_on(writer.offset)
                if time.monotonic() > renew:
                    hold.renew()
                    renew += _RENEW_S
        finally:
            if isinstance(stream, RegistryBlob):
                self._streams.discard(stream)

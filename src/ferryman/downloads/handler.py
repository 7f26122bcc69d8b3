"""The body of a download job: one transfer, watched, stopped when asked, gone on with after any interruption."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.lent import Lent
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox
from ferryman.downloads.claims import Claims
from ferryman.downloads.model import KIND, DownloadSpec, Secrets
from ferryman.downloads.result import result_document
from ferryman.downloads.running import Running
from ferryman.downloads.space import Space
from ferryman.downloads.steps import Step, arrived, follow
from ferryman.downloads.trail import Trail
from ferryman.downloads.watch import Watch
from ferryman.jobs.model import Document
from ferryman.jobs.run import Run, Stopped
from ferryman.transfer import preflight
from ferryman.transfer.model import Options, Phase, Request, Result, Snapshot
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine, Transfer
from ferryman.transfer.service import Stopped as TransferStopped
from ferryman.transfer.small import checksum_at, small_request
from ferryman.transfer.verify import digest_of

PHASES: Final = ("connecting", "downloading", "verifying", "finishing")
"""The phases of a download, in order."""
_ARRIVING: Final = frozenset({Phase.CONNECTING, Phase.DOWNLOADING})


class DownloadHandler:
    """Implements `jobs.ports.Handler` on the one engine of the process.

    `private` says, each time, whether specs may allow private addresses at all; `claims` may be shared with others that write there.
    """

    kind = KIND
    spec = DownloadSpec

    def __init__(
        self,
        engine: Engine,
        root: Path,
        box: SecretBox,
        *,
        private: Callable[[], bool],
        claims: Claims | None = None,
        running: Running | None = None,
        lent: Lent | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        """Write below `root`; open sealed secrets with `box`; tell `running` what moves.

        Cookies and certificates are given to the engine as files of `lent`. `steps` follow the transfer.
        """
        self._engine = engine
        self._root = root
        self._box = box
        self._private = private
        self._claims = claims or Claims()
        self._running = running or Running()
        self._lent = lent or Lent()
        self._steps = steps
        self._space = Space()
        self._received = 0
        self._now: dict[str, int] = {}

    def received(self) -> int:
        """Bytes received since this process started."""
        return self._received + sum(self._now.values())

    async def run(self, spec: DownloadSpec, run: Run) -> Document:
        """Fetch the file. Raises what the transfer raises, and `Stopped` when asked to stop."""
        holder = run.job.id
        try:
            result = await asyncio.to_thread(arrived, run.checkpoint, self._root)
            if result is None:
                request = await asyncio.to_thread(self.request_of, spec)
                with self.lending(request, self.secrets_of(spec)) as given:
                    result = await self._run(spec, given, run)
            return await follow(self._steps, spec, run, result)
        finally:
            self._running.ended(holder)
            self._claims.release(holder)
            self._space.release(holder)
            self._received += self._now.pop(holder, 0)

    async def _run(self, spec: DownloadSpec, request: Request, run: Run) -> Document:
        checksum_url, request = request.checksum_url, replace(request, checksum_url=None)
        if checksum_url and not request.checksum:
            request = replace(request, checksum=await self._listed(request, checksum_url, run))
        trail = Trail.read(run.checkpoint, self._root)
        if trail is not None and await asyncio.to_thread(_is_done, trail, request.checksum):
            run.log.info("The file had arrived before the interruption: nothing is left to do.")
            return _done_before(trail, request)
        return result_document(await self._fetch(spec, request, trail, run))

    def secrets_of(self, spec: DownloadSpec) -> Secrets:
        """Return what is sealed in `spec`. Raises `Corrupt`."""
        return Secrets.model_validate_json(self._box.open(spec.sealed, KIND)) if spec.sealed else Secrets()

    @contextmanager
    def lending(self, request: Request, secrets: Secrets) -> Iterator[Request]:
        """Give `request` with cookies and certificates as files, which are there until the end of the block."""
        texts = (secrets.cookies, secrets.ca, secrets.client_cert, secrets.client_key)
        with self._lent.files(*texts) as (cookies, ca, cert, key):
            options = replace(request.options, cookies=cookies, ca=ca, client_cert=cert, client_key=key)
            yield replace(request, options=options)

    def request_of(self, spec: DownloadSpec) -> Request:
        """Return what the engine is asked to do for `spec`; makes the folder. Raises what stands in the way."""
        secrets = self.secrets_of(spec)
        folder = join_within(self._root, spec.folder) if spec.folder else self._root.absolute()
        preflight.check_folder(folder)
        return self.asked(spec, secrets, folder.resolve())

    def asked(self, spec: DownloadSpec, secrets: Secrets, folder: Path) -> Request:
        """Return the request for `spec` into the existing `folder`."""
        return Request(
            urls=tuple(spec.urls),
            target=folder / spec.name if spec.name else folder,
            folder=spec.name is None,
            checksum=Digest.parse(spec.checksum) if spec.checksum else None,
            checksum_url=spec.checksum_url,
            size=spec.size,
            overwrite=spec.overwrite,
            allow=AddressPolicy(private=spec.private and self._private()),
            options=Options(
                connections=spec.connections,
                rate_limit=spec.rate_limit,
                headers=tuple(secrets.headers),
                username=secrets.username,
                password=secrets.password,
                bearer=secrets.bearer,
                proxy=secrets.proxy,
                insecure=spec.insecure,
            ),
        )

    async def _listed(self, request: Request, url: str, run: Run) -> Digest:
        """Ask the checksum file what the file must be."""
        with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as folder:
            small = small_request(
                url, Path(folder), options=request.options, beside=request.urls[0], allow=request.allow
            )
            result = await _ended(self._engine.submit(small), run)
            digest = checksum_at(result.path.read_bytes(), url, request.urls[0])
        run.log.info(f"{url.partition('?')[0]} says: {digest}")
        return digest

    async def _fetch(self, spec: DownloadSpec, request: Request, trail: Trail | None, run: Run) -> Result:
        loop = asyncio.get_running_loop()
        folder = request.target if request.folder else request.target.parent
        trails: asyncio.Queue[Trail] = asyncio.Queue()

        def told(target: Path, headers: Mapping[str, str]) -> None:
            begun = Trail.begin(target, headers)  # now, while nothing of this run is there
            loop.call_soon_threadsafe(trails.put_nowait, begun)

        def log(level: str, message: str) -> None:
            loop.call_soon_threadsafe(run.log.warning if level == "warning" else run.log.info, message)

        if trail is not None or spec.name is not None:
            wanted = Path(trail.target) if trail else request.target
            target = self._claims.claim(run.job.id, wanted, spec.overwrite)
            request = replace(request, target=target, folder=False)
            if trail is None or str(target) != trail.target:
                trail = Trail.begin(target)
                await run.save(trail.document())
        else:
            name = self._claims.namer(run.job.id, folder, spec.overwrite, told)
            request = replace(request, name=name)
        transfer = self._engine.submit(request, log=log)
        self._running.begun(run.job.id, transfer)
        watch = Watch(transfer, run, trails, trail)
        return await watch.until_end(lambda now: self._seen(run.job.id, now, folder))

    def _seen(self, holder: str, now: Snapshot, folder: Path) -> None:
        """Keep account of room and bytes. Raises `Exhausted` when what is still to come does not fit."""
        self._now[holder] = now.network
        if now.total is not None and now.phase in _ARRIVING:
            self._space.reserve(holder, folder, now.total - now.disk)
        else:
            self._space.release(holder)


async def _ended(transfer: Transfer, run: Run) -> Result:
    """Wait for a small transfer, and stop it when the run has to stop."""
    ended = asyncio.ensure_future(transfer.result())
    stopped = asyncio.ensure_future(run.stopped())
    try:
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            transfer.stop(keep=False)
        return await ended
    except TransferStopped as error:
        raise Stopped from error
    finally:
        stopped.cancel()


def _is_done(trail: Trail, checksum: Digest | None) -> bool:
    """Tell whether the file of an interrupted run is complete, and right where that can be told."""
    if not trail.complete():
        return False
    if checksum is None:
        return True
    with Path(trail.target).open("rb") as file:
        return digest_of(file.fileno(), checksum.algorithm) == checksum


def _done_before(trail: Trail, request: Request) -> Document:
    """Return the result of a file that had arrived when its process was killed."""
    size = trail.total or 0
    digests = (request.checksum,) if request.checksum else ()
    return result_document(
        Result(Path(trail.target), size, digests, seconds=0.0, network=0, resumed=size, url=request.urls[0])
    )

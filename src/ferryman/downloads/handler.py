"""The body of a download job: one transfer, watched, stopped when asked, gone on with after any interruption."""

import asyncio
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox
from ferryman.downloads.model import KIND, DownloadSpec, Secrets
from ferryman.jobs.model import Document, Progress
from ferryman.jobs.run import Run, Stopped, StopReason
from ferryman.transfer import preflight
from ferryman.transfer.model import Options, Request, Result
from ferryman.transfer.naming import name_from
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine, Transfer
from ferryman.transfer.service import Stopped as TransferStopped

PHASES = ("connecting", "downloading", "verifying", "finishing")
"""The phases of a download, in order."""
LOOK = 0.5
"""Seconds between two looks at a transfer."""


class DownloadHandler:
    """Implements `jobs.ports.Handler` on the one engine of the process."""

    kind = KIND
    spec = DownloadSpec

    def __init__(self, engine: Engine, root: Path, box: SecretBox) -> None:
        """Write below `root`; open sealed secrets with `box`."""
        self._engine = engine
        self._root = root
        self._box = box

    async def run(self, spec: DownloadSpec, run: Run) -> Document:
        """Fetch the file. Raises what the transfer raises, and `Stopped` when asked to stop."""
        request = self.request_of(spec)
        await asyncio.to_thread(
            preflight.check_folder, request.target if request.folder else request.target.parent
        )
        loop = asyncio.get_running_loop()

        def log(level: str, message: str) -> None:
            write = run.log.warning if level == "warning" else run.log.info
            loop.call_soon_threadsafe(write, message)

        transfer = self._engine.submit(request, log=log)
        result = await self._watch(transfer, run)
        return result_document(result)

    def request_of(self, spec: DownloadSpec) -> Request:
        """What the engine is asked to do. Raises `Invalid` for a folder that leads out of the root."""
        secrets = Secrets.model_validate_json(self._box.open(spec.sealed, KIND)) if spec.sealed else Secrets()
        folder = join_within(self._root, spec.folder) if spec.folder else self._root
        return Request(
            urls=tuple(spec.urls),
            target=folder / spec.name if spec.name else folder,
            folder=spec.name is None,
            name=None if spec.name else name_from,
            checksum=Digest.parse(spec.checksum) if spec.checksum else None,
            checksum_url=spec.checksum_url,
            overwrite=spec.overwrite,
            allow=AddressPolicy(private=spec.private),
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

    async def _watch(self, transfer: Transfer, run: Run) -> Result:
        ended = asyncio.ensure_future(transfer.result())
        stopped = asyncio.ensure_future(run.stopped())
        try:
            while True:
                await asyncio.wait({ended, stopped}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                await self._show(transfer, run)
                if ended.done():
                    return ended.result()
                if stopped.done():
                    await self._stop(transfer, ended, keep=stopped.result() is not StopReason.CANCEL)
        except TransferStopped as error:
            raise Stopped from error
        finally:
            stopped.cancel()
            if not ended.done():
                transfer.stop()
                ended.cancel()

    async def _stop(self, transfer: Transfer, ended: "asyncio.Future[Result]", *, keep: bool) -> None:
        """Stop and wait until nothing of the transfer moves; a cancelled download leaves nothing behind."""
        transfer.stop(keep=keep)
        await asyncio.wait({ended})
        ended.result()

    async def _show(self, transfer: Transfer, run: Run) -> None:
        now = transfer.snapshot()
        run.progress(
            Progress(
                total=now.total,
                network=now.network,
                disk=now.disk,
                verified=now.verified,
                rate=now.rate,
                eta=now.eta,
                slow=now.slow,
                connections=now.connections,
            )
        )
        if run.stop_reason is None:
            await run.phase(str(now.phase))


def result_document(result: Result) -> Document:
    """What is recorded of a finished transfer, and what `ferry get --json` prints."""
    return {
        "path": str(result.path),
        "size": result.size,
        "digests": [str(digest) for digest in result.digests],
        "seconds": round(result.seconds, 3),
        "network": result.network,
        "resumed": result.resumed,
        "url": result.url,
        "etag": result.etag,
        "mime": result.mime,
        "renamed": result.renamed,
        "skipped": result.skipped,
    }

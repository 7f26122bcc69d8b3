"""Brings blobs into the depot: small ones in one go, large ones by the transfer engine, over several connections."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Corrupt, Denied, FerryError
from ferryman.depot.copying.meter import Item, Meter, Stopped
from ferryman.depot.copying.model import Place
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot, Hold
from ferryman.oci.client import RegistryClient
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ports import BlobStream, Source
from ferryman.transfer.model import Options, Overwrite, Request, Result, Snapshot
from ferryman.transfer.service import Engine, Transfer
from ferryman.transfer.service import Stopped as TransferStopped

LARGE: Final = 32 * 1024 * 1024
"""Bytes from which the engine fetches a blob: below, its journal and ranges cost more than they bring."""
LOOK: Final = 0.2
"""Seconds between two looks at a transfer."""
_PIECE: Final = 1024 * 1024


def worth_engine(blob: Descriptor) -> bool:
    """Tell whether the engine should fetch a blob."""
    return blob.size >= LARGE


class Store:
    """Fetches blobs into a depot, each once at a time however many ask. Thread-safe. Implements `movers.Keeper`."""

    def __init__(
        self,
        depot: Depot,
        hold: Hold,
        origin: Callable[[Place], Origin],
        source: Callable[[Place], Source],
        meter: Meter,
        *,
        engine: Engine | None = None,
        client: Callable[[Place], RegistryClient | None] = lambda _: None,
        connections: int = 4,
    ) -> None:
        """Keep what arrives with `hold`. Without `engine`, or where `client` has none, all blobs come in one go."""
        self._depot, self._hold, self._origin, self._source, self._meter = depot, hold, origin, source, meter
        self._engine, self._client, self._connections = engine, client, connections
        self._lock = threading.Lock()
        self._busy: dict[Digest, threading.Lock] = {}
        self._engaged = 0

    def open(self, blob: Descriptor, offset: int) -> BlobStream:
        """Open a blob that is in the depot."""
        return self._depot.open(blob.digest, offset)

    def fetch(self, blob: Descriptor, source: Place, item: Item) -> None:
        """Bring a blob into the depot; nothing happens when it is there. Raises `Stopped`."""
        with self._lock:
            alone = self._busy.setdefault(blob.digest, threading.Lock())
        with alone:
            if blob.digest in self._hold.keep([blob.digest]):
                item.show(blob.size, 0)
                return
            client = self._client(source) if self._engine and worth_engine(blob) else None
            if client is None or not self._by_engine(blob, source, client, item):
                self._in_one_go(blob, source, item)

    def _in_one_go(self, blob: Descriptor, source: Place, item: Item) -> None:
        origin = self._origin(source)
        with self._depot.fetching(blob.digest, origin, hold=self._hold, size=blob.size) as writer:
            try:
                item.begin(writer.offset)
                self._pour(blob, source, item, writer.write, writer.offset)
            except (FerryError, Stopped) as error:
                if not isinstance(error, Corrupt):
                    writer.suspend()  # the next attempt goes on from here
                raise
            writer.commit(blob.digest)

    def _pour(
        self, blob: Descriptor, source: Place, item: Item, write: Callable[[memoryview], int], offset: int
    ) -> None:
        if offset >= blob.size:
            return
        view = memoryview(bytearray(min(_PIECE, blob.size)))
        with self._source(source).open_blob(blob, offset) as stream:
            while count := stream.readinto(view):
                write(view[:count])
                item.tell(count)

    # By the engine

    def _by_engine(self, blob: Descriptor, source: Place, client: RegistryClient, item: Item) -> bool:
        """Fetch it with the engine; False when another process does just that."""
        path = self._depot.partial(blob.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and self._adopted(blob, source, verify=True):
            item.show(blob.size, 0)
            return True
        self._depot.check_room(blob.size)
        with self._engages():
            return self._engaged_with(blob, source, client, item)

    def _engaged_with(self, blob: Descriptor, source: Place, client: RegistryClient, item: Item) -> bool:
        before = -1
        while True:
            transfer = self._submit(blob, client)
            try:
                self._watch(transfer, item)
            except Denied:
                # A token lives about a minute: whatever a new one brought further is worth another.
                now = transfer.snapshot().disk
                if now <= before:
                    raise
                before = now
                continue
            except Conflict:
                return False
            return self._adopted(blob, source, verify=False)

    def _submit(self, blob: Descriptor, client: RegistryClient) -> Transfer:
        assert self._engine is not None
        asked, options = client.blob_request(blob), client.options
        request = Request(
            (asked.url,),
            self._depot.partial(blob.digest),
            options=Options(
                connections=self._connections,
                rate_limit=self._meter.share(self._engaged),
                headers=asked.headers,
                proxy=options.proxy,
                no_proxy_env=options.no_proxy_env,
                ca=options.ca,
                client_cert=options.client_cert,
                client_key=options.client_key,
                insecure=options.insecure,
                connect_timeout=options.connect_timeout,
                stall_timeout=options.stall_timeout,
            ),
            checksum=blob.digest,
            size=blob.size,
            overwrite=Overwrite.OVERWRITE,
            allow=options.allow,
        )
        return self._engine.submit(request)

    def _watch(self, transfer: Transfer, item: Item) -> Result:
        last, rate = Snapshot(), self._meter.share(self._engaged)
        while True:
            try:
                result = transfer.wait(LOOK)
            except TimeoutError:
                if rate != (now_rate := self._meter.share(self._engaged)):
                    transfer.set_rate(rate := now_rate)
                now = transfer.snapshot()
                item.show(now.disk, max(0, now.network - last.network))
                last = now
                if self._meter.stopping:
                    transfer.stop()
                continue
            except TransferStopped as error:
                raise Stopped from error
            item.show(result.size, max(0, result.network - last.network))
            item.resumed(result.resumed)
            return result

    @contextlib.contextmanager
    def _engages(self) -> Iterator[None]:
        """Count a blob that the engine brings: those that it brings at the same time share the limit."""
        with self._lock:
            self._engaged += 1
        try:
            yield
        finally:
            with self._lock:
                self._engaged -= 1

    def _adopted(self, blob: Descriptor, source: Place, *, verify: bool) -> bool:
        path = self._depot.partial(blob.digest)
        with contextlib.suppress(Corrupt):
            self._depot.adopt(path, blob.digest, self._origin(source), self._hold, verify=verify)
            return True
        path.unlink(missing_ok=True)
        return False

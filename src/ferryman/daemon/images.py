"""Builds what copies images: the depot of this home, the handler of copy jobs, and their API."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter

from ferryman.accounts.audit import Audit
from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import Clock
from ferryman.core.lent import Lent
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.daemon.upkeep import UpkeepRooms, upkeep_rooms
from ferryman.db import Database
from ferryman.depot.bundles.folder import BundleFolder
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.uploads import Uploads
from ferryman.depot.service import Depot
from ferryman.downloads.models import api as models_api
from ferryman.downloads.models import pages as models_pages
from ferryman.downloads.models import pages_add as models_add
from ferryman.downloads.models.library import Library
from ferryman.downloads.models.look import Looks
from ferryman.images import api as images_api
from ferryman.images import api_bundle_files, api_bundles, pages_bundles
from ferryman.images import pages as images_pages
from ferryman.images.bundle_handler import BUNDLE, BundleHandler, Bundles
from ferryman.images.copy_handler import CopyHandler, CopyRooms
from ferryman.images.model import KIND as COPY
from ferryman.images.reach import Reach
from ferryman.images.service import Copies
from ferryman.jobs.ports import Handler
from ferryman.jobs.service import Ledger
from ferryman.oci.capitals import spelled
from ferryman.oci.client import RegistryClient
from ferryman.oci.options import RegistryOptions
from ferryman.oci.pulling import RegistrySource
from ferryman.oci.reference import Reference
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine
from ferryman.web.pages import Renderer
from ferryman.web.part import Part


@dataclass(frozen=True, slots=True)
class BundleRooms:
    """What carries bundles, and their part of the web."""

    handler: BundleHandler
    folder: BundleFolder
    uploads: Uploads
    keys: Keys
    audit: Audit

    def part(self, depot: Depot, ledger: Ledger, renderer: Renderer) -> Part:
        """Return what they bring to the web."""
        routes = APIRouter()
        routes.include_router(api_bundles.router(Bundles(ledger), self.folder, self.keys, self.audit))
        routes.include_router(
            api_bundle_files.router(self.folder, self.uploads, depot, self.keys, self.audit)
        )
        pages = pages_bundles.router(depot, ledger, self.folder, self.keys, renderer)
        return Part("bundles", api=routes, pages=pages, bodies=api_bundle_files.BODIES)


@dataclass(frozen=True, slots=True)
class ImageRooms:
    """The depot and what works on it. A `core.lifecycle.Service` that closes connections at the end."""

    depot: Depot
    reach: Reach
    handler: CopyHandler
    copies: Copies
    ledger: Ledger
    upkeep: UpkeepRooms
    bundles: BundleRooms

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers of their jobs by kind."""
        return {COPY: self.handler, BUNDLE: self.bundles.handler, **self.upkeep.handlers()}

    def parts(self, renderer: Renderer) -> tuple[Part, ...]:
        """Return what they bring to the web."""
        routes = images_api.router(self.copies, self.handler, self.depot, self.ledger)
        pages = images_pages.router(self.depot, self.ledger, self.handler, renderer)
        library, looks = Library(self.depot), Looks(self.depot, shelf)
        return (
            Part(
                "models",
                api=models_api.router(library, looks, self.copies.private),
                pages=models_pages.router(library, renderer),
            ),
            Part(
                "picker", pages=models_add.router(library, looks, self.ledger, renderer, self.copies.private)
            ),
            Part("images", api=routes, pages=pages, bodies=images_api.BODIES),
            self.upkeep.part(),
            self.bundles.part(self.depot, self.ledger, renderer),
        )

    async def start(self) -> None:
        """Begin what runs by itself; no connection is opened before it is needed."""
        await self.upkeep.nightly.start()

    async def stop(self) -> None:
        """Stop that, and close the connections that stayed open."""
        await self.upkeep.nightly.stop()
        await asyncio.to_thread(self.reach.close)


@contextlib.contextmanager
def shelf(reference: Reference, plain_http: bool, private: bool) -> Iterator[RegistrySource]:
    """Open a repository to look at what is in it: somebody waits for the answer, so it is tried once more and no longer."""
    rule = AddressPolicy(private=private)
    options = RegistryOptions(
        plain_http=plain_http, allow=rule, retries=1, connect_timeout=5, stall_timeout=8
    )
    name = spelled(reference.repository)
    with RegistryClient(reference.host, reference.repository, options, spelled=name) as client:
        yield client.source()


def image_rooms(
    home: Path,
    database: Database,
    ledger: Ledger,
    clock: Clock,
    live: Live,
    box: SecretBox,
    engine: Engine,
    audit: Audit,
) -> ImageRooms:
    """Build them on `database`; copies are jobs of `ledger`, large blobs come by `engine`."""
    depot = Depot(
        live.now().depot,
        database,
        clock,
        quota=lambda: live.now().depot_bytes,
        rules=lambda: live.now().depot_retention,
        lazy=lambda: [one.name for one in parse_upstreams(live.now().registry_upstreams)],
    )
    reach = Reach(Lent(home / "keys" / "lent-images"))
    rooms = CopyRooms(depot, engine, box, reach, home / "depot" / "copying", clock)
    return ImageRooms(
        depot,
        reach,
        CopyHandler(rooms, private=lambda: live.now().private_addresses != "deny"),
        Copies(ledger, live, box),
        ledger,
        upkeep_rooms(depot, ledger, clock, live, home),
        _bundle_rooms(home, depot, clock, live, audit),
    )


def _bundle_rooms(home: Path, depot: Depot, clock: Clock, live: Live, audit: Audit) -> BundleRooms:
    keys, folder = Keys(home / "keys"), BundleFolder(home / "bundles", lambda: live.now().bundle_bytes)
    return BundleRooms(BundleHandler(depot, folder.path, keys), folder, Uploads(folder, clock), keys, audit)

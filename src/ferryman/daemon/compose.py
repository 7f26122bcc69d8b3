"""Builds everything a daemon needs, in the order in which it depends on each other."""

import asyncio
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, FastAPI

from ferryman import __version__
from ferryman.accounts.audit import Audit
from ferryman.accounts.service import Accounts, SessionPolicy
from ferryman.accounts.throttle import Throttle
from ferryman.console import api as console_api
from ferryman.console import pages as console_pages
from ferryman.core.clock import SystemClock
from ferryman.core.lent import Lent
from ferryman.core.lifecycle import Lifecycle, Service
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Settings
from ferryman.daemon.front import Front
from ferryman.daemon.images import ImageRooms, image_rooms
from ferryman.daemon.registry import registry_of
from ferryman.daemon.rules import HOOK, HOOK_PHASES, RuleRooms, rule_rooms
from ferryman.daemon.upkeep import UPKEEP_PHASES
from ferryman.db import Database, sqlite_url
from ferryman.downloads import api as downloads_api
from ferryman.downloads import pages as downloads_pages
from ferryman.downloads.api_reading import BODIES
from ferryman.downloads.aria2 import api as aria2_api
from ferryman.downloads.aria2.door import Door
from ferryman.downloads.aria2.gids import Gids
from ferryman.downloads.aria2.house import House
from ferryman.downloads.change import Changes
from ferryman.downloads.discard import Discard
from ferryman.downloads.handler import PHASES, DownloadHandler
from ferryman.downloads.history import api as history_api
from ferryman.downloads.history import pages as history_pages
from ferryman.downloads.history.retention import Retention
from ferryman.downloads.history.service import History
from ferryman.downloads.history.sql import FilterStore
from ferryman.downloads.model import KIND
from ferryman.downloads.preview import Previews
from ferryman.downloads.running import Running
from ferryman.downloads.service import Downloads
from ferryman.downloads.speed import Speed
from ferryman.downloads.sweep import Sweeper
from ferryman.images import pages as images_pages
from ferryman.images.bundle_handler import BUNDLE
from ferryman.images.bundle_handler import PHASES as BUNDLE_PHASES
from ferryman.images.copy_handler import ITEMS as COPY_ITEMS
from ferryman.images.copy_handler import PHASES as COPY_PHASES
from ferryman.images.model import KIND as COPY
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.purge import Purger
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.statistics.service import Statistics, TrafficKeeper
from ferryman.jobs.worker import Worker
from ferryman.registry.app import Registry
from ferryman.settings.follow import Following
from ferryman.settings.service import SettingsService
from ferryman.transfer.model import Limits
from ferryman.transfer.service import Engine
from ferryman.web.app import build_app
from ferryman.web.feed import LedgerFeed, job_figures, reason_figures, transfer_figures
from ferryman.web.health import health_router
from ferryman.web.metrics import metrics_router
from ferryman.web.pages import Renderer
from ferryman.web.part import Part
from ferryman.web.stream import events_router

MOST_TRANSFERS: Final = 300
"""More than the jobs that run at once at most: the engine's own limit never holds one of them back."""


class EngineService:
    """The transfer engine as a `core.lifecycle.Service`."""

    def __init__(self, engine: Engine) -> None:
        """Run `engine`."""
        self._engine = engine

    async def start(self) -> None:
        """Start its loop thread."""
        self._engine.start()

    async def stop(self) -> None:
        """Stop all transfers, keeping what arrived; what is being finished is finished."""
        await asyncio.to_thread(self._engine.close)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The objects of one process. `life` starts and stops what runs; the database is closed after it."""

    app: FastAPI
    front: Front
    live: Live
    ledger: Ledger
    accounts: Accounts
    database: Database
    life: Lifecycle


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the application is built from."""

    live: Live
    settings: SettingsService
    database: Database
    engine: Engine
    ledger: Ledger
    audit: Audit
    accounts: Accounts
    handler: DownloadHandler
    downloads: Downloads
    previews: Previews
    speed: Speed
    changes: Changes
    rules: RuleRooms
    images: ImageRooms
    statistics: Statistics
    history: History


def database_of(settings: Settings) -> Database:
    """The database of a home, not yet migrated."""
    return Database(settings.database_url or sqlite_url(settings.home / "ferry.db"))


def compose(settings: Settings, *, local_token: str | None = None) -> Daemon:
    """Build a daemon and bring its database to the present version. Blocks; starts nothing.

    From here on `Live` says what the settings are: what the console stored is laid over `settings`. Raises `Conflict`
    (`database_newer`), `Unavailable`.
    """
    database = database_of(settings)
    try:
        database.migrate()
        rooms = _rooms(settings, database)
    except BaseException:
        database.close_now()
        raise
    worker = Worker(
        rooms.ledger,
        {KIND: rooms.handler, HOOK: rooms.rules.handler, **rooms.images.handlers()},
        limits=lambda: rooms.live.now().limits,
        alone=database.sqlite,  # the lock on the home lets no other daemon live
    )
    rooms.live.subscribe(lambda _: rooms.ledger.look())
    folder = rooms.live.now().downloads
    sweeper = Sweeper(rooms.ledger, folder)
    purger = Purger(rooms.ledger, {KIND: Discard(rooms.ledger, folder)})
    keeper = TrafficKeeper(database, SystemClock(), rooms.handler.received)
    following = [] if database.sqlite else [Following(rooms.settings)]
    retention = Retention(rooms.history, rooms.live)
    services: list[Service] = [*following, sweeper, purger, keeper, rooms.rules.failures, retention]
    app = _app(rooms, local_token)
    registry = _registry(rooms, settings, app, local_token)
    front = Front(registry, app, bound_to=rooms.live.now().host)
    life = Lifecycle(EngineService(rooms.engine), rooms.images, *services, registry, worker)
    return Daemon(app, front, rooms.live, rooms.ledger, rooms.accounts, database, life)


def _registry(rooms: Rooms, settings: Settings, app: FastAPI, local_token: str | None) -> Registry:
    clock = SystemClock()
    return registry_of(
        rooms.images.depot,
        rooms.accounts,
        settings.home,
        live=rooms.live,
        clock=clock,
        count=app.state.requests.count,
        local_token=lambda: local_token,
        record=rooms.audit.within,
    )


def _rooms(settings: Settings, database: Database) -> Rooms:
    clock, live = SystemClock(), Live(settings)
    ledger = Ledger(SqlStore(database), LocalDispatch(), Hub(), clock, settings.home)
    audit = Audit(database, clock)
    box = SecretBox(settings.home / "keys" / "secret.key")
    service = SettingsService(database, live, audit, clock, box)
    started = service.load_now()
    # The ledger says how many downloads run; previews and checksum files must not wait for one of their places.
    engine = Engine(Limits(active=MOST_TRANSFERS))
    running, rules = Running(), rule_rooms(database, ledger, clock, live, box)
    handler = DownloadHandler(
        engine,
        started.downloads,
        box,
        private=lambda: live.now().private_addresses != "deny",
        running=running,
        claims=rules.claims,
        steps=rules.steps,
        lent=Lent(settings.home / "keys" / "lent"),
    )
    downloads = Downloads(ledger, live, box, rules.rules, rules.hooks)
    return Rooms(
        live=live,
        settings=service,
        database=database,
        engine=engine,
        ledger=ledger,
        audit=audit,
        accounts=_accounts(database, audit, live),
        handler=handler,
        downloads=downloads,
        previews=Previews(engine, handler, downloads, ledger, rules=rules.rules),
        speed=Speed(engine, service),
        changes=Changes(ledger, running, started.downloads),
        rules=rules,
        images=image_rooms(settings.home, database, ledger, clock, live, box, engine, audit),
        statistics=Statistics(database, clock),
        history=History(ledger, downloads, FilterStore(database), clock),
    )


def _accounts(database: Database, audit: Audit, live: Live) -> Accounts:
    return Accounts(
        database,
        SystemClock(),
        audit=audit,
        sessions=lambda: SessionPolicy(lifetime=live.now().session_hours * 3600.0),
    )


def _figures(rooms: Rooms) -> APIRouter:
    return metrics_router(
        [
            job_figures(rooms.ledger),
            reason_figures(rooms.statistics.reasons),
            transfer_figures(rooms.handler.received),
        ]
    )


def _app(rooms: Rooms, local_token: str | None) -> FastAPI:
    nav = (*console_pages.NAV[:1], *downloads_pages.NAV, *images_pages.NAV, *console_pages.NAV[1:])
    renderer = Renderer(
        [console_pages.TEMPLATES, downloads_pages.TEMPLATES, images_pages.TEMPLATES], nav, __version__
    )
    return build_app(
        _parts(rooms, renderer),
        authority=rooms.accounts,
        renderer=renderer,
        routers=[
            health_router({"database": rooms.database.answers}),
            _figures(rooms),
            _aria2(rooms, local_token),
        ],
        host=rooms.live.now().host,
        local_token=local_token,
    )


def _parts(rooms: Rooms, renderer: Renderer) -> tuple[Part, ...]:
    ledger, settings = rooms.ledger, rooms.settings
    console = console_pages.router(
        ledger,
        rooms.accounts,
        rooms.audit,
        rooms.statistics,
        settings=settings,
        renderer=renderer,
        phases={KIND: PHASES, HOOK: HOOK_PHASES, COPY: COPY_PHASES, BUNDLE: BUNDLE_PHASES, **UPKEEP_PHASES},
        items={COPY: COPY_ITEMS},
    )
    console_routes = console_api.router(ledger, rooms.accounts, rooms.audit, settings, rooms.statistics)
    return (
        Part("events", api=events_router(LedgerFeed(ledger))),
        Part("console", api=console_routes, pages=console),
        *rooms.rules.parts(rooms.live, renderer),
        *rooms.images.parts(renderer),
        _history(rooms, renderer),
        Part(
            "downloads",
            api=downloads_api.router(rooms.downloads, rooms.previews, rooms.speed, ledger, rooms.changes),
            pages=downloads_pages.router(ledger, rooms.live, rooms.speed, renderer, rooms.rules.rules),
            bodies=BODIES,
        ),
    )


def _history(rooms: Rooms, renderer: Renderer) -> Part:
    history, ledger = rooms.history, rooms.ledger
    pages = history_pages.router(history, ledger, rooms.accounts, live=rooms.live, renderer=renderer)
    return Part("history", api=history_api.router(history, ledger), pages=pages, bodies=history_api.BODIES)


def _aria2(rooms: Rooms, local_token: str | None) -> APIRouter:
    """Return the JSON-RPC interface of aria2."""
    live = rooms.live
    house = House(
        rooms.ledger,
        rooms.downloads,
        rooms.changes,
        rooms.settings,
        rooms.speed,
        Gids(rooms.ledger),
        live.now().downloads,
    )
    door = Door(rooms.accounts, Throttle(SystemClock()), local_token)
    return aria2_api.router(house, door, enabled=lambda: live.now().rpc, host=live.now().host)

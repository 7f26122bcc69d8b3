"""Builds everything a daemon needs, in the order in which it depends on each other."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import FastAPI

from ferryman import __version__
from ferryman.accounts.audit import Audit
from ferryman.accounts.service import Accounts, SessionPolicy
from ferryman.console import api as console_api
from ferryman.console import pages as console_pages
from ferryman.core.clock import SystemClock
from ferryman.core.lifecycle import Lifecycle
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Settings
from ferryman.core.units import parse_rate
from ferryman.db import Database, sqlite_url
from ferryman.downloads import api as downloads_api
from ferryman.downloads import pages as downloads_pages
from ferryman.downloads.handler import PHASES, DownloadHandler
from ferryman.downloads.model import KIND
from ferryman.downloads.service import Downloads
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.worker import Worker
from ferryman.transfer.model import Limits
from ferryman.transfer.service import Engine
from ferryman.transfer.timetable import Timetable
from ferryman.web.app import build_app
from ferryman.web.feed import LedgerFeed
from ferryman.web.health import health_router
from ferryman.web.metrics import Gauge, Sample, metrics_router
from ferryman.web.pages import Renderer
from ferryman.web.part import Part
from ferryman.web.stream import events_router


class EngineService:
    """The transfer engine as a `core.lifecycle.Service`."""

    def __init__(self, engine: Engine) -> None:
        """Run `engine`."""
        self._engine = engine

    async def start(self) -> None:
        """Start its loop thread."""
        self._engine.start()

    async def stop(self) -> None:
        """Stop all transfers, keeping what arrived."""
        self._engine.close()


@dataclass(frozen=True, slots=True)
class Daemon:
    """The objects of one process. `life` starts and stops what runs; the database is closed after it."""

    app: FastAPI
    ledger: Ledger
    accounts: Accounts
    database: Database
    life: Lifecycle


def database_of(settings: Settings) -> Database:
    """The database of a home, not yet migrated."""
    return Database(settings.database_url or sqlite_url(settings.home / "ferry.db"))


def compose(settings: Settings, *, local_token: str | None = None) -> Daemon:
    """Build a daemon on a migrated database. Raises `Invalid` for a speed limit that is none."""
    clock = SystemClock()
    database = database_of(settings)
    database.migrate()
    ledger = Ledger(SqlStore(database), LocalDispatch(), Hub(), clock, settings.home)
    audit = Audit(database, clock)
    accounts = Accounts(
        database, clock, audit=audit, sessions=SessionPolicy(lifetime=settings.session_hours * 3600.0)
    )
    engine = engine_of(settings)
    box = SecretBox(settings.home / "keys" / "secret.key")
    worker = Worker(
        ledger,
        {KIND: DownloadHandler(engine, settings.downloads, box)},
        concurrency=settings.worker_concurrency,
        kind_limits={KIND: settings.download_concurrency},
    )
    downloads = Downloads(ledger, settings, box)
    app = _app(settings, ledger, accounts, audit, downloads, database, local_token)
    return Daemon(app, ledger, accounts, database, Lifecycle(EngineService(engine), worker))


def engine_of(settings: Settings) -> Engine:
    """The transfer engine with the global limits of the settings."""
    rate = parse_rate(settings.rate_limit)
    engine = Engine(Limits(active=settings.download_concurrency), rate_limit=rate)
    timetable = Timetable.parse(settings.rate_schedule)
    if timetable.rules:
        engine.set_timetable(lambda now: timetable.rate_at(now, rate))
    return engine


def _app(
    settings: Settings,
    ledger: Ledger,
    accounts: Accounts,
    audit: Audit,
    downloads: Downloads,
    database: Database,
    local_token: str | None,
) -> FastAPI:
    nav = (*console_pages.NAV[:1], *downloads_pages.NAV, *console_pages.NAV[1:])
    renderer = Renderer([console_pages.TEMPLATES, downloads_pages.TEMPLATES], nav, __version__)
    parts = (
        Part("events", api=events_router(LedgerFeed(ledger))),
        Part(
            "console",
            api=console_api.router(ledger, accounts, audit, settings),
            pages=console_pages.router(
                ledger, accounts, audit, settings=settings, renderer=renderer, phases={KIND: PHASES}
            ),
        ),
        Part(
            "downloads",
            api=downloads_api.router(downloads, ledger),
            pages=downloads_pages.router(ledger, settings, renderer),
        ),
    )
    return build_app(
        parts,
        authority=accounts,
        renderer=renderer,
        routers=[
            health_router({"database": database.answers}),
            metrics_router([lambda: _job_samples(ledger)]),
        ],
        host=settings.host,
        local_token=local_token,
    )


async def _job_samples(ledger: Ledger) -> Iterable[Sample]:
    counts = await ledger.counts()
    return [
        Gauge("ferry_jobs", "Jobs in the ledger, by state.", number, (("state", str(state)),))
        for state, number in counts.items()
    ]

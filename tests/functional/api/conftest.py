"""The real rooms on SQLite behind the real application, called without a socket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import ROLE_SCOPES, SCOPES, Role, local_principal
from ferryman.accounts.passwords import Passwords
from ferryman.accounts.service import Accounts
from ferryman.console.api import router
from ferryman.core.clock import SystemClock
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Settings
from ferryman.daemon.images import image_rooms
from ferryman.db import Database
from ferryman.db.database import sqlite_url
from ferryman.downloads import api as downloads_api
from ferryman.downloads.change import Changes
from ferryman.downloads.handler import DownloadHandler
from ferryman.downloads.history import api as history_api
from ferryman.downloads.history.service import History
from ferryman.downloads.history.sql import FilterStore
from ferryman.downloads.hooks import api as hooks_api
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.hooks.sql import HookStore
from ferryman.downloads.preview import Previews
from ferryman.downloads.rules import api as rules_api
from ferryman.downloads.rules.service import Rules
from ferryman.downloads.rules.sql import RuleStore
from ferryman.downloads.running import Running
from ferryman.downloads.service import Downloads
from ferryman.downloads.speed import Speed
from ferryman.jobs.dispatch import LocalDispatch
from ferryman.jobs.hub import Hub
from ferryman.jobs.model import NewJob
from ferryman.jobs.service import Ledger
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.statistics.service import Statistics
from ferryman.settings.service import SettingsService
from ferryman.transfer.service import Engine
from ferryman.web.app import build_app
from ferryman.web.feed import LedgerFeed, job_figures, transfer_figures
from ferryman.web.health import health_router
from ferryman.web.metrics import metrics_router
from ferryman.web.part import Part
from ferryman.web.stream import events_router

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "four plain words here"


@dataclass(frozen=True, slots=True)
class House:
    """The application and the rooms behind it."""

    app: FastAPI
    ledger: Ledger
    accounts: Accounts
    hub: Hub
    database: Database
    engine: Engine


def build(folder: Path, host: str, box: SecretBox | None = None) -> House:
    """Open a house; with a `box` given, nothing is on disk until `database.migrate`."""
    database, clock, hub = Database(sqlite_url(folder / "ferry.db")), SystemClock(), Hub()
    audit = Audit(database, clock)
    accounts = Accounts(database, clock, audit, passwords=Passwords(QUICK))
    ledger = Ledger(SqlStore(database), LocalDispatch(), hub, clock, folder)
    engine, box = Engine(), box or SecretBox(folder / "secret.key")
    settings = SettingsService(database, Live(Settings(home=folder)), audit, clock, box)
    hooks = Hooks(HookStore(database), ledger, clock, box)
    rules = Rules(RuleStore(database), clock, settings.live.now, hooks.resolve)
    downloads = Downloads(ledger, settings.live, box, rules, hooks)
    handler = DownloadHandler(engine, folder / "downloads", box, private=bool)
    speed = Speed(engine, settings)
    history = History(ledger, downloads, FilterStore(database), clock)
    changes = Changes(ledger, Running(), folder / "downloads")
    previews = Previews(engine, handler, downloads, ledger, patience=0.2, rules=rules)
    images = image_rooms(folder, database, ledger, clock, settings.live, box, engine, audit)
    parts = [
        Part("rules", api=rules_api.router(rules)),
        Part("hooks", api=hooks_api.router(hooks)),
        Part("history", api=history_api.router(history, ledger), bodies=history_api.BODIES),
        Part("downloads", api=downloads_api.router(downloads, previews, speed, ledger, changes)),
        *(
            replace(one, pages=None)
            for one in images.parts(cast("Any", None))
            if one.name in {"images", "bundles"}
        ),
        Part("console", api=router(ledger, accounts, audit, settings, Statistics(database, clock))),
        Part("events", api=events_router(LedgerFeed(ledger), pace=0.05, heartbeat=0.2)),
    ]

    async def works() -> bool:
        return await ledger.last_event() >= 0

    open_routes = [
        health_router({"database": works}),
        metrics_router([job_figures(ledger), transfer_figures(lambda: 7)]),
    ]
    app = build_app(parts, authority=accounts, routers=open_routes, host=host, local_token="local-secret")
    return House(app, ledger, accounts, hub, database, engine)


async def people(house: House) -> dict[str, str]:
    """Make one user of each role and return their tokens with all they may do."""
    tokens = {}
    for role in Role:
        user = await house.accounts.create_user(role.value, PASSWORD, role, actor=local_principal())
        _, tokens[role.value] = await house.accounts.create_token(
            user.id, "test", scopes_of(role), actor=local_principal()
        )
    return tokens


def scopes_of(role: Role) -> list[str]:
    return [scope for scope in SCOPES if scope in ROLE_SCOPES[role]]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = build(tmp_path, "127.0.0.1")
    made.database.migrate()
    with made.engine:
        yield made
    await made.database.close()


@pytest.fixture
async def tokens(house: House) -> dict[str, str]:
    return await people(house)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    """A house with users and jobs that lives as long as the tests, and an admin's token."""
    made = build(tmp_path_factory.mktemp("furnished"), "0.0.0.0")  # the test client calls it by another name
    made.database.migrate()

    async def furnish() -> str:
        tokens = await people(made)
        for number in range(5):
            await made.ledger.submit(NewJob("download", f"file {number}", {"url": f"http://host/{number}"}))
        return tokens["admin"]

    with made.engine:
        yield made, asyncio.run(furnish())
    made.database.close_now()

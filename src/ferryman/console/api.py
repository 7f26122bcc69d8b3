"""The API of what crosses features, all routes together."""

from fastapi import APIRouter

from ferryman.accounts.audit import Audit
from ferryman.accounts.service import Accounts
from ferryman.console import (
    api_audit,
    api_jobs,
    api_overview,
    api_queue,
    api_session,
    api_settings,
    api_statistics,
    api_tokens,
    api_users,
)
from ferryman.console.glance import Overview
from ferryman.jobs.service import Ledger
from ferryman.jobs.statistics.service import Statistics
from ferryman.settings.service import SettingsService


def router(
    ledger: Ledger, accounts: Accounts, audit: Audit, settings: SettingsService, statistics: Statistics
) -> APIRouter:
    """Return the routes, to be mounted under `/api/v1`."""
    routes = APIRouter()
    routes.include_router(api_session.router(accounts))
    overview = Overview(ledger, statistics, settings.live.now().downloads)
    routes.include_router(api_overview.router(overview))
    routes.include_router(api_statistics.router(statistics, ledger))
    routes.include_router(api_queue.router(ledger))
    routes.include_router(api_jobs.router(ledger, settings))
    routes.include_router(api_settings.router(settings))
    routes.include_router(api_users.router(accounts))
    routes.include_router(api_tokens.router(accounts))
    routes.include_router(api_audit.router(audit))
    return routes

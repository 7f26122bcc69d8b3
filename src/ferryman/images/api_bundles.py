"""The API of bundles: `/api/v1/bundles`: write and load them as jobs."""

from typing import Annotated

from fastapi import APIRouter

from ferryman.accounts.model import Principal
from ferryman.images.bundle_handler import Bundles, BundleSpec
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view
from ferryman.web.shapes import IdempotencyKey

Writer = Annotated[Principal, allow("depot:write")]


def router(bundles: Bundles) -> APIRouter:
    """Return the routes of bundles, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/bundles", tags=["bundles"])

    @routes.post("", status_code=202)
    async def carry(caller: Writer, order: BundleSpec, idempotency_key: IdempotencyKey = None) -> JobView:
        """Write a bundle into the folder `bundles` of the home, or load one that lies there."""
        return job_view(await bundles.add(order, caller, idempotency_key))

    return routes

"""`/healthz`: the process answers. `/readyz`: it can do its work now. Both are open and say nothing secret."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

Check = Callable[[], Awaitable[bool]]
"""Tells whether one thing works; an error counts as no."""

PATIENCE: Final = 2.0
"""Seconds a check may take."""


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether all works, and each part by name."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


def health_router(checks: Mapping[str, Check]) -> APIRouter:
    """Return the router of both; `checks` are what readiness depends on, such as the database."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> Health:
        """Tell that the process answers."""
        return Health()

    @router.get(
        "/readyz",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Something does not work."}},
    )
    async def readyz() -> Response:
        """Tell whether Ferryman can do its work now."""
        names = list(checks)
        found = await asyncio.gather(*(_works(checks[name]) for name in names))
        ready = all(found)
        body = Readiness(
            status="ready" if ready else "not ready", checks=dict(zip(names, found, strict=True))
        )
        return JSONResponse(body.model_dump(), 200 if ready else 503)

    return router


async def _works(check: Check) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check()
    except Exception:  # noqa: BLE001 - whatever is wrong, the answer is no
        return False

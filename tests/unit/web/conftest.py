from typing import Annotated

import pytest
from fastapi import APIRouter, FastAPI, Form
from pydantic import BaseModel

from ferryman.accounts.model import ROLE_SCOPES, Principal, Role
from ferryman.core.errors import Conflict, Corrupt, Denied, Exhausted, Invalid, NotFound, Unavailable
from ferryman.web.app import build_app
from ferryman.web.auth import Caller, allow
from ferryman.web.health import health_router
from ferryman.web.metrics import Gauge, Sample, metrics_router
from ferryman.web.part import Part

ERRORS = {
    "invalid": Invalid("url_invalid", "'x' is no URL.", advice="Write one.", fields={"url": "no URL"}),
    "denied": Denied("no", "No."),
    "missing": NotFound("job_not_found", "No job 'x'."),
    "clash": Conflict("there", "It is there."),
    "full": Exhausted("disk_full", "The disk is full."),
    "later": Unavailable("busy", "Busy.", retry_after=7.2),
    "corrupt": Corrupt("checksum_mismatch", "Wrong digest."),
}


def principal(role: Role = Role.MEMBER) -> Principal:
    return Principal("u1", "ann", role, ROLE_SCOPES[role], "session")


class Secrets:
    """An authority with one session and one token."""

    async def principal_of_session(self, secret: str) -> tuple[Principal, str] | None:
        return (principal(), "proof") if secret == "open-sesame" else None

    async def principal_of_token(self, secret: str) -> Principal | None:
        return principal(Role.VIEWER) if secret == "ferry_viewer" else None


class Body(BaseModel):
    number: int


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/things/{name}")
    async def get(name: str, caller: Caller) -> str:
        return f"{name} for {caller.name}"

    @router.post("/things/{name}")
    async def post(name: str, body: Body, caller: Annotated[Principal, allow("jobs:write")]) -> int:
        return body.number

    @router.get("/errors/{name}")
    async def fail(name: str) -> None:
        raise ERRORS[name]

    return router


def pages() -> APIRouter:
    router = APIRouter()

    @router.post("/form")
    async def form(text: Annotated[str, Form()], caller: Caller) -> str:
        return text

    return router


async def figures() -> list[Sample]:
    return [Gauge("ferry_jobs", "Jobs by state.", 3, (("state", "running"),))]


async def broken() -> bool:
    raise OSError("gone")


async def fine() -> bool:
    return True


@pytest.fixture
def app() -> FastAPI:
    return build_app(
        [Part("things", api=routes(), pages=pages())],
        authority=Secrets(),
        routers=[health_router({"database": fine}), metrics_router([figures])],
        local_token="local-secret",
    )

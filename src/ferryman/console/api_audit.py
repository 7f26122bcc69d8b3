"""The audit log: `/api/v1/audit`, for `audit:read`."""

import json
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.audit import Audit, AuditQuery
from ferryman.accounts.chain import AuditRow
from ferryman.accounts.model import Principal
from ferryman.web.auth import allow
from ferryman.web.shapes import JsonObject, Limit, Listed, Moment, Text, When, moment, seconds_of

Reader = Annotated[Principal, allow("audit:read")]


class AuditView(BaseModel):
    """Who did what to what. `hash` covers this row and all before it."""

    id: int
    at: Moment
    actor: str
    via: str
    action: str
    target: str
    detail: JsonObject
    hash: str


class InspectionView(BaseModel):
    """What following the whole chain found; `broken` is the first row that is wrong, null when none is."""

    checked: int
    head: str
    broken: int | None = Field(description="Id of the first row that is changed, missing or out of order.")


def audit_view(row: AuditRow) -> AuditView:
    """Return `row` as the API shows it."""
    return AuditView(
        id=row.id,
        at=moment(row.at),
        actor=row.actor,
        via=row.via,
        action=row.action,
        target=row.target,
        detail=json.loads(row.detail),
        hash=row.hash,
    )


def router(audit: Audit) -> APIRouter:
    """Return the routes of the audit log."""
    routes = APIRouter(prefix="/audit", tags=["audit"])

    @routes.get("")
    async def list_audit(
        *,
        _caller: Reader,
        actor: Annotated[Text, Query(description="Who did it, exactly.")] = "",
        action: Annotated[Text, Query(description="Exact, or an area such as `user`.")] = "",
        target: Annotated[Text, Query(description="What it was done to, exactly.")] = "",
        since: Annotated[When | None, Query(description="At this moment or later.")] = None,
        until: Annotated[When | None, Query(description="Before this moment.")] = None,
        cursor: Annotated[
            str | None, Query(pattern=r"^[1-9][0-9]{0,8}$", description="`next_cursor` of the page before.")
        ] = None,
        limit: Limit = 50,
    ) -> Listed[AuditView]:
        """List what was done, the newest first."""
        before = None if cursor is None else int(cursor)
        page = await audit.list(
            AuditQuery(actor, action, target, seconds_of(since), seconds_of(until), before, limit)
        )
        following = None if page.next_before is None else str(page.next_before)
        return Listed(items=[audit_view(row) for row in page.items], next_cursor=following)

    @routes.get("/inspection")
    async def inspect_audit(_caller: Reader) -> InspectionView:
        """Follow the whole chain and tell whether it is whole."""
        found = await audit.inspect()
        return InspectionView(checked=found.checked, head=found.head, broken=found.broken)

    return routes

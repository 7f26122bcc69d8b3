"""The API of the history: sums, export, import, saved filters, pruning. All below `/api/v1/downloads`."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, field_validator
from starlette.responses import StreamingResponse

from ferryman.accounts.model import Principal
from ferryman.downloads.history.export import MEDIA, Form, written
from ferryman.downloads.history.model import SavedFilter, SavedQuery
from ferryman.downloads.history.reading import ListForm, WrongLine
from ferryman.downloads.history.service import MOST_TOLD, History
from ferryman.downloads.model import BODY, KIND, LONGEST_TEXT
from ferryman.jobs.model import State, Summary
from ferryman.jobs.service import Ledger
from ferryman.web.auth import allow
from ferryman.web.filters import Filters, Sort, narrowed
from ferryman.web.job import owner_filter
from ferryman.web.shapes import PRINTABLE, IdempotencyKey, JsonObject, Moment, Strict, moment

Writer = Annotated[Principal, allow("downloads:write")]
Reader = Annotated[Principal, allow("downloads:read")]
Remover = Annotated[Principal, allow("jobs:write")]
FilterId = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Id of the filter.")
]
BODIES: Final = {"/api/v1/downloads/import": BODY}
"""Paths that take long lists."""
_EXPORTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The list, sent while it is read.",
        "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {}}},
    }
}


class Sums(BaseModel):
    """What a filter comes to."""

    number: int = Field(description="Downloads.")
    size: int = Field(description="Bytes of all whose size is known.")
    states: dict[str, int] = Field(description="Downloads in each state.")
    success: float | None = Field(
        description="Share of those that succeeded or failed that succeeded, 0 to 1."
    )
    at_least: bool = Field(description="Whether counting stopped early, so that there are more.")


class ExportQuery(Filters):
    """What is exported, how, and in which order."""

    format: Form = Field(Form.JSON, description="How the list is written.")
    sort: Sort = Field(Sort.LAST_FINISHED, description="The order; a dash means descending.")


class ListOrder(Strict):
    """A list to add."""

    text: Annotated[str, Field(max_length=LONGEST_TEXT, description="The list itself.")]
    format: ListForm = Field(ListForm.AUTO, description="How it is written; `auto` looks.")


class WrongLineView(BaseModel):
    """A line that was not taken."""

    line: int = Field(description="From 1; in JSON the place among the items.")
    field: str
    url: str
    code: str
    detail: str


class Imported(BaseModel):
    """What was added; `refused` is empty unless `partial` was asked for."""

    number: int = Field(description="Downloads that were added.")
    ids: list[str]
    wrong: int = Field(description="Lines that were left out.")
    refused: list[WrongLineView] = Field(description="The first of them.")


class FilterOrder(Strict):
    """A filter to save."""

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=PRINTABLE)]
    query: SavedQuery = Field(description="What it narrows the history to.")


class FilterView(BaseModel):
    """A saved filter."""

    id: str
    name: str
    query: JsonObject
    created_at: Moment


class FilterList(BaseModel):
    """The caller's filters, by name."""

    items: list[FilterView]


class PruneOrder(Strict):
    """What to remove of the ended downloads within reach."""

    days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        0, description="Those that ended more than so many days ago; 0 for none."
    )
    count: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        0, description="The oldest beyond so many; 0 for none."
    )
    dry_run: bool = Field(False, description="Only say how many; nothing is removed.")

    @field_validator("days", "count", mode="before")
    @classmethod
    def _whole(cls, value: object) -> object:
        if isinstance(value, bool | str):
            raise ValueError("write a number")  # noqa: TRY004 - what pydantic turns into its own error
        return value

    @field_validator("dry_run", mode="before")
    @classmethod
    def _flag(cls, value: object) -> object:
        if not isinstance(value, bool):
            raise ValueError("write true or false")  # noqa: TRY004 - what pydantic turns into its own error
        return value


class PrunedView(BaseModel):
    """What was removed, or would be."""

    number: int
    more: bool = Field(description="Whether there are more: ask again.")


def router(history: History, ledger: Ledger) -> APIRouter:
    """Return the routes of the history, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/downloads", tags=["downloads"])
    _add_lists(routes, history, ledger)
    _add_filters(routes, history)

    @routes.post("/prune")
    async def prune(caller: Remover, body: PruneOrder) -> PrunedView:
        """Remove old entries of the history, at most 10,000 at a time. Files stay; for a minute they can be restored."""
        owner = owner_filter(caller)
        done = await history.prune(days=body.days, count=body.count, owner=owner, dry=body.dry_run)
        return PrunedView(number=done.number, more=done.more)

    return routes


def _add_lists(routes: APIRouter, history: History, ledger: Ledger) -> None:
    @routes.get("/summary")
    async def summary(caller: Reader, asked: Annotated[Filters, Query()]) -> Sums:
        """Add up the downloads that fit: number, bytes, states, success."""
        return sums_of(await ledger.summary(narrowed(asked, caller, kinds=(KIND,))))

    @routes.get("/export", response_class=StreamingResponse, responses=_EXPORTS)
    async def export(caller: Reader, asked: Annotated[ExportQuery, Query()]) -> StreamingResponse:
        """Write all downloads that fit as CSV or JSON. Secrets are left out; import takes both forms."""
        jobs = ledger.each(narrowed(asked, caller, kinds=(KIND,), sort=asked.sort))
        name = f"downloads.{asked.format}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(written(jobs, asked.format), headers=headers, media_type=MEDIA[asked.format])

    @routes.post("/import", status_code=202)
    async def take(
        caller: Writer,
        body: ListOrder,
        partial: Annotated[
            bool, Query(description="Take what can be, and say what cannot; otherwise all or none.")
        ] = False,
        idempotency_key: IdempotencyKey = None,
    ) -> Imported:
        """Add the downloads of an exported list, or of one address a line: up to 10,000, all or none."""
        jobs, wrong = await history.take(body.text, body.format, caller, idempotency_key, partial=partial)
        refused = [_wrong(one) for one in wrong[:MOST_TOLD]]
        return Imported(number=len(jobs), ids=[job.id for job in jobs], wrong=len(wrong), refused=refused)


def _add_filters(routes: APIRouter, history: History) -> None:
    @routes.get("/filters")
    async def filters(caller: Reader) -> FilterList:
        """List the filters you saved, by name."""
        return FilterList(items=[_filter(saved) for saved in await history.filters(caller)])

    @routes.post("/filters", status_code=201)
    async def save(caller: Reader, body: FilterOrder) -> FilterView:
        """Save a filter under a name; your filter with the same name is replaced."""
        return _filter(await history.save(body.name, body.query, caller))

    @routes.delete("/filters/{filter_id}", status_code=204)
    async def forget(caller: Reader, filter_id: FilterId) -> None:
        """Delete a filter you saved."""
        await history.forget(filter_id, caller)


def sums_of(found: Summary) -> Sums:
    """Return the sums as the API shows them."""
    done, failed = found.states[State.SUCCEEDED], found.states[State.FAILED]
    return Sums(
        number=found.number,
        size=found.size,
        states={str(state): number for state, number in found.states.items()},
        success=done / (done + failed) if done + failed else None,
        at_least=found.at_least,
    )


def _filter(saved: SavedFilter) -> FilterView:
    created = moment(saved.created_at)
    assert created is not None
    return FilterView(id=saved.id, name=saved.name, query=saved.query, created_at=created)


def _wrong(one: WrongLine) -> WrongLineView:
    return WrongLineView(line=one.line, field=one.field, url=one.url, code=one.error.code, detail=one.text)

"""What every list of jobs can be narrowed to: the names of the API, and the ledger's query that they stand for."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ferryman.accounts.model import Principal
from ferryman.jobs.model import Query, Reason, State
from ferryman.web.job import owner_filter
from ferryman.web.shapes import PRINTABLE, When, seconds_of

Word = Annotated[str, Field(min_length=1, max_length=255, pattern=PRINTABLE)]
Bytes = Annotated[int, Field(ge=0, le=2**53)]


class Sort(StrEnum):
    """Order of a list; a dash means the other way round."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_FINISHED = "-finished_at"
    FIRST_FINISHED = "finished_at"
    LAST_CHANGED = "-updated_at"
    PRIORITY = "priority"
    TITLE = "title"
    TITLE_BACKWARDS = "-title"
    RUN_ORDER = "run_order"
    SMALLEST = "size"
    LARGEST = "-size"


class Filters(BaseModel):
    """What a list of jobs can be narrowed to. Several values of one field mean any of them."""

    state: Annotated[list[State], Field(max_length=20)] = Field([], description="States of the job.")
    q: Annotated[str, Field(max_length=200, pattern=PRINTABLE, description="Words to look for.")] = ""
    reason: Annotated[list[Reason], Field(max_length=20)] = Field(
        [], description="Reasons of failing or waiting."
    )
    category: Annotated[list[Word], Field(max_length=50)] = Field([], description="Categories, by name.")
    host: Annotated[list[Word], Field(max_length=50)] = Field([], description="Hosts the bytes come from.")
    owner: Annotated[
        str | None,
        Field(max_length=100, pattern=PRINTABLE, description="Id of a user, for those who see all."),
    ] = None
    min_size: Bytes | None = Field(None, description="Of this size in bytes or larger.")
    max_size: Bytes | None = Field(None, description="Of this size in bytes or smaller.")
    since: When | None = Field(None, description="Created at this moment or later.")
    until: When | None = Field(None, description="Created before this moment.")
    finished_since: When | None = Field(None, description="Finished at this moment or later.")
    finished_until: When | None = Field(None, description="Finished before this moment.")


class BodyFilters(Filters):
    """The same in the body of a request, where numbers are numbers and moments are text."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("since", "until", "finished_since", "finished_until", mode="before")
    @classmethod
    def _moment(cls, value: object) -> object:
        if value is not None and not isinstance(value, str):
            raise ValueError("write a moment as text")
        return value

    @field_validator("min_size", "max_size", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        if isinstance(value, bool | str):
            raise ValueError("write a number")  # noqa: TRY004 - what pydantic turns into its own error
        return value


def narrowed(
    asked: Filters, caller: Principal, *, kinds: tuple[str, ...] = (), sort: str = Sort.NEWEST
) -> Query:
    """Return the ledger's query for `asked`, narrowed to what `caller` reaches."""
    return Query(
        kinds=kinds,
        states=tuple(asked.state),
        text=asked.q,
        owner=owner_filter(caller) or asked.owner,
        reasons=tuple(asked.reason),
        categories=tuple(asked.category),
        hosts=tuple(asked.host),
        min_size=asked.min_size,
        max_size=asked.max_size,
        since=seconds_of(asked.since),
        until=seconds_of(asked.until),
        finished_since=seconds_of(asked.finished_since),
        finished_until=seconds_of(asked.finished_until),
        sort=sort,
    )

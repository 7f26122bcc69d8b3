"""Shapes that several parts of the API share: pages of a list, times, ids, keys that make a POST safe to repeat."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, TypeVar

from fastapi import Header, Path, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from ferryman.core.clock import rfc3339

Item = TypeVar("Item")

PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: they cannot be stored everywhere and are never meant."""

CURSOR: Final = r"^[A-Za-z0-9_=.:,|-]+$"
"""What a cursor is made of; its meaning is the list's own business."""
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def moment(seconds: float | None) -> datetime | None:
    """Return UNIX seconds as a moment in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def seconds_of(when: datetime | None) -> float | None:
    """Return a moment as UNIX seconds."""
    return None if when is None else when.timestamp()


Moment = Annotated[
    AwareDatetime,
    PlainSerializer(lambda when: rfc3339(when.timestamp()), return_type=str),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A moment, RFC 3339 in UTC with milliseconds."""


def _rfc3339(value: object) -> object:
    """Let only text through that is written as RFC 3339 has it; numbers are not moments."""
    if isinstance(value, str) and not _RFC3339.fullmatch(value):
        raise ValueError("write a moment as RFC 3339 has it, such as 2026-11-25T04:48:00Z")
    return value


def _number(value: object) -> object:
    """Let numbers through, also 9.0, which JSON has no other type for; neither true nor "9" is one."""
    if isinstance(value, bool | str):
        raise ValueError("write a number")  # noqa: TRY004 - what pydantic turns into its own error
    return value


Whole = BeforeValidator(_number)
"""Beside `int`: a whole number as JSON knows it."""
When = Annotated[AwareDatetime, BeforeValidator(_rfc3339)]
"""A moment a caller sends: RFC 3339 with an offset."""


class Strict(BaseModel):
    """A request body: unknown fields are errors, so a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid")


class Listed(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` asks for the next one and is null on the last."""

    items: list[Item]
    next_cursor: str | None


JobId = Annotated[str, Path(max_length=100, description="Id of the job.")]
Cursor = Annotated[
    str | None,
    Query(max_length=500, pattern=CURSOR, description="`next_cursor` of the page before."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items of the page.")]
Text = Annotated[str, Query(max_length=200, pattern=PRINTABLE)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="The same key twice makes one job: the second answer is that of the first.",
    ),
]
JsonObject = dict[str, Any]

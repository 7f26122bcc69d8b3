"""What a hook is, as the API takes it and as the store keeps it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from ferryman.downloads.model import Flag, Text
from ferryman.web.shapes import PRINTABLE, Strict, Whole

KIND: Final = "hook"
"""The kind of jobs that deliver."""
MOST_HOOKS: Final = 100
LONGEST_SECRET: Final = 500

Label = Annotated[str, Field(min_length=1, max_length=80, pattern=PRINTABLE)]


class HookKind(StrEnum):
    """What a hook does."""

    WEBHOOK = "webhook"
    COMMAND = "command"


class HookEvent(StrEnum):
    """What a hook hears of; `PING` is what the test sends."""

    SUCCEEDED = "download.succeeded"
    FAILED = "download.failed"
    PING = "ping"


class Heard(StrEnum):
    """The events a hook may be set up for."""

    SUCCEEDED = "download.succeeded"
    FAILED = "download.failed"


class HookBody(Strict):
    """A hook to make or change. `url` and `secret` are kept encrypted; left empty in a change they stay."""

    name: Label
    kind: HookKind = HookKind.WEBHOOK
    enabled: Flag = True
    events: Annotated[list[Heard], Field(min_length=1, max_length=2)] = Field(
        [Heard.SUCCEEDED], description="What it is called for."
    )
    always: Flag = Field(
        False, description="Call it for every download, not only where a rule or an order says so."
    )
    url: Annotated[str, Field(max_length=2000, pattern=PRINTABLE)] = Field(
        "", description="Where a webhook is sent."
    )
    secret: Annotated[str, Field(max_length=LONGEST_SECRET, pattern=PRINTABLE)] = Field(
        "", description="Key of the signature; a new webhook without one gets a random one."
    )
    command: Annotated[list[Text], Field(max_length=50)] = Field(
        [], description="Program and arguments of a command; no shell reads them."
    )
    timeout: Annotated[int, Field(ge=1, le=3600), Whole] = Field(30, description="Seconds one call may take.")
    attempts: Annotated[int, Field(ge=1, le=20), Whole] = Field(
        8, description="How often a webhook is tried in all; a command is run once."
    )


class HookKept(BaseModel):
    """The part of a hook that is no secret."""

    name: str
    kind: HookKind
    enabled: bool
    events: list[Heard]
    always: bool
    command: list[str]
    timeout: int
    attempts: int
    host: str = ""
    """Where a webhook goes, without path and query."""


class HookSecrets(BaseModel):
    """The part that is sealed."""

    url: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook of the store. Times are UNIX seconds."""

    id: str
    kept: HookKept
    sealed: str
    created_at: float
    updated_at: float


class Delivery(BaseModel):
    """One call of a hook, as the ledger keeps it. `facts` is what is told."""

    hook: str
    event: HookEvent
    facts: dict[str, Any] = {}

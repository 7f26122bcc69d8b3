"""What a rule is, as the API takes it and as the store keeps it."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from ferryman.downloads.model import Flag, Text
from ferryman.web.shapes import PRINTABLE, Strict, Whole

MOST_RULES: Final = 200
NEEDED: Final = "required"
"""The checksum of a rule that wants one, wherever it comes from."""
CHECKSUM_HELP: Final = "`required`, or the address of a checksum file such as `{url}.sha256`."

Label = Annotated[str, Field(min_length=1, max_length=80, pattern=PRINTABLE)]
Short = Annotated[str, Field(min_length=1, max_length=253, pattern=PRINTABLE)]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)]


class RuleBody(Strict):
    """Conditions and effects. All conditions that are given must hold; one without any matches everything."""

    name: Label
    enabled: Flag = True
    extensions: Annotated[list[Short], Field(max_length=100)] = Field(
        [], description="What the name ends with, such as `iso` or `tar.gz`; one of them."
    )
    hosts: Annotated[list[Short], Field(max_length=100)] = Field(
        [], description="`example.org`, or `*.example.org` for all below it; one of them."
    )
    expression: Text = Field("", description="Regular expression (RE2) found in the address.")
    min_size: Text = Field(
        "", description="At least this large, such as `100MB`; only where the size is known."
    )
    max_size: Text = Field("", description="At most this large.")
    category: Annotated[str, Field(max_length=80, pattern=PRINTABLE)] = Field(
        "", description="What it is filed under."
    )
    folder: Text = Field(
        "",
        description="Folder below the download folder; may hold {host}, {category}, {extension}, {date}, {year}, {month}.",
    )
    priority: Annotated[int, Field(ge=0, le=9), Whole] | None = Field(
        None, description="0 runs first, 9 last."
    )
    rate_limit: Text = Field("", description="Speed limit of each, such as `2MB/s`.")
    connections: Annotated[int, Field(ge=1, le=32), Whole] | None = Field(
        None, description="Most connections of each."
    )
    checksum: Text = Field("", description=CHECKSUM_HELP)
    unpack: Flag | None = Field(None, description="Whether archives are unpacked.")
    hooks: Annotated[list[Id], Field(max_length=10)] = Field([], description="Ids of hooks to call.")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the store. Times are UNIX seconds."""

    id: str
    body: RuleBody
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a download when rules are asked. `size` is bytes."""

    url: str
    name: str
    host: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Effects:
    """What follows for one download. None, empty and `()` mean that the rule says nothing about it."""

    category: str | None = None
    folder: str = ""
    priority: int | None = None
    rate_limit: int | None = None
    connections: int | None = None
    checksum_url: str | None = None
    checksum_needed: bool = False
    unpack: bool | None = None
    hooks: tuple[str, ...] = ()


Values = dict[str, Any]

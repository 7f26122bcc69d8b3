"""Which jobs a command is about: named ones, or all that fit a filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from ferryman.core.errors import Invalid


class State(StrEnum):
    """What a job does."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID…]", help="Ids of jobs; the end of an id is enough.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All jobs this can be done to.")]
StateOption = Annotated[list[State] | None, typer.Option(help="All in this state; repeat for several.")]
KindOption = Annotated[list[str] | None, typer.Option(help="All of this kind, such as download.")]
SearchOption = Annotated[
    str, typer.Option("--search", "-s", metavar="WORDS", help="All whose title, source or error has these.")
]
CategoryOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="All filed under this category.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was typed."""

    ids: Sequence[str] | None
    everything: bool = False
    state: Sequence[State] | None = None
    kind: Sequence[str] | None = None
    search: str = ""
    category: Sequence[str] | None = None

    def check(self) -> None:
        """Raise `Invalid` (`usage`) when nothing was chosen, or in two ways."""
        filtered = bool(self.everything or self.state or self.kind or self.search or self.category)
        if bool(self.ids) == filtered:
            raise Invalid(
                "usage",
                "Which jobs was not said." if not filtered else "Jobs were named, and a filter was given.",
                advice="Give ids, or --all, --state, --kind, --search or --category.",
            )

    def filter(self, states: Sequence[State]) -> dict[str, Any]:
        """Return the filter of the API; `states` are those that count when none was given."""
        return {
            "state": [str(state) for state in self.state or states],
            "kind": list(self.kind or ()),
            "q": self.search,
            "category": list(self.category or ()),
        }

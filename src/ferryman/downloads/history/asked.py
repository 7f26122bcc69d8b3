"""What the page of the history is asked for: the texts of its form, read into filters, with what is wrong beside. Pure."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from pydantic import BaseModel, Field, ValidationError

from ferryman.core.errors import Invalid
from ferryman.core.units import parse_size
from ferryman.downloads.history.model import SavedQuery
from ferryman.jobs.model import Reason, State
from ferryman.web.filters import Filters
from ferryman.web.shapes import CURSOR, PRINTABLE

ENDED: Final = (State.SUCCEEDED, State.FAILED, State.CANCELLED)
SORTS: Final = (
    "-finished_at",
    "finished_at",
    "-created_at",
    "created_at",
    "title",
    "-title",
    "-size",
    "size",
)
DAYS: Final = {"since": False, "until": True, "finished_since": False, "finished_until": True}
"""The fields with days; those that are true include their day."""
SIZES: Final = ("min_size", "max_size")
LABELS: Final = {
    "q": "Words", "state": "State", "reason": "Reason", "host": "Host", "category": "Category", "owner": "Owner",
    "min_size": "At least", "max_size": "At most", "since": "Added from", "until": "Added until",
    "finished_since": "Ended from", "finished_until": "Ended until",
}  # fmt: skip
FIELDS: Final = tuple(LABELS)

Words = Annotated[str, Field(max_length=255, pattern=PRINTABLE)]


class HistoryAsked(BaseModel):
    """The form as it was sent: an empty field is no filter."""

    q: Annotated[str, Field(max_length=200, pattern=PRINTABLE)] = ""
    state: list[State] = []
    reason: Words = ""
    host: Words = ""
    category: Words = ""
    owner: Annotated[str, Field(max_length=100, pattern=PRINTABLE)] = ""
    min_size: Words = ""
    max_size: Words = ""
    since: Words = ""
    until: Words = ""
    finished_since: Words = ""
    finished_until: Words = ""
    sort: Literal[SORTS] = "-finished_at"  # type: ignore[valid-type]  # a literal of what is written above
    cursor: Annotated[str | None, Field(max_length=500, pattern=CURSOR)] = None

    def pairs(self, *, leave: str = "", value: str = "") -> list[tuple[str, str]]:
        """Return the filters as names and texts, but for `leave`, or only its `value` when it has several."""
        found: list[tuple[str, str]] = []
        for name in FIELDS:
            values = [state.value for state in self.state] if name == "state" else [getattr(self, name)]
            if name == leave:
                values = [one for one in values if value and one != value]
            found += [(name, text) for text in values if text]
        return found

    def address(self, path: str, *, sort: str = "", cursor: str | None = None, **leave: str) -> str:
        """Return `path` with the query that asks for the same again, in another order or without a filter."""
        asked = self.pairs(**leave)
        if (sort or self.sort) != "-finished_at":
            asked.append(("sort", sort or self.sort))
        if cursor:
            asked.append(("cursor", cursor))
        return f"{path}?{urlencode(asked)}" if asked else path

    def heading(self, column: str) -> tuple[str, str]:
        """Return where the head of a column leads, and how the list is sorted by it now: `ascending`, `descending`, `none`."""
        first = column if column == "title" else f"-{column}"
        if self.sort.removeprefix("-") != column:
            return self.address("", sort=first), "none"
        other = column if self.sort.startswith("-") else f"-{column}"
        return self.address("", sort=other), "descending" if self.sort.startswith("-") else "ascending"

    def read(self) -> tuple[Filters, dict[str, str]]:
        """Return the filters, and what is wrong with those that had to be left out, by field."""
        values: dict[str, Any] = {"q": self.q, "state": [state for state in ENDED if state in self.state]}
        wrong: dict[str, str] = {}
        for name in ("host", "category"):
            values[name] = [getattr(self, name)] if getattr(self, name) else []
        values["owner"] = self.owner or None
        if self.reason:
            try:
                values["reason"] = [Reason(self.reason)]
            except ValueError:
                wrong["reason"] = f"'{self.reason[:40]}' is no reason of failing."
        for name in SIZES:
            _put(values, wrong, name, getattr(self, name), _size)
        for name, included in DAYS.items():
            _put(
                values,
                wrong,
                name,
                getattr(self, name),
                lambda text, day=included: _moment(text, included=day),
            )
        try:
            return Filters(**values), wrong
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            return Filters(q=self.q), wrong | {name: "This is too much."}

    def day(self, name: str) -> str:
        """Return what the field of a day shows."""
        text = str(getattr(self, name))
        try:
            moment = _moment(text, included=False)
        except ValueError:
            return text
        if len(text) > 10 and DAYS[name]:
            moment -= timedelta(days=1)
        return moment.strftime("%Y-%m-%d")


def saved_address(path: str, query: dict[str, Any]) -> str:
    """Return the address of the page that shows a saved filter."""
    kept = SavedQuery.model_validate(query).model_dump(mode="json", exclude_defaults=True)
    pairs: list[tuple[str, str]] = []
    for name in (*FIELDS, "sort"):
        value = kept.get(name)
        values = value if isinstance(value, list) else [] if value is None else [value]
        pairs += [(name, str(one)) for one in values]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def api_pairs(filters: Filters, sort: str) -> list[tuple[str, str]]:
    """Return filters as the API takes them in an address."""
    pairs: list[tuple[str, str]] = []
    for name, value in filters.model_dump(mode="json", exclude_defaults=True).items():
        pairs += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return [*pairs, ("sort", sort)]


def _put(values: dict[str, Any], wrong: dict[str, str], name: str, text: str, read: Any) -> None:
    if not text.strip():
        return
    try:
        values[name] = read(text.strip())
    except (ValueError, Invalid) as error:
        wrong[name] = str(error) if isinstance(error, ValueError) else f"{error.message} {error.advice}"


def _size(text: str) -> int:
    found = parse_size(text)
    if found > 2**53:
        raise ValueError(f"'{text[:40]}' is more than any file has.")
    return found


def _moment(text: str, *, included: bool) -> datetime:
    """Read a day, or a moment as saved filters have it."""
    try:
        if len(text) > 10:
            found = datetime.fromisoformat(text)
            return found if found.tzinfo else found.replace(tzinfo=UTC)
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=int(included))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"'{text[:40]}' is no day. Write it as 2026-01-31.") from error

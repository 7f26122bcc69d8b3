"""A reference page and the small amount of Markdown it is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the file it becomes, its Markdown, and what has no description (`where: what is missing`)."""

    name: str
    text: str
    undocumented: tuple[str, ...]


def cell(text: object) -> str:
    """Text that is safe inside one table cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """Text set as code, or nothing when there is none."""
    shown = cell(text)
    return f"`{shown}`" if shown else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Build a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"

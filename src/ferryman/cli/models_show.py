"""How models are shown: a bar while bytes move, and the texts that come with a model."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ferryman.cli.output import line

if TYPE_CHECKING:
    from rich.progress import Progress

_LINES: Final = 12


class Bar:
    """A bar of bytes on a terminal, nothing elsewhere; gone at the end of the block."""

    def __init__(self, what: str, total: int) -> None:
        """Say `what` is done; `total` is bytes."""
        self._what, self._total = what, total
        self._bars: Progress | None = None

    def add(self, count: int) -> None:
        """Count bytes."""
        if self._bars is not None:
            self._bars.advance(self._bars.task_ids[0], count)

    def __enter__(self) -> Self:
        """Draw it."""
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 - slow, and only on a terminal
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 - see above

            columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bars.add_task(self._what, total=self._total or None)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        if self._bars is not None:
            self._bars.stop()


def shown_texts(texts: dict[str, list[str]]) -> None:
    """Print the beginning of each text."""
    for kind, found in texts.items():
        for text in found:
            rows = text.strip().splitlines()
            line()
            line(f"{kind}:")
            for row in rows[:_LINES]:
                line(f"  {row[:200]}")
            if len(rows) > _LINES:
                line(f"  … {len(rows) - _LINES} more lines; see --json")

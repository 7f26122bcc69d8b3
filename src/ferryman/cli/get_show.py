"""How `ferry get` shows what happens: bars on a terminal, lines elsewhere, nothing when quiet."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ferryman.cli.problems import plain, say
from ferryman.core.errors import FerryError
from ferryman.core.units import format_duration, format_eta, format_rate, format_size
from ferryman.transfer.model import Result, Snapshot

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MOST_BARS: Final = 12
_EVERY: Final = 10.0


class Moving(Protocol):
    """A file on its way, as a display sees it."""

    label: str

    def snapshot(self) -> Snapshot:
        """How far it is."""
        ...


class Show(Protocol):
    """A display. Called from one thread."""

    def begin(self, total: int) -> None:
        """`total` files are about to be fetched."""
        ...

    def tick(self, moving: Sequence[Moving]) -> None:
        """Some time has passed; `moving` are the files on their way."""
        ...

    def done(self, label: str, result: Result, /) -> None:
        """A file is there."""
        ...

    def failed(self, label: str, error: FerryError) -> None:
        """A file failed."""
        ...

    def message(self, label: str, text: str) -> None:
        """Something about a file is worth knowing."""
        ...

    def close(self) -> None:
        """Nothing follows. Harmless when repeated."""
        ...


def sentence(result: Result) -> str:
    """Say how a file arrived."""
    if result.skipped:
        return f"{result.path.name} is here already: skipped"
    speed = f" ({format_rate(result.network / result.seconds)})" if result.seconds > 0 else ""
    parts = [f"{result.path.name}  {format_size(result.size)} in {format_duration(result.seconds)}{speed}"]
    if result.resumed:
        parts.append(f"{format_size(result.resumed)} were here already")
    if result.digests:
        parts.append(f"{', '.join(digest.algorithm for digest in result.digests)} verified")
    if result.renamed:
        parts.append("renamed, its name was taken")
    return ", ".join(parts)


class Quiet:
    """Says errors only."""

    def __init__(self, *, several: bool = False) -> None:
        """With `several` files each error says which one it is about."""
        self._several = several

    def begin(self, total: int) -> None:
        """Learn whether errors need a subject."""
        self._several = total > 1

    def tick(self, moving: Sequence[Moving]) -> None:
        """Say nothing."""

    def done(self, _label: str, result: Result, /) -> None:
        """Say nothing."""

    def failed(self, label: str, error: FerryError) -> None:
        """Say what went wrong."""
        say(error, subject=label if self._several else "")

    def message(self, label: str, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing to do."""


class Silent(Quiet):
    """Says nothing at all: the JSON document has everything."""

    def failed(self, label: str, error: FerryError) -> None:
        """Say nothing."""


class Lines(Quiet):
    """One line when a file has arrived, and now and then one about how far all are."""

    def begin(self, total: int) -> None:
        """Start the clock."""
        super().begin(total)
        self._next = time.monotonic() + _EVERY
        self._total, self._ended = total, 0

    def tick(self, moving: Sequence[Moving]) -> None:
        """Say how far it is, every ten seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        seen = [file.snapshot() for file in moving]
        rate = sum(one.rate for one in seen)
        if self._total > 1:
            sys.stderr.write(f"{self._ended} of {self._total} files, {format_rate(rate)}\n")
        elif seen:
            sys.stderr.write(f"{_how_far(seen[0])}\n")

    def done(self, _label: str, result: Result, /) -> None:
        """Say that it is there."""
        self._ended += 1
        sys.stdout.write(plain(sentence(result)) + "\n")

    def failed(self, label: str, error: FerryError) -> None:
        """Say what went wrong."""
        self._ended += 1
        super().failed(label, error)

    def message(self, label: str, text: str) -> None:
        """Say it beside the result."""
        sys.stderr.write(plain(f"{label}: {text}" if self._several else text) + "\n")

    def close(self) -> None:
        """Let nothing wait in a buffer."""
        sys.stdout.flush()


class Bars(Quiet):
    """Bars for the files that take a while, and one for all together."""

    def begin(self, total: int) -> None:
        """Draw nothing yet: small files are there before a bar would be."""
        super().begin(total)
        self._progress: Progress | None = None
        self._bars: dict[int, TaskID] = {}
        self._all: TaskID | None = None
        self._total, self._ended = total, 0

    def tick(self, moving: Sequence[Moving]) -> None:
        """Move the bars."""
        progress = self._progress or self._start()
        chosen = {id(file): file for file in moving[:_MOST_BARS]}
        for key in [key for key in self._bars if key not in chosen]:
            progress.remove_task(self._bars.pop(key))
        rate = 0.0
        for key, file in chosen.items():
            now = file.snapshot()
            rate += now.rate
            if key not in self._bars:
                self._bars[key] = progress.add_task(
                    "", total=None, label=_short(file.label), fact="", word=""
                )
            progress.update(self._bars[key], total=now.total, completed=now.disk, **_facts(now))
        if self._all is not None:
            fact = f"{self._ended} of {self._total}  {format_rate(rate)}"
            progress.update(self._all, completed=self._ended, fact=fact)

    def done(self, _label: str, result: Result, /) -> None:
        """Say that it is there, above the bars."""
        self._ended += 1
        self._print(sentence(result))

    def failed(self, label: str, error: FerryError) -> None:
        """Say what went wrong, below which the bars go on."""
        self._ended += 1
        if self._progress:
            self._progress.stop()
        super().failed(label, error)
        if self._progress and self._ended < self._total:
            self._progress.start()

    def message(self, label: str, text: str) -> None:
        """Say it above the bars."""
        self._print(f"{label}: {text}" if self._several else text)

    def close(self) -> None:
        """Take the bars away."""
        if self._progress:
            for key in list(self._bars):
                self._progress.remove_task(self._bars.pop(key))
            self._progress.stop()
            self._progress = None

    def _print(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(plain(text), markup=False, highlight=False)
        else:
            sys.stdout.write(plain(text) + "\n")

    def _start(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - slow, and only on a terminal

        progress = Progress(
            TextColumn("{task.fields[label]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[fact]}", markup=False),
            TextColumn("{task.fields[word]}", style="dim", markup=False),
            expand=True,
            transient=True,
            refresh_per_second=8,
        )
        self._progress = progress
        if self._total > 1:
            self._all = progress.add_task("", total=self._total, label="All files", fact="", word="")
        progress.start()
        return progress


def show_for(*, json: bool, quiet: bool) -> Show:
    """Return the display that fits what was asked for and where it is shown."""
    if json:
        return Silent()
    if quiet:
        return Quiet()
    return Bars() if sys.stdout.isatty() else Lines()


def _facts(now: Snapshot) -> dict[str, Any]:
    size = format_size(now.disk) + (f" of {format_size(now.total)}" if now.total else "")
    word = now.slow or (format_eta(now.eta) if now.eta is not None else str(now.phase))
    return {"fact": f"{size}  {format_rate(now.rate)}", "word": word}


def _how_far(now: Snapshot) -> str:
    facts = _facts(now)
    return f"{facts['fact']}  {facts['word']}"


def _short(label: str) -> str:
    name = plain(Path(label).name or label)
    return name if len(name) <= 32 else f"{name[:20]}…{name[-11:]}"

"""How a copy is shown: one bar for all and bars for what moves on a terminal, lines elsewhere."""

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ferryman.cli.problems import plain
from ferryman.core.units import format_eta, format_rate, format_size
from ferryman.depot.copying.meter import ItemState, ItemView, Meter, View

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_TICK: Final = 0.15
_EVERY: Final = 10.0
_MOST_BARS: Final = 8
_PATIENCE: Final = 0.6
"""Seconds before a bar is drawn: most copies that have nothing to do are over before."""


class Show:
    """Shows a meter from a thread of its own until the end of the block; says nothing with `quiet`."""

    def __init__(self, meter: Meter, *, quiet: bool) -> None:
        """Nothing is drawn yet."""
        self._meter, self._quiet = meter, quiet
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def log(self, level: str, message: str) -> None:
        """Say what is worth knowing, on standard error. Called from any thread."""
        if level == "warning" and not self._quiet:
            sys.stderr.write(f"{plain(message)}\n")

    def __enter__(self) -> Self:
        """Begin."""
        if not self._quiet:
            work = self._bars if sys.stderr.isatty() else self._lines
            self._thread = threading.Thread(target=work, name="show", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; what was drawn goes away."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _lines(self) -> None:
        while not self._over.wait(_EVERY):
            view = self._meter.view()
            if view.items_total:
                sys.stderr.write(f"{how_far(view)}\n")

    def _bars(self) -> None:
        if self._over.wait(_PATIENCE):
            return
        from rich.console import Console  # noqa: PLC0415 - slow, and only on a terminal
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - see above

        with Progress(
            TextColumn("{task.fields[label]}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[fact]}", markup=False),
            console=Console(stderr=True),
            expand=True,
            transient=True,
            refresh_per_second=8,
        ) as progress:
            whole = progress.add_task("", total=None, label="Everything", fact="")
            bars: dict[str, TaskID] = {}
            while not self._over.wait(_TICK):
                view = self._meter.view()
                progress.update(whole, total=view.total or None, completed=view.disk, fact=how_far(view))
                _draw(progress, bars, self._meter.items())


def how_far(view: View) -> str:
    """Say how far it is, in one line."""
    eta = f", {format_eta(view.eta)}" if view.eta is not None else ""
    return (
        f"{format_size(view.disk)} of {format_size(view.total)}, {view.items_done} of {view.items_total} blobs, "
        f"{format_rate(view.rate)}{eta}"
    )


def _draw(progress: "Progress", bars: "dict[str, TaskID]", items: list[ItemView]) -> None:
    moving = {
        f"{one.name}{one.place}": one for one in items if one.state is ItemState.MOVING and one.size > 0
    }
    for key in [key for key in bars if key not in moving]:
        progress.remove_task(bars.pop(key))
    for key, one in moving.items():
        if key not in bars:
            if len(bars) >= _MOST_BARS:
                continue
            bars[key] = progress.add_task("", total=one.size, label=f"  {one.name[:19]}", fact="")
        fact = f"{format_size(one.moved)} of {format_size(one.size)}"
        progress.update(bars[key], completed=one.moved, fact=fact)

"""The settings in force, changed while the process runs: default, then file, then console, then environment.

What the console stored is laid between file and environment. A stored value that is wrong never stops anything: it is
left out, and `problems` says why.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ferryman.core.errors import Conflict
from ferryman.core.layers import checked, wrong_settings
from ferryman.core.settings import Meta, Origin, Settings, meta_of

Callback = Callable[[Settings], None]
FIXED: Final = (Origin.ENVIRONMENT, Origin.COMMAND_LINE)
_log = logging.getLogger("ferryman.settings")


class Live:
    """Holds the settings of one process. Thread-safe; `now()` costs nothing, so ask it each time."""

    def __init__(self, base: Settings) -> None:
        """Begin with `base`: what file, environment and command line say."""
        self._base = base
        self._lock = threading.Lock()
        self._callbacks: list[Callback] = []
        self._started: Settings | None = None
        self._console: dict[str, Any] = {}
        self._problems: dict[str, str] = {}
        self._next = self._now = base

    def now(self) -> Settings:
        """Return the settings in force."""
        return self._now

    def next(self) -> Settings:
        """Return the settings the next start has; they differ in those that do not take effect at once."""
        return self._next

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong with stored values that were left out, by name."""
        return self._problems

    def origin(self, name: str) -> Origin:
        """Return where the value of `name` comes from."""
        if self.fixed(name):
            return self._base.origin(name)
        return Origin.CONSOLE if name in self._console else self._base.origin(name)

    def fixed(self, name: str) -> bool:
        """Whether what the console stores for `name` has no effect: environment or command line win, or the machine decides."""
        return meta_of(name).machine or self._base.origin(name) in FIXED

    def fixed_because(self, name: str) -> str:
        """Return why `name` cannot be changed from the console; empty when it can."""
        return _fixed_because(meta_of(name), self._base.origin(name))

    def subscribe(self, fn: Callback) -> Callable[[], None]:
        """Call `fn` with the settings after each change, in the thread that changes; return what ends this.

        What it raises is logged: one that fails keeps nobody else from hearing.
        """
        with self._lock:
            self._callbacks.append(fn)

        def end() -> None:
            with self._lock:
                if fn in self._callbacks:
                    self._callbacks.remove(fn)

        return end

    @property
    def base(self) -> Settings:
        """The settings as they are when the console stores nothing."""
        return self._base

    def check(self, console: Mapping[str, Any], touched: Collection[str]) -> Settings:
        """Return the settings with `console` stored, in which the names `touched` are new. Changes nothing.

        Raises `Invalid` (`settings_invalid`) with a message per wrong field, `Conflict` (`setting_fixed`) when all that
        is wrong is that something else decides.
        """
        found, wrong = checked(self._values(console))
        wrong = {name: what for name, what in wrong.items() if name in touched}
        wrong |= {
            name[:100]: "There is no such setting." for name in touched if name not in Settings.model_fields
        }
        fixed = {
            name: why
            for name in touched
            if name in Settings.model_fields and (why := self.fixed_because(name))
        }
        if wrong:
            raise wrong_settings(wrong | fixed)
        if fixed:
            raise Conflict(
                "setting_fixed",
                " ".join(fixed.values()),
                advice="Change it where it is set, and start Ferryman again.",
                fields=fixed,
            )
        return found or self._lenient(console)[0]

    def apply(self, console: Mapping[str, Any], unreadable: Mapping[str, str] | None = None) -> Settings:
        """Put what is stored in force, as far as it is right, and tell all who asked to hear. Return what is in force.

        The first call is the start: it puts everything in force. `unreadable` are stored values that could not be read,
        and why.
        """
        with self._lock:
            self._next, problems = self._lenient(console)
            self._problems = {**problems, **(unreadable or {})}
            self._console = {name: value for name, value in console.items() if name not in self._problems}
            before = self._now
            if self._started is None:
                self._started = self._now = self._next
            else:
                self._now = _in_force(self._started, self._next)
            now, callbacks = self._now, list(self._callbacks) if self._now != before else []
        for callback in callbacks:
            try:
                callback(now)
            except Exception:  # noqa: BLE001 - one that fails keeps nobody else from hearing
                _log.exception("A changed setting could not be put in force")
        return now

    def _values(self, console: Mapping[str, Any]) -> dict[str, Any]:
        base = {name: getattr(self._base, name) for name in Settings.model_fields}
        return base | {
            name: value for name, value in console.items() if name in base and not self.fixed(name)
        }

    def _lenient(self, console: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
        problems = {
            name: "There is no such setting in this version."
            for name in console
            if name not in Settings.model_fields
        }
        kept = {name: value for name, value in console.items() if name not in problems}
        found, wrong = checked(self._values(kept))
        if found is None:
            problems |= wrong
            found, _ = checked(self._values({name: kept[name] for name in kept if name not in wrong}))
        return found or self._base, problems


def _in_force(started: Settings, wanted: Settings) -> Settings:
    """Return `wanted` with what takes effect at the next start as it was at this one."""
    waiting = {name: getattr(started, name) for name in Settings.model_fields if not meta_of(name).live}
    return wanted.model_copy(update=waiting)


def _fixed_because(meta: Meta, origin: Origin) -> str:
    if origin is Origin.ENVIRONMENT:
        return f"{meta.label} is fixed by {meta.variable} in the environment."
    if origin is Origin.COMMAND_LINE:
        return f"{meta.label} is fixed by the command line Ferryman was started with."
    if meta.machine:
        return f"{meta.label} is set on the machine only: by {meta.variable}, or {meta.name} in ferry.toml."
    return ""

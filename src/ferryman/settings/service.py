"""Changing settings: all of a request or nothing, recorded, and in force at once where that is possible."""

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Principal
from ferryman.accounts.sql import Records
from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, Corrupt
from ferryman.core.layers import wrong_settings
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Kind, Settings, meta_of
from ferryman.core.upstream_logins import HIDDEN, hidden_logins, kept_logins
from ferryman.db import Database
from ferryman.settings.sql import Rows, Stored, ValueStore

_log = structlog.get_logger("ferryman.settings")


@dataclass(frozen=True, slots=True)
class Change:
    """What a setting was and is, as JSON has it; secrets are hidden."""

    name: str
    before: Any
    after: Any


class SettingsService:
    """Changes the settings of a home. One per process; `live` hears of every change."""

    def __init__(self, db: Database, live: Live, audit: Audit, clock: Clock, box: SecretBox) -> None:
        """Keep values in `db`, secrets among them sealed with `box`."""
        self.live = live
        self._store = ValueStore(db)
        self._audit = audit
        self._clock = clock
        self._box = box
        self._lock = asyncio.Lock()

    def load_now(self) -> Settings:
        """Put in force what is stored; blocks. A wrong value is left out with a warning: it never stops the start."""
        self._apply(self._store.read_now())
        for name, why in self.live.problems.items():
            _log.warning("a stored setting is left out", setting=name, why=why)
        return self.live.now()

    async def refresh(self) -> None:
        """Put in force what another process stored."""
        async with self._lock:
            self._apply(await self._store.read())

    async def stored(self) -> dict[str, Stored]:
        """Return what the console stored, by name."""
        return await self._store.read()

    async def change(
        self, wanted: Mapping[str, Any], actor: Principal, *, version: str | None = None
    ) -> list[Change]:
        """Store all of `wanted` and put it in force; None takes a stored value away. Return what is different now.

        Raises `Invalid` (`settings_invalid`) and `Conflict` (`setting_fixed`) with a message per field, and `Conflict`
        (`settings_changed`) when `version` is given and somebody changed something since; then nothing is changed.
        """
        actor.require("settings:write")
        await asyncio.to_thread(check_folders, wanted)
        async with self._lock:
            wanted = _kept(wanted, self.live.next())
            changes = await self._store.change(
                lambda rows, records: self._write(rows, records, wanted, actor, version)
            )
            self._apply(await self._store.read())
        return changes

    async def preview(self, wanted: Mapping[str, Any]) -> list[Change]:
        """Return what `change` would do, and raise what it would raise. Changes nothing."""
        await asyncio.to_thread(check_folders, wanted)
        wanted = _kept(wanted, self.live.next())
        stored = await self._store.read()
        before, _ = self._values(stored)
        after = _with(before, wanted)
        return _changes(self.live.next(), self.live.check(after, _named(wanted, stored)), wanted)

    def _write(
        self,
        rows: Rows,
        records: Records,
        wanted: Mapping[str, Any],
        actor: Principal,
        version: str | None,
    ) -> list[Change]:
        stored = rows.all()
        if version is not None and version != version_of(stored):
            raise Conflict(
                "settings_changed",
                "Somebody else changed the settings meanwhile.",
                advice="Load them again, and change what is still to be changed.",
            )
        before, _ = self._values(stored)
        after = _with(before, wanted)
        checked = self.live.check(after, _named(wanted, stored))
        known = checked.model_dump(mode="json")
        for name, value in wanted.items():
            if value is None:
                rows.remove(name)
            elif name not in before or before[name] != known[name]:
                text = self._sealed(name, known[name])
                rows.put(Stored(name, text, self._clock.now(), actor.name))
        earlier = self.live.check(before, ())
        changes = _changes(earlier, checked, wanted)
        for change in changes:
            detail = {"from": change.before, "to": change.after}
            self._audit.append(records, actor, "settings.change", change.name, detail)
        return changes

    def _apply(self, stored: Mapping[str, Stored]) -> None:
        values, unreadable = self._values(stored)
        self.live.apply(values, unreadable)

    def _values(self, stored: Mapping[str, Stored]) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the values of rows, and why some cannot be read."""
        values: dict[str, Any] = {}
        unreadable: dict[str, str] = {}
        for name, row in stored.items():
            try:
                values[name] = self._opened(name, row.value())
            except (ValueError, RecursionError):
                unreadable[name] = "The stored value is damaged."
            except Corrupt as error:
                unreadable[name] = error.message
        return values, unreadable

    def _sealed(self, name: str, value: Any) -> str:
        if meta_of(name).secret:
            return json.dumps({"sealed": self._box.seal(str(value), f"setting:{name}")})
        return json.dumps(value)

    def _opened(self, name: str, value: Any) -> Any:
        if name in Settings.model_fields and meta_of(name).secret:
            if not isinstance(value, dict) or not isinstance(value.get("sealed"), str):
                raise ValueError("not sealed")
            return self._box.open(value["sealed"], f"setting:{name}")
        return value


def version_of(stored: Mapping[str, Stored]) -> str:
    """Return what names this state of all stored values."""
    text = json.dumps([[row.name, row.text, row.changed_at] for row in stored.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(name: str, settings: Settings) -> Any:
    """Return a value of `settings` as JSON has it; a secret is hidden, of logins only the passwords."""
    value, meta = settings.model_dump(mode="json", include={name}).get(name), meta_of(name)
    if not meta.secret or not value:
        return value
    return hidden_logins(value) if meta.kind is Kind.LOGINS else HIDDEN


def check_folders(wanted: Mapping[str, Any]) -> None:
    """Raise `Invalid` for a folder in which no file can be made. Makes nothing."""
    wrong = {}
    for name, value in wanted.items():
        if name in Settings.model_fields and meta_of(name).kind is Kind.PATH and isinstance(value, str):
            why = _unusable(value)
            if why:
                wrong[name] = why
    if wrong:
        raise wrong_settings(wrong)


def _unusable(text: str) -> str:
    try:
        folder = Path(text).expanduser()
        if not folder.is_absolute():
            return ""  # said by the field itself
        place = next(path for path in (folder, *folder.parents) if path.exists())
        if not place.is_dir():
            return f"'{place}' is a file, not a folder."
        if not os.access(place, os.W_OK | os.X_OK):
            return f"'{place}' cannot be written: {os.strerror(errno.EACCES)}."
    except (OSError, ValueError, RuntimeError) as error:
        return f"'{text[:80]}' is not the path of a folder: {error}."
    return ""


def _kept(wanted: Mapping[str, Any], now: Settings) -> Mapping[str, Any]:
    """Return `wanted` with the passwords that are to stay."""
    typed = {name: value for name, value in wanted.items() if isinstance(value, str) and _has_logins(name)}
    return {**wanted, **{name: kept_logins(value, getattr(now, name)) for name, value in typed.items()}}


def _has_logins(name: str) -> bool:
    return name in Settings.model_fields and meta_of(name).kind is Kind.LOGINS


def _with(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    after = {**before, **wanted}
    return {name: value for name, value in after.items() if value is not None}


def _named(wanted: Mapping[str, Any], stored: Collection[str]) -> list[str]:
    """Return the names to check: those that get a value, and those nobody knows. Taking away what is there is right."""
    return [
        name
        for name, value in wanted.items()
        if value is not None or (name not in Settings.model_fields and name not in stored)
    ]


def _changes(before: Settings, after: Settings, wanted: Mapping[str, Any]) -> list[Change]:
    names = [name for name in wanted if name in Settings.model_fields]
    return [
        Change(name, shown(name, before), shown(name, after))
        for name in names
        if getattr(before, name) != getattr(after, name)
    ]

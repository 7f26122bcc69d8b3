"""Settings as text, to carry them to another Ferryman: TOML, which is a `ferry.toml` too, or JSON. Pure."""

import json
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from ferryman.core.errors import Invalid
from ferryman.core.live import Live
from ferryman.core.settings import Origin, Settings, meta_of

LARGEST: Final = 100_000
"""Characters of a text that is imported at most."""
MOST_NAMES: Final = 200
"""Settings a text names at most."""


class Format(StrEnum):
    """How settings are written."""

    TOML = "toml"
    JSON = "json"


def exported(live: Live) -> dict[str, Any]:
    """Return what was set anywhere, as JSON has it: no defaults, no secrets, nothing that belongs to one machine."""
    settings = live.next()
    values = settings.model_dump(mode="json")
    return {
        name: values[name]
        for name in Settings.model_fields
        if live.origin(name) is not Origin.DEFAULT and values[name] is not None and _travels(name)
    }


def _travels(name: str) -> bool:
    meta = meta_of(name)
    return not (meta.secret or meta.machine)


def written(values: Mapping[str, Any], form: Format) -> str:
    """Return `values` as text."""
    if form is Format.JSON:
        return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    # JSON's strings, numbers and truths are TOML's too, but for one control character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def read(text: str, form: Format) -> dict[str, Any]:
    """Return the settings `text` holds, unchecked. Raises `Invalid` (`import_unreadable`)."""
    if len(text) > LARGEST:
        raise _unreadable(form, f"it has {len(text)} characters, and at most {LARGEST} are read")
    try:
        found = tomllib.loads(text) if form is Format.TOML else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(form, str(error) or type(error).__name__) from error
    if not isinstance(found, dict):
        raise _unreadable(form, "it is no object of names and values")
    if len(found) > MOST_NAMES:
        raise _unreadable(form, f"it names {len(found)} settings, and at most {MOST_NAMES} are read")
    return {name: value for name, value in found.items() if value is not None}


def differing(live: Live, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `values` that are not in place already: a fixed setting may be imported where it is the same."""
    present = live.next().model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in present or present[name] != value}


def _unreadable(form: Format, why: str) -> Invalid:
    example = '{"connections": 4}' if form is Format.JSON else "connections = 4"
    return Invalid(
        "import_unreadable",
        f"The settings cannot be read as {form.upper()}: {why}.",
        advice=f"Write lines such as: {example}",
        fields={"text": f"cannot be read as {form.upper()}: {why}"},
    )

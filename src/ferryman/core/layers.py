"""From what file, environment and command line say to the settings in force, or to what is wrong with them."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ferryman.core.errors import Invalid
from ferryman.core.home import default_home
from ferryman.core.settings import Kind, Origin, Settings, meta_of


def checked(values: Mapping[str, Any]) -> tuple[Settings | None, dict[str, str]]:
    """Return settings of `values`, or what is wrong with each field, in words."""
    try:
        return Settings.model_validate(dict(values)), {}
    except ValidationError as error:
        return None, {str(item["loc"][0]): _words(item) for item in error.errors()}


def _words(item: Mapping[str, Any]) -> str:
    """Say what a value must be."""
    name = str(item["loc"][0])
    if name not in Settings.model_fields:
        return "There is no such setting."
    meta = meta_of(name)
    if item["type"] == "value_error":
        said = str(item["ctx"]["error"])
        return said if said[0] in "'0123456789" or said[0].isupper() else f"The value {said}"
    if meta.kind is Kind.NUMBER and None not in (meta.minimum, meta.maximum):
        return f"Must be a whole number from {meta.minimum} to {meta.maximum}."
    if meta.kind is Kind.CHOICE:
        return f"Must be one of {', '.join(meta.choices)}."
    return f"{item['msg']}."


def load_settings(
    arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read and check what file, environment and command line say. Raises `Invalid` that names each wrong value."""
    layers = {
        Origin.FILE: read_file(default_home() / "ferry.toml"),
        Origin.ENVIRONMENT: of_environment(os.environ if environment is None else environment),
        Origin.COMMAND_LINE: {key: value for key, value in (arguments or {}).items() if value is not None},
    }
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for origin, layer in layers.items():
        values |= layer
        origins |= dict.fromkeys(layer, origin)
    found, wrong = checked(values)
    if found is None:
        raise wrong_settings({name: f"{what}{_got(name, values.get(name))}" for name, what in wrong.items()})
    found._origins.update(origins)
    return found


def wrong_settings(fields: Mapping[str, str]) -> Invalid:
    """Return the error that names what is wrong with each of `fields`."""
    named = " ".join(f"{name[:80]}: {what}" for name, what in list(fields.items())[:20])
    return Invalid(
        "settings_invalid",
        f"Wrong settings: {named}",
        advice="Correct the named values: on the page, in the FERRY_… variable, or in the line of ferry.toml.",
        fields=fields,
    )


def of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings an environment holds. Names are not case-sensitive."""
    named = {key.lower(): value for key, value in environment.items()}
    return {name: named[key] for name in Settings.model_fields if (key := f"ferry_{name}") in named}


def read_file(path: Path) -> dict[str, Any]:
    """Return what `ferry.toml` says; empty when it is not there. Raises `Invalid` when it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):  # whoever takes the home says what is wrong with it
        return {}
    except (OSError, ValueError) as error:
        raise Invalid(
            "settings_invalid",
            f"The file {path} cannot be read: {error}.",
            advice="Write lines such as: port = 8470",
        ) from error


def _got(name: str, value: object) -> str:
    if name in Settings.model_fields and meta_of(name).secret:
        return ""
    return f" (got {value!r:.200})"

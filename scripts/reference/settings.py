"""The page of settings, from `ferryman.core.settings.Settings`."""

import typing
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ferryman.core.settings import Settings
from scripts.reference.page import Page, cell, code, table

INTRO = """# Settings

A setting is an environment variable `FERRY_NAME`, or `name` in `ferry.toml` in the home folder; the environment wins. A
wrong value stops the start with a message that names it.
"""


def settings_page() -> Page:
    """Every field of `Settings` with its type, limits, default and meaning."""
    rows, missing = [], []
    for name, field in Settings.model_fields.items():
        if not field.description:
            missing.append(f"setting {name}: no description")
        rows.append(
            (
                code(f"FERRY_{name.upper()}"),
                code(name),
                cell(_values(field)),
                code(_default(field)),
                cell(field.description or ""),
            )
        )
    head = ("variable", "in ferry.toml", "values", "default", "meaning")
    return Page("settings.md", f"{INTRO}\n{table(head, rows)}", tuple(missing))


def _values(field: FieldInfo) -> str:
    """Say in words which values a field takes."""
    limits = [str(limit) for limit in (_limit(item) for item in field.metadata) if limit]
    return " ".join([_type(field.annotation), ", ".join(limits)]).strip()


def _limit(constraint: Any) -> str:
    names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "pattern": "matching"}
    for name, words in names.items():
        value = getattr(constraint, name, None)
        if value is not None:
            return f"{words} {value}"
    return ""


def _type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(code(value) for value in typing.get_args(annotation))
    arguments = [item for item in typing.get_args(annotation) if item is not type(None)]
    if arguments and len(arguments) < len(typing.get_args(annotation)):
        return _type(arguments[0])
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "~/.local/share/ferryman" if field.annotation is Path else ""
    if field.default is PydanticUndefined or field.default is None:
        return ""
    return str(field.default)

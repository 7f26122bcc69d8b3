"""The page of settings, from `ferryman.core.settings.Settings`."""

from collections.abc import Sequence

from ferryman.core.setting import Section
from ferryman.core.settings import Kind, Meta, Settings, meta_of
from scripts.reference.page import Page, cell, code, table

INTRO = """# Settings

A setting is an environment variable `FERRY_NAME`, or `name` in `ferry.toml` in the home folder, or is set in the console,
with `ferry settings set` or through the API. The default gives way to the file, the file to the console, the console to
the environment, and all to the command line. A wrong value in the file or the environment stops the start with a message
that names it; a wrong stored value is left out with a warning.

*At once* means that a change in the console takes effect while Ferryman runs, *next start* that it waits until then,
*machine only* that it is set in the file or the environment and nowhere else.
"""
_KINDS = {
    Kind.NUMBER: "whole number",
    Kind.TEXT: "text",
    Kind.SWITCH: "true or false",
    Kind.PATH: "path",
    Kind.RATE: "rate",
    Kind.SIZE: "size",
    Kind.TIMETABLE: "timetable",
    Kind.LOGINS: "logins",
}


def settings_page() -> Page:
    """Every field of `Settings` with its values, default, meaning, and when a change takes effect."""
    known = [meta_of(name) for name in Settings.model_fields]
    missing = tuple(f"setting {meta.name}: no description" for meta in known if not meta.description)
    parts = [_section(section, [meta for meta in known if meta.section is section]) for section in Section]
    return Page("settings.md", "\n".join([INTRO, *filter(None, parts)]), missing)


def _section(section: Section, known: Sequence[Meta]) -> str:
    if not known:
        return ""
    rows = [
        (
            code(meta.variable),
            code(meta.name),
            cell(_values(meta)),
            code(_default(meta)),
            cell(_effect(meta)),
            cell(meta.description),
        )
        for meta in known
    ]
    head = ("variable", "name", "values", "default", "a change takes effect", "meaning")
    return f"## {section}\n\n{table(head, rows)}"


def _effect(meta: Meta) -> str:
    if meta.machine:
        return "machine only"
    return "at once" if meta.live else "next start"


def _values(meta: Meta) -> str:
    """Say in words which values a setting takes."""
    if meta.choices:
        return " or ".join(code(choice) for choice in meta.choices)
    limits = [("at least", meta.minimum), ("at most", meta.maximum)]
    said = ", ".join(f"{words} {limit}" for words, limit in limits if limit is not None)
    secret = ", secret" if meta.secret else ""
    return f"{_KINDS[meta.kind]} {said}".strip() + secret


def _default(meta: Meta) -> str:
    if meta.name == "home":
        return "~/.local/share/ferryman"
    return "" if meta.default is None else str(meta.default)

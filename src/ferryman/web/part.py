"""What one feature adds to the application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter

BOTTOM: Final = 4
"""Places in the bar at the bottom of a narrow screen, besides its menu."""


@dataclass(frozen=True, slots=True)
class NavItem:
    """A place in the navigation: `path` starts with a slash, `icon` names a drawing of the page layout.

    `scope` is the right one needs to see it; `count` names a number of the live `counts` event, such as `running`.
    `group` is where it stands: with the daily work, or with what administers it. A narrow screen has room for the first
    `BOTTOM` places of the work; all others are in its menu.
    """

    label: str
    path: str
    icon: str = ""
    scope: str | None = None
    count: str | None = None
    group: Literal["work", "rule"] = "work"


@dataclass(frozen=True, slots=True)
class Part:
    """One feature: `api` is mounted under `/api/v1`, `pages` at the root, `templates` is a folder of HTML.

    `bodies` names paths that take larger bodies than others, and how many bytes; with a slash at the end, binary ones below it.
    """

    name: str
    api: APIRouter | None = None
    pages: APIRouter | None = None
    templates: Path | None = None
    nav: tuple[NavItem, ...] = ()
    bodies: Mapping[str, int] = field(default_factory=dict)

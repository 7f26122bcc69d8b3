"""What one feature adds to the application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class NavItem:
    """A place in the navigation: `path` starts with a slash, `icon` names a drawing of the page layout.

    `scope` is the right one needs to see it; `count` names a number of the live `counts` event, such as `running`.
    """

    label: str
    path: str
    icon: str = ""
    scope: str | None = None
    count: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One feature: `api` is mounted under `/api/v1`, `pages` at the root, `templates` is a folder of HTML.

    `bodies` names paths that take larger bodies than others, and how many bytes.
    """

    name: str
    api: APIRouter | None = None
    pages: APIRouter | None = None
    templates: Path | None = None
    nav: tuple[NavItem, ...] = ()
    bodies: Mapping[str, int] = field(default_factory=dict)

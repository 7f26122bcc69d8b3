"""Turns templates into pages. Escaping is always on; an unknown name in a template is an error, never silence.

In every template: `principal` (or None), `csrf` (empty when nobody is signed in), `nav` (what the caller may see),
`path`, `version`, `asset(name)`; filters `size`, `rate`, `eta`, `duration`, `time` (RFC 3339), `scope`.
The page layout is `base.html`; an error is shown by `error.html` with `problem`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateNotFound
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ferryman.core.clock import rfc3339
from ferryman.core.units import format_duration, format_eta, format_rate, format_size
from ferryman.web.auth import Identity
from ferryman.web.part import BOTTOM, NavItem

STATIC = Path(__file__).parent / "static"
TEMPLATES = Path(__file__).parent / "templates"


class Renderer:
    """Renders templates of the frame and of the parts. Safe to use from many tasks at once."""

    def __init__(self, folders: Sequence[Path], nav: Sequence[NavItem] = (), version: str = "") -> None:
        """Look for templates in the frame's own folder, then in `folders`."""
        self._env = Environment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in (TEMPLATES, *folders)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._nav = tuple(nav)
        self._version = version
        self._env.globals.update(asset=cache(asset), bottom_places=BOTTOM)
        self._env.filters.update(
            size=_size, rate=_rate, eta=format_eta, duration=_duration, time=_time, minutes=_minutes
        )

    def has(self, template: str) -> bool:
        """Tell whether there is such a template."""
        try:
            self._env.get_template(template)
        except TemplateNotFound:
            return False
        return True

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """Render `template` for the caller of `request`."""
        return HTMLResponse(self.text(request, template, **context), status, headers)

    def text(self, request: Request, template: str, **context: Any) -> str:
        """Render `template` to text, for a fragment inside another answer."""
        identity: Identity | None = getattr(request.state, "identity", None)
        principal = identity.principal if identity else None
        return self._env.get_template(template).render(
            principal=principal,
            csrf=(identity.csrf or "") if identity else "",
            nav=[
                item for item in self._nav if principal and (not item.scope or principal.allows(item.scope))
            ],
            path=request.url.path,
            version=self._version,
            request=request,
            **context,
        )


def asset(name: str) -> str:
    """Return the address of a built file below `static/`; it changes when the content does, so it can be kept."""
    try:
        seen = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    except OSError:
        return f"/static/{name}"
    return f"/static/{name}?v={seen}"


def _size(value: float | None) -> str:
    return "—" if value is None else format_size(value)


def _rate(value: float | None) -> str:
    return "—" if value is None else format_rate(value)


def _duration(value: float | None) -> str:
    return "—" if value is None else format_duration(value)


def _time(value: float | None) -> str:
    return "" if value is None else rfc3339(value)


def _minutes(value: float | None) -> str:
    """Render a moment to the minute in UTC, for readers without scripts: `2026-11-25 05:48`."""
    return "—" if value is None else datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M")

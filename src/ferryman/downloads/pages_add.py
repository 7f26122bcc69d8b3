"""The page and the dialog that add downloads. They only read: what is shown begins when somebody says so, through the API."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from ferryman.accounts.model import Principal
from ferryman.core.errors import Invalid
from ferryman.core.live import Live
from ferryman.downloads.rules.service import Rules
from ferryman.transfer.links import is_link, read_link
from ferryman.web.auth import allow
from ferryman.web.pages import Renderer

Writer = Annotated[Principal, allow("downloads:write")]
Given = Annotated[list[str], Query(max_length=100)]
LONGEST = 16 * 1024
"""Characters of addresses that are filled in."""


def add_pages(routes: APIRouter, live: Live, renderer: Renderer, rules: Rules | None = None) -> None:
    """Add the routes to those of the pages of downloads; the categories of `rules` are offered."""

    async def context() -> dict[str, Any]:
        settings = live.now()
        known = await rules.all() if rules is not None else []
        return {
            "folder": str(settings.downloads),
            "connections": settings.connections,
            "categories": sorted({rule.body.category for rule in known if rule.body.category}),
        }

    @routes.get("/add")
    async def add_page(
        request: Request,
        _caller: Writer,
        url: Given = [],  # noqa: B006 - FastAPI reads it
        checksum: Annotated[str, Query(max_length=200)] = "",
        out: Annotated[str, Query(max_length=300)] = "",
    ) -> HTMLResponse:
        """Show the dialog, filled with what a bookmarklet or a link brings. Adds nothing."""
        return renderer.page(
            request, "downloads/add_page.html", filled=filled(url, checksum, out), **(await context())
        )

    @routes.get("/add/dialog")
    async def add_dialog(request: Request, _caller: Writer) -> HTMLResponse:
        """Answer with the dialog alone, for the other pages."""
        return renderer.page(request, "downloads/add.html", filled="", **(await context()))


def filled(urls: list[str], checksum: str = "", out: str = "") -> str:
    """Return the lines of a list that say what was given: addresses of one file, or links of our own."""
    lines = [url.strip() for url in urls if url.strip()]
    if len(lines) == 1 and is_link(lines[0]):
        return _of_link(lines[0])
    words = " ".join(" ".join(lines).split())[:LONGEST]
    if words and checksum.strip():
        words += f" {''.join(checksum.split())}"
    if words and out.strip():
        return f"{words}\n  out={' '.join(out.split())}"
    return words


def _of_link(text: str) -> str:
    """Write a link out; one that is wrong stays as it is, so that the dialog says why."""
    try:
        link = read_link(text)
    except Invalid:
        return " ".join(text.split())[:LONGEST]
    return filled([*link.urls], link.checksum or "", link.out or "")

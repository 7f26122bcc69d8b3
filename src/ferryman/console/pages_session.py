"""The sign-in page, and signing out."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from ferryman.accounts.service import Accounts
from ferryman.console.api_session import sign_in, sign_out
from ferryman.core.errors import FerryError
from ferryman.web.auth import Caller, identity, local_path
from ferryman.web.pages import Renderer
from ferryman.web.problems import status_of


def router(accounts: Accounts, renderer: Renderer) -> APIRouter:
    """Return the routes of the session for browsers."""
    routes = APIRouter()

    @routes.get("/login")
    async def login_page(
        request: Request, where: Annotated[str, Query(alias="next", max_length=2000)] = "/"
    ) -> Response:
        """Ask for name and password; whoever is signed in already is sent on."""
        if await identity(request):
            return RedirectResponse(local_path(where), 303)
        context: dict[str, Any] = {"next": local_path(where), "name": "", "error": "", "advice": ""}
        return renderer.page(request, "login.html", **context)

    @routes.post("/login")
    async def login(
        request: Request,
        name: Annotated[str, Form(max_length=128)] = "",
        password: Annotated[str, Form(max_length=1024)] = "",
        where: Annotated[str, Form(alias="next", max_length=2000)] = "/",
    ) -> Response:
        """Sign in and go on to where the person wanted to be."""
        response = RedirectResponse(local_path(where), 303)
        try:
            await sign_in(accounts, request, response, name, password)
        except FerryError as error:
            failed: dict[str, Any] = {
                "next": local_path(where),
                "name": name,
                "error": error.message,
                "advice": error.advice,
            }
            return renderer.page(request, "login.html", status=status_of(error), **failed)
        return response

    @routes.post("/logout")
    async def logout(request: Request, _caller: Caller) -> Response:
        """Sign out and ask again."""
        response = RedirectResponse("/login", 303)
        await sign_out(accounts, request, response)
        return response

    return routes

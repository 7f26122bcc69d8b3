"""The API of hooks: `/api/v1/downloads/hooks`. Operators see them, only admins define them."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.downloads.hooks.model import Heard, Hook, HookBody, HookKind
from ferryman.downloads.hooks.service import Hooks
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view
from ferryman.web.shapes import Listed, Moment, moment

Reader = Annotated[Principal, allow("settings:read")]
Writer = Annotated[Principal, allow("settings:write")]
HookId = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Id or name of the hook.")
]


class HookView(BaseModel):
    """A hook without anything secret."""

    id: str
    name: str
    kind: HookKind
    enabled: bool
    events: list[Heard]
    always: bool
    host: str = Field(description="Where a webhook goes, without path and query; empty for a command.")
    command: list[str]
    timeout: int
    attempts: int
    created_at: Moment
    updated_at: Moment


class NewHook(HookView):
    """A new hook, with the key of its signature when Ferryman made it: it is shown this once."""

    secret: str | None


def hook_view(hook: Hook) -> HookView:
    """Return `hook` as the API shows it."""
    return HookView(
        id=hook.id,
        created_at=moment(hook.created_at),
        updated_at=moment(hook.updated_at),
        **hook.kept.model_dump(),
    )


def router(hooks: Hooks) -> APIRouter:
    """Return the routes of hooks, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/downloads/hooks", tags=["hooks"])

    @routes.get("")
    async def list_hooks(_caller: Reader) -> Listed[HookView]:
        """List the hooks by name."""
        return Listed(items=[hook_view(hook) for hook in await hooks.all()], next_cursor=None)

    @routes.post("", status_code=201)
    async def add_hook(_caller: Writer, body: HookBody) -> NewHook:
        """Define a hook."""
        hook, secret = await hooks.add(body)
        return NewHook(secret=secret or None, **dict(hook_view(hook)))

    @routes.get("/{hook}")
    async def get_hook(_caller: Reader, hook: HookId) -> HookView:
        """Show a hook."""
        return hook_view(await hooks.get(hook))

    @routes.put("/{hook}")
    async def change_hook(_caller: Writer, hook: HookId, body: HookBody) -> HookView:
        """Replace a hook; an empty `url` or `secret` stays as it is."""
        return hook_view(await hooks.change(hook, body))

    @routes.delete("/{hook}", status_code=204)
    async def remove_hook(_caller: Writer, hook: HookId) -> None:
        """Delete a hook. Deliveries that are waiting fail."""
        await hooks.remove(hook)

    @routes.post("/{hook}/test", status_code=202)
    async def test_hook(caller: Writer, hook: HookId) -> JobView:
        """Send a test: an event `ping` without a file. Answers the job that delivers it."""
        return job_view(await hooks.test(hook, caller))

    return routes

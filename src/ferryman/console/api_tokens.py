"""API tokens: `/api/v1/tokens`. Everyone manages their own; those of others need `users:read` and `users:write`."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import SCOPES, Principal, Scope, Token
from ferryman.accounts.service import Accounts
from ferryman.core.errors import Denied
from ferryman.web.auth import Caller
from ferryman.web.shapes import Listed, Moment, Strict, Text, moment

_EDGE = r"[^\s\x00-\x1f\x7f-\x9f\ufeff]"
_NAME = rf"^{_EDGE}([^\x00-\x1f\x7f-\x9f\ufeff]*{_EDGE})?$"
"""Printable, and no space at either end; spelt so that every dialect of patterns understands the same."""
DAY = 24 * 3600


class TokenView(BaseModel):
    """A token without its secret; `hint` is how the secret begins."""

    id: str
    user_id: str
    user: str
    name: str
    hint: str
    scopes: list[str]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None


class TokenCreated(TokenView):
    """A new token with its secret, which is shown this once."""

    secret: str


class NewToken(Strict):
    """A token to create. `expires_in` is in seconds; null never expires. `user` is someone else's name or id."""

    name: Annotated[str, Field(max_length=100, pattern=_NAME)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]
    expires_in: Annotated[int, Field(ge=60, le=3650 * DAY)] | None = 90 * DAY
    user: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None


def token_view(token: Token) -> TokenView:
    """Return `token` as the API shows it."""
    return TokenView(**_fields(token))


def router(accounts: Accounts) -> APIRouter:
    """Return the routes of tokens."""
    routes = APIRouter(prefix="/tokens", tags=["tokens"])

    @routes.get("", responses={404: {"description": "There is no such user."}})
    async def list_tokens(
        caller: Caller,
        user: Annotated[
            Text | None, Query(description="Name or id; `*` is everyone. Own ones when left out.")
        ] = None,
    ) -> Listed[TokenView]:
        """List tokens, the newest first, in one page."""
        whose = _whose(caller, user)
        tokens = [] if whose == "" else await accounts.tokens(whose)
        return Listed(items=[token_view(token) for token in tokens], next_cursor=None)

    @routes.post("", status_code=201)
    async def create_token(caller: Caller, body: NewToken) -> TokenCreated:
        """Create a token. None carries more than its user and the one who makes it may do."""
        expires_at = None if body.expires_in is None else time.time() + body.expires_in
        owner = body.user or _own(caller)
        token, secret = await accounts.create_token(owner, body.name, body.scopes, expires_at, actor=caller)
        return TokenCreated(**_fields(token), secret=secret)

    @routes.delete("/{token_id}", status_code=204)
    async def revoke_token(
        caller: Caller, token_id: Annotated[str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    ) -> None:
        """Revoke a token, effective at once."""
        await accounts.revoke_token(token_id, actor=caller)

    return routes


def _own(caller: Principal) -> str:
    if caller.user_id is None:
        raise Denied(
            "token_user",
            f"'{caller.name}' is not a user and cannot have tokens.",
            advice="Name the user the token is for.",
            fields={"user": "is needed"},
        )
    return caller.user_id


def _whose(caller: Principal, user: str | None) -> str | None:
    """Return whose tokens to list: None is everyone's, empty nobody's. Raises `Denied` (`scope_missing`)."""
    if not user:
        return caller.user_id or ""
    if user not in {caller.user_id, caller.name}:
        caller.require("users:read")
    return None if user == "*" else user


def _fields(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "user": token.user_name,
        "name": token.name,
        "hint": token.hint,
        "scopes": sorted(token.scopes),
        "created_at": moment(token.created_at),
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
    }

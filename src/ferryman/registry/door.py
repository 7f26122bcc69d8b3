"""Gives tokens at `/v2/token`: GET with a name and password, and POST as OAuth 2.0 has it (RFC 6749)."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from ferryman.accounts.model import Principal
from ferryman.core.clock import Clock
from ferryman.core.errors import FerryError
from ferryman.registry.access import RIGHTS, RegistryAccess, Signed
from ferryman.registry.answers import Answer, Receive, Scope, Send, json_answer, refusal_answer
from ferryman.registry.errors import Refusal, refusal_of
from ferryman.registry.ports import Action
from ferryman.registry.tokens import TokenMaker, Wanted, lifetime_of, parse_scopes

MOST_FORM: Final = 65_536
PATH: Final = "/v2/token"


class TokenDoor:
    """An ASGI application. Wrong passwords are throttled as they are on the page of sign-in."""

    def __init__(self, access: RegistryAccess, tokens: TokenMaker, clock: Clock) -> None:
        """Ask `access` who somebody is and what they may do; sign with `tokens`."""
        self._access, self._tokens, self._clock = access, tokens, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, receive)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except FerryError as error:
            answer = refusal_answer(refusal_of(error))
        head = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(head)
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        client = str((scope.get("client") or ("",))[0])
        if scope["method"] == "POST":
            form = parse_qs((await _form(receive)).decode("latin-1"), max_num_fields=100)
            return self._given(await self._posted(form, client), form.get("scope", []))
        if scope["method"] != "GET":
            raise Refusal(405, "UNSUPPORTED", "Ask with GET or POST.", headers=((b"allow", b"GET, POST"),))
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100)
        header = next((v for k, v in scope["headers"] if k == b"authorization"), b"")
        found = await self._access.signed_in(header, client) if header else None
        if found is None and (header or not self._access.anonymous):
            raise _unauthorized("The name, password or token is wrong." if header else "Sign in first.")
        return self._given(found, query.get("scope", []))

    async def _posted(self, form: dict[str, list[str]], client: str) -> Signed:
        def field(name: str) -> str:
            return form.get(name, [""])[0]

        generation = self._access.generation()
        if field("grant_type") == "password":
            found = await self._access.of_password(field("username"), field("password"), client)
        elif field("grant_type") == "refresh_token":
            found = await self._access.of_secret(field("refresh_token"))
        else:
            raise Refusal(400, "UNSUPPORTED", "The grant_type is password or refresh_token.")
        if found is None:
            raise _unauthorized("The name, password or token is wrong.")
        return Signed(found, generation)

    def _given(self, signed: Signed | None, scopes: Iterable[str]) -> Answer:
        """Return the token: what was asked for, less what is not permitted."""
        principal = signed.principal if signed else None
        access = [
            Wanted(one.repository, actions)
            for one in parse_scopes(scopes)
            if (actions := self._permitted(principal, one))
        ]
        now = self._clock.now()
        token = self._tokens.make(principal, access, now, signed.generation if signed else None)
        body = {
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime_of(principal, now),
            "issued_at": datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z"),
            "scope": " ".join(_written(one) for one in access),
        }
        return json_answer(200, json.dumps(body).encode(), [(b"cache-control", b"no-store")])

    def _permitted(self, principal: Principal | None, one: Wanted) -> frozenset[str]:
        actions: list[Action] = [action for action in RIGHTS if action in one.actions]
        return frozenset(
            action for action in actions if self._access.permits(principal, one.repository, action)
        )


def _written(one: Wanted) -> str:
    if not one.repository:
        return "registry:catalog:*"
    return f"repository:{one.repository}:{','.join(sorted(one.actions))}"


def _unauthorized(message: str) -> Refusal:
    challenge = (b"www-authenticate", b'Basic realm="Ferryman", charset="UTF-8"')
    return Refusal(401, "UNAUTHORIZED", message, headers=(challenge,))


async def _form(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > MOST_FORM:
            raise Refusal(413, "SIZE_INVALID", "The form is too large.")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return body

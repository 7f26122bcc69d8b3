"""Tokens as passwords, as bearer tokens, and what each right permits."""

from base64 import b64encode

import pytest

from ferryman.accounts.model import ROLE_SCOPES, Principal, Role
from ferryman.registry.basic import FRESH_S, BasicAccess, secret_of


class Clock:
    time = 1000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Tokens:
    """Knows one token for each role: its name."""

    asked = 0

    async def principal_of_token(self, secret: str) -> Principal | None:
        self.asked += 1
        if secret not in set(Role):
            return None
        return Principal("1", secret, Role(secret), ROLE_SCOPES[Role(secret)], "token:x")


def basic(secret: str) -> bytes:
    return b"Basic " + b64encode(f"anyone:{secret}".encode())


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic " + b64encode(b"x:a:b").decode(), "a:b"),
        ("Basic " + b64encode(b"x").decode(), ""),
        ("Basic ###", ""),
        ("Basic " + b64encode(b"\xff:\xff").decode(), ""),
        ("Digest x", ""),
        ("", ""),
    ],
)
def test_the_secret_of_a_header(header: str, secret: str):
    assert secret_of(header) == secret


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.VIEWER, {"base", "pull", "catalog"}),
        (Role.MEMBER, {"base", "pull", "catalog", "push"}),
        (Role.ADMIN, {"base", "pull", "catalog", "push", "delete"}),
    ],
)
async def test_a_role_may(role: Role, may: set[str]):
    access = BasicAccess(Tokens(), Clock(), lambda: "local-secret")
    headers = [(b"authorization", basic(role))]
    for action in ("base", "pull", "catalog", "push", "delete"):
        decision = await access.decide(headers, "team/app", action)
        assert decision.allowed == (action in may), action
        assert decision.challenge is None


async def test_the_owner_of_the_home_may_do_everything():
    access = BasicAccess(Tokens(), Clock(), lambda: "local-secret")
    decision = await access.decide([(b"authorization", b"Bearer local-secret")], "a", "delete")
    assert (decision.allowed, decision.who) == (True, "local")


async def test_who_is_unknown_is_asked_to_sign_in():
    access = BasicAccess(Tokens(), Clock(), lambda: None)
    for headers in ([], [(b"authorization", basic("wrong"))], [(b"authorization", basic(""))]):
        decision = await access.decide(headers, "a", "pull")
        assert not decision.allowed
        assert decision.challenge.startswith(b"Basic")
    assert not access.known(None, "a", "pull").allowed


async def test_a_token_is_believed_for_a_moment():
    clock, tokens = Clock(), Tokens()
    access = BasicAccess(tokens, clock, lambda: None)
    header = basic(Role.VIEWER)
    assert access.known(header, "a", "pull") is None
    await access.decide([(b"authorization", header)], "a", "pull")
    assert access.known(header, "a", "pull").allowed
    assert not access.known(header, "a", "push").allowed
    clock.time += FRESH_S + 1
    assert access.known(header, "a", "pull") is None
    assert tokens.asked == 1

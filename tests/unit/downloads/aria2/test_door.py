"""Tokens open, guessing gets slow, and who knew the right one is not locked out."""

import pytest

from ferryman.accounts.model import local_principal
from ferryman.accounts.throttle import Throttle
from ferryman.downloads.aria2.door import Door, Visit
from ferryman.downloads.aria2.protocol import RpcError


class Clock:
    at = 0.0

    def monotonic(self):
        return self.at

    def now(self):
        return self.at


class Known:
    """An authority that knows some tokens, and counts what it is asked."""

    def __init__(self, *right):
        self.right, self.asked = set(right), 0

    async def principal_of_token(self, secret):
        self.asked += 1
        return local_principal(secret) if secret in self.right else None

    async def principal_of_session(self, secret):
        raise AssertionError("sessions count for nothing")


async def refused(door, secret, client="1.2.3.4"):
    with pytest.raises(RpcError) as error:
        await door.open(secret, client)
    return error.value.message


async def test_guessing_gets_slow_but_not_for_who_knew():
    known, clock = Known("right", "other"), Clock()
    door = Door(known, Throttle(clock), "local")
    assert (await door.open("right", "1.2.3.4")).name == "right"
    said = [await refused(door, f"guess{number}") for number in range(40)]
    assert said[0] == "Unauthorized"
    assert said[-1].startswith("Too many wrong tokens")
    assert known.asked < 20, "a guess that has to wait asks nobody"
    assert (await door.open("right", "1.2.3.4")).name == "right"
    assert (await door.open("local", "1.2.3.4")).user_id is None
    assert (await refused(door, "other")).startswith("Too many")
    assert (await door.open("other", "5.6.7.8")).name == "other"
    clock.at += 3600
    assert (await door.open("other", "1.2.3.4")).name == "other"


async def test_a_token_that_is_revoked_is_forgotten():
    known = Known("right")
    door = Door(known, Throttle(Clock()))
    await door.open("right", "1.2.3.4")
    known.right.clear()
    assert await refused(door, "right") == "Unauthorized"


async def test_a_message_asks_once_for_each_token():
    known = Known("right")
    visit = Visit(Door(known, Throttle(Clock())), "1.2.3.4", "right")
    for params, rest in ((["token:right", 1], [1]), (["token:right"], []), ([2], [2]), ([], [])):
        caller, left = await visit.caller(params)
        assert (caller.name, left) == ("right", rest)
    for _ in range(3):
        with pytest.raises(RpcError, match="Unauthorized"):
            await visit.caller(["token:wrong"])
    assert known.asked == 2
    assert visit.secret == "right"


async def test_strange_tokens_are_only_wrong():
    door = Door(Known(), Throttle(Clock()), "local")
    for secret in ("\ud800", "ä" * 500, "\0", " "):
        assert await refused(door, secret) == "Unauthorized"
    with pytest.raises(RpcError, match="Unauthorized"):
        await Visit(door, "1.2.3.4").caller(["token:"])

"""Hashes and random secrets. The hasher is the real one with the least work it allows."""

import asyncio
import re

import pytest
from argon2 import PasswordHasher, Type

from ferryman.accounts.passwords import (
    Passwords,
    csrf_of,
    fingerprint,
    new_password,
    new_session_secret,
    new_token,
)
from ferryman.core.errors import Corrupt


@pytest.fixture
def hasher():
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_the_right_password_and_no_other(hasher):
    passwords = Passwords(hasher)
    encoded = await passwords.hash("correct horse")
    assert encoded.startswith("$argon2id$")
    assert await passwords.verify(encoded, "correct horse")
    for wrong in ("", "Correct horse", "correct horse ", "\ud800", "x" * 1025):
        assert not await passwords.verify(encoded, wrong)


async def test_the_same_password_has_different_hashes(hasher):
    passwords = Passwords(hasher)
    assert await passwords.hash("same") != await passwords.hash("same")


async def test_one_password_however_it_was_typed(hasher):
    passwords = Passwords(hasher)
    assert await passwords.verify(await passwords.hash("pa\u0308sswort"), "p\u00e4sswort")


async def test_an_unknown_name_takes_the_same_work(hasher, monkeypatch):
    passwords, checked = Passwords(hasher), []
    original = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher,
        "verify",
        lambda self, encoded, given: checked.append(encoded) or original(self, encoded, given),
    )
    assert not await passwords.verify(None, "anything")
    assert not await passwords.verify(await passwords.hash("other"), "anything")
    assert [encoded.rsplit("$", 2)[0] for encoded in checked] == ["$argon2id$v=19$m=8,t=1,p=1"] * 2


async def test_hashing_does_not_block_the_loop_and_few_run_at_once():
    running, most = 0, 0
    release, two = asyncio.Event(), asyncio.Semaphore(0)
    loop = asyncio.get_running_loop()

    class Slow:
        def hash(self, password):
            nonlocal running, most
            running += 1
            most = max(most, running)
            loop.call_soon_threadsafe(two.release)
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
            running -= 1
            return "hash"

    passwords = Passwords(Slow(), at_once=2)
    tasks = [asyncio.create_task(passwords.hash("x")) for _ in range(6)]
    await two.acquire()
    await two.acquire()
    release.set()
    assert await asyncio.gather(*tasks) == ["hash"] * 6
    assert most == 2


@pytest.mark.parametrize("encoded", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$damaged"])
async def test_a_damaged_hash_is_no_wrong_password(hasher, encoded):
    with pytest.raises(Corrupt) as caught:
        await Passwords(hasher).verify(encoded, "x")
    assert caught.value.code == "password_hash_damaged"


async def test_weaker_hashes_are_recognised(hasher):
    encoded = await Passwords(hasher).hash("x")
    assert not Passwords(hasher).outdated(encoded)
    assert Passwords().outdated(encoded)


def test_the_default_is_as_strong_as_rfc_9106_asks():
    hasher = PasswordHasher()
    assert hasher.type is Type.ID
    assert hasher.memory_cost >= 64 * 1024
    assert hasher.time_cost >= 3


def test_secrets_are_of_their_form_and_all_different():
    assert re.fullmatch(r"ferry_[0-9A-Za-z]{43}", new_token())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", new_session_secret())
    assert re.fullmatch(r"([a-z2-9]{4}-){4}[a-z2-9]{4}", new_password())
    for make in (new_token, new_session_secret, new_password):
        assert len({make() for _ in range(500)}) == 500


def test_what_is_stored_tells_nothing():
    assert fingerprint("ferry_x") != fingerprint("ferry_y")
    assert len(fingerprint("ferry_x")) == 64
    assert csrf_of("secret") != fingerprint("secret")
    assert csrf_of("secret") == csrf_of("secret")
    fingerprint("\ud800")
    csrf_of("\ud800")

"""Services start in order, stop in reverse, and nothing is left running."""

import asyncio

import pytest

from ferryman.core.lifecycle import Lifecycle


class Part:
    def __init__(self, name, diary, fail_start=None, fail_stop=None):
        self.name, self.diary = name, diary
        self.fail_start, self.fail_stop = fail_start, fail_stop

    async def start(self):
        if self.fail_start:
            raise self.fail_start
        self.diary.append(f"+{self.name}")

    async def stop(self):
        self.diary.append(f"-{self.name}")
        if self.fail_stop:
            raise self.fail_stop


async def test_order_and_reverse_order():
    diary: list[str] = []
    life = Lifecycle(Part("a", diary), Part("b", diary), Part("c", diary))
    await life.start()
    await life.stop()
    await life.stop()
    assert diary == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_when_one_fails_to_start_the_others_are_stopped_and_its_error_is_raised():
    diary: list[str] = []
    life = Lifecycle(Part("a", diary), Part("b", diary, fail_start=OSError("port taken")), Part("c", diary))
    with pytest.raises(OSError, match="port taken"):
        await life.start()
    assert diary == ["+a", "-a"]


async def test_when_starting_is_cancelled_the_started_are_stopped():
    diary: list[str] = []
    life = Lifecycle(Part("a", diary), Part("b", diary, fail_start=asyncio.CancelledError()))
    with pytest.raises(asyncio.CancelledError):
        await life.start()
    assert diary == ["+a", "-a"]


async def test_an_error_at_start_is_not_hidden_by_one_at_stop():
    diary: list[str] = []
    life = Lifecycle(
        Part("a", diary, fail_stop=RuntimeError("second")), Part("b", diary, fail_start=OSError("first"))
    )
    with pytest.raises(OSError, match="first"):
        await life.start()
    assert diary == ["+a", "-a"]


async def test_every_service_gets_its_stop_and_the_first_error_is_raised():
    diary: list[str] = []
    life = Lifecycle(
        Part("a", diary, fail_stop=OSError("later")),
        Part("b", diary, fail_stop=OSError("first")),
        Part("c", diary),
    )
    await life.start()
    with pytest.raises(OSError, match="first"):
        await life.stop()
    assert diary == ["+a", "+b", "+c", "-c", "-b", "-a"]

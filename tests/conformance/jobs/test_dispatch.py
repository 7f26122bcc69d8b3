"""Every dispatch behaves the same; a Redis one joins by one line in `IMPLEMENTATIONS`."""

import asyncio
import threading

import pytest

from ferryman.jobs.dispatch import LocalDispatch

IMPLEMENTATIONS = [LocalDispatch]


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda made: made.__name__)
def dispatch(request):
    return request.param()


async def test_an_announcement_before_the_wait_is_not_lost(dispatch):
    dispatch.announce("toy")
    assert await dispatch.wait(["toy"], 5)


async def test_a_waiter_wakes(dispatch):
    waiting = asyncio.create_task(dispatch.wait(["toy"], 30))
    await asyncio.sleep(0)
    dispatch.announce("toy")
    assert await waiting


async def test_other_kinds_do_not_count(dispatch):
    dispatch.announce("other")
    assert not await dispatch.wait(["toy"], 0.05)
    assert await dispatch.wait(["other"], 5)


async def test_the_same_twice_is_once(dispatch):
    dispatch.announce("toy")
    dispatch.announce("toy")
    assert await dispatch.wait(["toy"], 5)
    assert not await dispatch.wait(["toy"], 0.05)


async def test_a_thread_may_announce(dispatch):
    waiting = asyncio.create_task(dispatch.wait(["toy"], 30))
    await asyncio.sleep(0.01)
    thread = threading.Thread(target=dispatch.announce, args=("toy",))
    thread.start()
    assert await waiting
    thread.join()

import asyncio

from ferryman.jobs.hub import Hub


async def take(subscription, number):
    return [await anext(subscription) for _ in range(number)]


async def test_everyone_gets_what_happens_from_now_on():
    hub = Hub()
    hub.publish("job", {"id": "before"})
    assert not hub.watched
    with hub.subscribe() as one, hub.subscribe() as two:
        assert hub.watched
        hub.publish("job", {"id": "a"}, 7)
        assert (await take(one, 1))[0].id == (await take(two, 1))[0].id == 7
    assert not hub.watched
    hub.publish("job", {"id": "after"})


async def test_the_latest_state_of_a_job_replaces_what_was_not_taken_but_no_log_line_does():
    hub = Hub()
    with hub.subscribe() as slow:
        for number in range(5):
            hub.publish("progress", {"id": "a", "disk": number})
            hub.publish("job", {"id": "a", "state": str(number)})
            hub.publish("log", {"id": "a", "lines": [str(number)]})
        heard = await take(slow, 7)
    assert [message.data["lines"] for message in heard if message.name == "log"] == [
        [str(n)] for n in range(5)
    ]
    assert [message.data for message in heard if message.name == "progress"] == [{"id": "a", "disk": 4}]
    assert [message.data["state"] for message in heard if message.name == "job"] == ["4"]


async def test_who_lags_too_far_is_told_to_load_anew():
    hub = Hub(most=10)
    with hub.subscribe() as slow:
        for number in range(11):
            hub.publish("log", {"id": "a", "lines": [str(number)]})
        hub.publish("deleted", {"id": "a"})
        assert [message.name for message in await take(slow, 2)] == ["reset", "deleted"]


async def test_waiting_ends_with_the_next_message():
    hub = Hub()
    with hub.subscribe() as listener:
        waiting = asyncio.ensure_future(anext(listener))
        await asyncio.sleep(0)
        hub.publish("counts", {})
        assert (await waiting).name == "counts"

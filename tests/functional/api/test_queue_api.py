"""Order, schedule, category, many at once, and deleting with a way back, over the API."""

from datetime import UTC, datetime, timedelta

import pytest

from ferryman.jobs.model import NewJob, State
from tests.unit.web.client import call

JOBS = "/api/v1/jobs"


def bearer(token):
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def member(house):
    return (await house.accounts.user("member")).id


@pytest.fixture
async def mine(house, tokens, member):
    jobs = [NewJob("download", title, {}, owner=member) for title in ("first", "second", "third")]
    return await house.ledger.submit_many(jobs)


@pytest.fixture
async def other(house, tokens):
    return await house.ledger.submit(NewJob("download", "other", {}, owner=None))


@pytest.fixture
def send(house, tokens):
    async def sent(path, doc=None, role="member", method="POST"):
        return await call(house.app, method, f"{JOBS}{path}", headers=bearer(tokens[role]), doc=doc)

    return sent


async def order(send):
    answer = await send("?state=queued&sort=run_order", method="GET")
    return [item["title"] for item in answer.json()["items"]]


async def test_a_job_moves_in_the_order(send, mine):
    moved = await send(f"/{mine[2].id}/move", {"before": mine[0].id})
    assert moved.status == 202
    assert await order(send) == ["third", "first", "second"]
    await send(f"/{mine[2].id}/move", {"bottom": True})
    assert await order(send) == ["first", "second", "third"]
    await send(f"/{mine[1].id}/move", {"top": True})
    await send(f"/{mine[0].id}/move", {"after": mine[2].id})
    assert await order(send) == ["second", "third", "first"]


@pytest.mark.parametrize("doc", [{}, {"top": True, "bottom": True}, {"top": False}, {"top": 1}, {"up": True}])
async def test_a_move_has_exactly_one_place(send, mine, doc):
    answer = await send(f"/{mine[0].id}/move", doc)
    assert answer.status == 422
    assert await order(send) == ["first", "second", "third"]


async def test_nobody_moves_next_to_what_they_cannot_see(send, mine, other):
    assert (await send(f"/{mine[0].id}/move", {"after": other.id})).status == 404
    assert (await send(f"/{other.id}/move", {"top": True})).status == 404
    await send(f"/{mine[1].id}/cancel")
    gone = await send(f"/{mine[0].id}/move", {"after": mine[1].id})
    assert (gone.status, gone.json()["code"]) == (409, "place_gone")
    still = await send(f"/{mine[1].id}/move", {"top": True})
    assert (still.status, still.json()["code"]) == (409, "job_not_queued")


async def test_start_now_makes_any_job_that_does_not_run_urgent(send, mine):
    assert (await send(f"/{mine[0].id}/start")).json()["urgent"] is True
    await send(f"/{mine[1].id}/pause")
    started = (await send(f"/{mine[1].id}/start")).json()
    assert (started["state"], started["desired"], started["urgent"]) == ("queued", "run", True)
    await send(f"/{mine[2].id}/cancel")
    assert (await send(f"/{mine[2].id}/start")).status == 409


async def test_a_schedule_is_set_changed_and_taken_away(send, mine):
    later = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    path = f"/{mine[0].id}/schedule"
    waiting = (await send(path, {"not_before": later.isoformat()})).json()
    assert (waiting["state"], waiting["window"]) == ("waiting", None)
    assert datetime.fromisoformat(waiting["not_before"]) == later
    night = (await send(path, {"window": "22:00 - 6:00"})).json()
    assert night["window"] == "22:00-06:00"
    back = (await send(path, {})).json()
    assert (back["state"], back["not_before"], back["window"]) == ("queued", None, None)
    await send(f"/{mine[1].id}/pause")
    assert (await send(f"/{mine[1].id}/schedule", {})).json()["state"] == "paused"
    planned = (await send(f"/{mine[1].id}/schedule", {"not_before": later.isoformat()})).json()
    assert (planned["state"], planned["desired"]) == ("waiting", "run")


@pytest.mark.parametrize(
    ("doc", "field"),
    [
        ({"window": "late"}, "window"),
        ({"window": "25:00-26:00"}, "window"),
        ({"window": "06:00-06:00"}, "window"),
        ({"not_before": "tomorrow"}, "not_before"),
        ({"not_before": "9000-01-01T00:00:00Z"}, "not_before"),
    ],
)
async def test_a_schedule_that_is_none_names_its_field(send, mine, doc, field):
    answer = await send(f"/{mine[0].id}/schedule", doc)
    assert answer.status == 422
    assert field in answer.json()["errors"]


async def test_a_category_is_set_and_taken_away(send, mine):
    assert (await send(f"/{mine[0].id}/category", {"category": " iso "})).json()["category"] == "iso"
    found = await send("?category=iso", method="GET")
    assert [item["id"] for item in found.json()["items"]] == [mine[0].id]
    assert (await send(f"/{mine[0].id}/category", {"category": None})).json()["category"] is None
    assert (await send(f"/{mine[0].id}/category", {"category": "a\nb"})).status == 422


async def test_many_get_a_priority_a_category_and_start_at_once(send, mine, other):
    ids = [job.id for job in mine]
    assert (await send("/bulk", {"action": "priority", "ids": ids, "value": 2})).json()["done"] == ids
    asked = {"action": "category", "filter": {"q": "second"}, "value": "music"}
    assert (await send("/bulk", asked)).json()["done"] == [ids[1]]
    assert (await send("/bulk", {"action": "start_now", "ids": [ids[2], other.id]})).json()[
        "refused"
    ].keys() == {other.id}
    items = {item["title"]: item for item in (await send("", method="GET")).json()["items"]}
    assert [items[name]["priority"] for name in ("first", "second", "third")] == [2, 2, 2]
    assert (items["second"]["category"], items["third"]["urgent"]) == ("music", True)


@pytest.mark.parametrize(
    "doc",
    [
        {"action": "priority"},
        {"action": "priority", "value": "high"},
        {"action": "priority", "value": 10},
        {"action": "category", "value": 3},
        {"action": "category", "value": "x" * 81},
        {"action": "delete", "files": "yes"},
    ],
)
async def test_a_wrong_value_changes_nothing(send, mine, doc):
    answer = await send("/bulk", doc | {"ids": [mine[0].id]})
    assert answer.status == 422
    assert answer.json()["errors"]


async def test_what_was_deleted_comes_back_for_its_owner_only(house, send, mine, member):
    ids = [job.id for job in mine]
    await send("/bulk", {"action": "cancel", "ids": ids})
    before = [await house.ledger.get(job_id) for job_id in ids]
    assert (await send("/bulk", {"action": "delete", "filter": {"state": ["cancelled"]}})).json()[
        "refused"
    ] == {}
    assert (await send(f"/{ids[0]}", method="GET")).status == 404
    assert (await send("/restore", {"ids": ids}, role="viewer")).status == 403
    foreign = NewJob("download", "foreign", {}, owner=None)
    theirs = await house.ledger.submit(foreign)
    await house.ledger.cancel(theirs.id)
    await house.ledger.delete([theirs.id])
    answer = (await send("/restore", {"ids": [*ids, theirs.id, "nope"]})).json()
    assert (answer["done"], answer["refused"].keys()) == (ids, {theirs.id, "nope"})
    assert [await house.ledger.get(job_id) for job_id in ids] == before
    assert (await send("/restore", {"ids": [theirs.id]}, role="operator")).json()["done"] == [theirs.id]
    assert (await house.ledger.counts())[State.CANCELLED] == 4

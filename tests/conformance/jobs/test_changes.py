"""Changing what a job is asked to do, and finding it by other names, on every store."""

import dataclasses

import pytest

from ferryman.core.ids import new_id
from ferryman.jobs.model import NewJob, Query
from ferryman.jobs.ports import Claim
from ferryman.jobs.sql import SqlStore

NOW = 1_700_000_000.0


@pytest.fixture
def store(db):
    return SqlStore(db)


async def add(store, title="a", **more):
    (job,) = await store.add([(new_id(NOW), NewJob("toy", title, {"n": 1}, **more))], NOW)
    return job


async def test_a_changed_spec_is_there_with_title_category_and_event(store):
    job = await add(store, owner="me")
    wanted = dataclasses.replace(job, spec={"n": 2}, title="bee", category="music", owner="somebody else")
    changed = await store.change_spec(job, wanted, {"n": "2"}, NOW + 1)
    assert (changed.spec, changed.title, changed.category) == ({"n": 2}, "bee", "music")
    assert changed.owner == "me", "nothing else is written"
    assert await store.get(job.id) == changed
    assert [event.data for event in await store.events(job.id, 0, 10) if event.type == "changed"] == [
        {"n": "2"}
    ]
    assert [found.id for found in (await store.find(Query(text="bee"))).items] == [job.id]
    assert not (await store.find(Query(text="a"))).items


async def test_a_job_that_moved_meanwhile_is_not_changed(store):
    job = await add(store)
    await store.lease(Claim("w1", ["toy"], 1), NOW, NOW + 30)
    wanted = dataclasses.replace(job, spec={"n": 2})
    assert await store.change_spec(job, wanted, {}, NOW + 1) is None
    assert (await store.get(job.id)).spec == {"n": 1}


async def test_two_changes_of_the_same_state_do_not_overwrite_each_other(store):
    job = await add(store)
    assert await store.change_spec(job, dataclasses.replace(job, spec={"n": 2}), {}, NOW + 1)
    assert await store.change_spec(job, dataclasses.replace(job, spec={"n": 3}), {}, NOW + 2) is None


async def test_jobs_are_found_by_key_and_by_the_end_of_their_id(store):
    one, two = await add(store, idempotency_key="mine/1"), await add(store)
    assert (await store.by_key("mine/1")).id == one.id
    assert await store.by_key("mine/2") is None
    assert await store.ids_ending(two.id[19:], 5) == [two.id]
    assert await store.ids_ending(two.id[19:26], 5) == [two.id]
    assert await store.ids_ending("ffff-ffffffffffff", 5) == []
    assert sorted(await store.ids_ending("", 5)) == sorted([one.id, two.id])
    assert len(await store.ids_ending("", 1)) == 1

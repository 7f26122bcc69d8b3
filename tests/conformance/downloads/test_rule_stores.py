"""Rules and hooks on each database."""

import asyncio

from ferryman.downloads.hooks.model import Hook, HookKept, HookKind
from ferryman.downloads.hooks.sql import HookStore
from ferryman.downloads.rules.model import Rule, RuleBody
from ferryman.downloads.rules.sql import RuleStore


def rule(name: str) -> Rule:
    return Rule(f"id-{name}", RuleBody(name=name, extensions=["iso"], unpack=True), 1.5, 2.5)


def hook(name: str, hook_id: str) -> Hook:
    kept = HookKept(
        name=name,
        kind=HookKind.WEBHOOK,
        enabled=True,
        events=[],
        always=False,
        command=[],
        timeout=5,
        attempts=1,
    )
    return Hook(hook_id, kept, "v1:sealed", 1.0, 2.0)


async def test_rules_keep_their_order_and_content(db):
    store = RuleStore(db)
    rules = [rule(name) for name in "abc"]
    assert await store.add(rules[:2], 3)
    assert await store.add(rules[2:], 3)
    assert not await store.add([rule("d")], 3)
    assert await store.all() == rules
    assert await store.order(["id-c", "id-a", "id-b"])
    assert not await store.order(["id-c", "id-a"])
    assert not await store.order(["id-c", "id-c", "id-a"])
    assert [one.id for one in await store.all()] == ["id-c", "id-a", "id-b"]
    assert await store.remove("id-a")
    assert not await store.remove("id-a")
    assert await store.change("id-b", RuleBody(name="new"), 9.0)
    assert not await store.change("nul\0", RuleBody(name="new"), 9.0)
    assert [(one.body.name, one.updated_at) for one in await store.all()] == [("c", 2.5), ("new", 9.0)]
    await store.replace_all([rule("z")])
    assert [one.id for one in await store.all()] == ["id-z"]


async def test_hooks_have_names_of_their_own_also_when_two_come_at_once(db):
    store = HookStore(db)
    said = await asyncio.gather(*(store.add(hook("same", f"id-{number}"), 10) for number in range(5)))
    assert sorted(said) == ["", "name", "name", "name", "name"]
    assert await store.add(hook("other", "id-x"), 1) == "full"
    assert await store.add(hook("other", "id-x"), 10) == ""
    assert await store.change(hook("same", "id-x")) == "name"
    assert await store.change(hook("third", "id-gone")) == "gone"
    assert await store.change(hook("third", "id-x")) == ""
    assert [one.kept.name for one in await store.all()] == ["same", "third"]
    assert await store.remove("id-x")
    assert not await store.remove("id-x")


async def test_the_place_in_the_events_is_kept(db):
    store = HookStore(db)
    assert await store.cursor() is None
    await store.set_cursor(7)
    await store.set_cursor(2**40)
    assert await store.cursor() == 2**40

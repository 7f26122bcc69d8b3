import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ferryman.accounts.model import Role
from ferryman.core.errors import NotFound
from ferryman.web.stream import MOST_MISSED, Outbox, Viewer, encode, follow

from .conftest import principal

MINE, OTHERS = {"id": "a", "owner": "u1", "state": "running"}, {"id": "b", "owner": "u2", "state": "failed"}


@dataclass
class Note:
    name: str
    data: dict[str, Any]
    id: int | None = None


@dataclass
class Source:
    """A feed the test fills: `stored` events, `jobs`, and a queue of live notes; None ends it."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=lambda: {"a": MINE, "b": OTHERS})
    stored: list[tuple[int, str]] = field(default_factory=list)
    live: asyncio.Queue[Note | None] = field(default_factory=asyncio.Queue)
    closed: bool = False

    async def subscribe(self) -> AsyncGenerator[Note, None]:
        try:
            while (note := await self.live.get()) is not None:
                yield note
        finally:
            self.closed = True

    async def last_id(self) -> int:
        return max((number for number, _ in self.stored), default=0)

    async def changed(self, after: int, limit: int) -> list[tuple[int, str]]:
        return [item for item in self.stored if item[0] > after][:limit]

    async def job(self, job_id: str) -> dict[str, Any]:
        if job_id not in self.jobs:
            raise NotFound("job_not_found", f"No job '{job_id}'.")
        return self.jobs[job_id]

    async def counts(self, owner: str | None) -> dict[str, int]:
        return {"running": 1 if owner else 2}


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def parse(text: str) -> tuple[str, dict[str, Any], int | None]:
    lines = dict(line.split(": ", 1) for line in text.strip().splitlines())
    return lines["event"], json.loads(lines["data"]), int(lines["id"]) if "id" in lines else None


async def told(source: Source, notes: list[Note], *, role: Role = Role.MEMBER, topics: tuple[str, ...] = (),
               after: int | None = None) -> list[tuple[str, dict[str, Any], int | None]]:  # fmt: skip
    for note in (*notes, None):
        source.live.put_nowait(note)
    viewer = Viewer(source, principal(role), topics)
    return [parse(text) async for text in follow(source, viewer, after, yes, pace=0)]


async def test_a_new_viewer_learns_where_the_stream_begins():
    source = Source(stored=[(1, "a"), (9, "a")])
    assert await told(source, []) == [("hello", {}, 9)]
    assert source.closed


async def test_a_viewer_that_comes_back_gets_each_changed_job_once_as_it_is():
    source = Source(stored=[(1, "a"), (2, "a"), (3, "b"), (4, "a"), (5, "gone")])
    heard = await told(source, [], after=1, role=Role.OPERATOR)
    assert heard == [("hello", {}, 1), ("job", OTHERS, 3), ("job", MINE, 4)]


async def test_who_missed_too_much_loads_anew():
    source = Source(stored=[(number, "a") for number in range(1, MOST_MISSED + 3)])
    assert (await told(source, [], after=0))[1] == ("reset", {}, MOST_MISSED + 2)


async def test_members_hear_of_their_own_jobs_only():
    notes = [
        Note("job", OTHERS, 7), Note("progress", {"id": "b", "disk": 1}), Note("log", {"id": "b", "lines": []}),
        Note("deleted", {"id": "b"}), Note("progress", {"id": "unknown"}), Note("job", MINE, 8),
        Note("progress", {"id": "a", "disk": 2}), Note("log", {"id": "a", "lines": ["x"]}),
    ]  # fmt: skip
    source = Source(stored=[(6, "b"), (7, "b")])
    heard = await told(source, notes, after=5)
    assert [(name, data.get("id")) for name, data, _ in heard[1:]] == [
        ("job", "a"),
        ("counts", None),
        ("progress", "a"),
        ("log", "a"),
    ]
    assert heard[2][1] == {"running": 1}


async def test_operators_hear_of_all():
    notes = [Note("job", OTHERS, 7), Note("progress", {"id": "b"})]
    heard = await told(Source(), notes, role=Role.OPERATOR)
    assert [name for name, _, _ in heard] == ["hello", "job", "counts", "progress"]
    assert heard[2][1] == {"running": 2}


async def test_topics_narrow_it_down():
    notes = [Note("job", MINE, 7), Note("progress", {"id": "a"}), Note("log", {"id": "a", "lines": []})]
    heard = await told(Source(), notes, topics=("log",))
    assert [name for name, _, _ in heard] == ["hello", "log"]
    assert [name for name, _, _ in await told(Source(), notes, topics=("counts",))] == ["hello", "counts"]


async def test_a_viewer_that_lost_its_right_is_cut_off():
    source = Source()
    texts = [text async for text in follow(source, Viewer(source, principal()), None, no, heartbeat=0.01)]
    assert len(texts) == 1
    assert source.closed


async def test_silence_is_filled_with_comments():
    source = Source()
    stream = follow(source, Viewer(source, principal()), None, yes, heartbeat=0.01)
    await anext(stream)
    assert (await anext(stream)).startswith(":")
    await stream.aclose()
    assert source.closed


async def test_progress_waits_its_turn_and_only_the_latest_is_sent():
    outbox = Outbox(Viewer(Source(), principal()), 3600)
    outbox.take(Note("progress", {"id": "a", "disk": 1}))
    assert len(await outbox.due()) == 1
    outbox.take(Note("progress", {"id": "a", "disk": 2}))
    outbox.take(Note("progress", {"id": "a", "disk": 3}))
    assert await outbox.due() == []
    assert 0 < outbox.patience(7200) <= 3600
    assert outbox.take(Note("job", MINE, 3)) != []
    outbox._pace = 0
    assert [parse(text)[1] for text in await outbox.due()] == [{"id": "a", "disk": 3}, {"running": 1}]
    assert outbox.patience(15) == 15


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\u2028", "data: x\n\nevent: y"])
def test_no_content_breaks_out_of_its_event(text):
    assert encode("log", {"lines": [text]}, 4).count("\n") == 4


async def test_a_viewer_that_lagged_too_far_is_told_to_load_anew():
    got = await told(Source(), [Note("reset", {})], topics=("job",))
    assert [name for name, _, _ in got if name != "hello"] == ["reset"]

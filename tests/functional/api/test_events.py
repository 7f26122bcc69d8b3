"""The event stream over the real ledger, read as a browser reads it."""

import asyncio
import json
from contextlib import asynccontextmanager

from ferryman.accounts.model import local_principal
from ferryman.jobs.model import NewJob

WAIT = 20


class Reader:
    """One open stream: events as they come."""

    def __init__(self, app, headers: dict[str, str], query: str = "") -> None:
        self._app, self._headers, self._query = app, {"host": "localhost", **headers}, query
        self._text: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._rest = ""
        self.status = 0
        self.last_id: str | None = None

    async def run(self) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/api/v1/events", "raw_path": b"/api/v1/events",
            "query_string": self._query.encode(), "root_path": "", "state": {},
            "headers": [(name.encode(), value.encode()) for name, value in self._headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8470),
        }  # fmt: skip

        async def receive():
            await self._gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif self._gone.is_set():
                raise OSError("the viewer is gone")
            else:
                self._text.put_nowait(message.get("body", b""))

        await self._app(scope, receive, send)

    async def next(self, *names: str):
        """Return `(name, data)` of the next event, of one of `names` when given."""
        while True:
            while "\n\n" not in self._rest:
                self._rest += (await asyncio.wait_for(self._text.get(), WAIT)).decode()
            block, self._rest = self._rest.split("\n\n", 1)
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            self.last_id = fields.get("id", self.last_id)
            if "event" in fields and (not names or fields["event"] in names):
                return fields["event"], json.loads(fields["data"])

    def leave(self) -> None:
        self._gone.set()


@asynccontextmanager
async def reading(house, token, query="", **headers):
    reader = Reader(house.app, {"authorization": f"Bearer {token}", **headers}, query)
    task = asyncio.create_task(reader.run())
    try:
        yield reader
    finally:
        reader.leave()
        task.cancel()
        await asyncio.wait({task}, timeout=WAIT)


async def test_a_viewer_hears_what_happens(house, tokens):
    async with reading(house, tokens["operator"]) as reader:
        assert await reader.next() == ("hello", {})
        job = await house.ledger.submit(NewJob("download", "file", {"password": "hunter2"}))
        name, data = await reader.next()
        assert (name, data["id"], data["state"]) == ("job", job.id, "queued")
        assert data["created_at"].endswith("Z")
        assert "spec" not in data
        house.hub.publish("progress", {"id": job.id, "disk": 1})
        assert (await reader.next("progress"))[1] == {"id": job.id, "disk": 1}


async def test_members_hear_only_of_their_own(house, tokens):
    member = await house.accounts.user("member")
    async with reading(house, tokens["member"]) as reader:
        await reader.next("hello")
        other = await house.ledger.submit(NewJob("download", "theirs", {}, owner="someone"))
        house.hub.publish("progress", {"id": other.id, "disk": 1})
        house.ledger.log(other.id).info("secret")
        mine = await house.ledger.submit(NewJob("download", "mine", {}, owner=member.id))
        assert (await reader.next("job", "progress", "log"))[1]["id"] == mine.id


async def test_whoever_comes_back_gets_what_they_missed(house, tokens):
    async with reading(house, tokens["operator"]) as reader:
        await reader.next("hello")
        begun = reader.last_id
    first = await house.ledger.submit(NewJob("download", "first", {}))
    second = await house.ledger.submit(NewJob("download", "second", {}))
    await house.ledger.cancel(first.id)
    async with reading(house, tokens["operator"], **{"last-event-id": begun}) as reader:
        await reader.next("hello")
        heard = [(await reader.next("job"))[1] for _ in range(2)]
        assert {(job["id"], job["state"]) for job in heard} == {
            (first.id, "cancelled"),
            (second.id, "queued"),
        }
        caught_up = reader.last_id
    async with reading(house, tokens["operator"], **{"last-event-id": caught_up}) as reader:
        await reader.next("hello")
        third = await house.ledger.submit(NewJob("download", "third", {}))
        assert (await reader.next())[1]["id"] == third.id


async def test_an_id_that_is_none_of_ours_starts_afresh(house, tokens):
    await house.ledger.submit(NewJob("download", "old", {}))
    for wrong in ("x", "-1", "9" * 40, "1e3"):
        async with reading(house, tokens["operator"], **{"last-event-id": wrong}) as reader:
            assert (await reader.next())[0] == "hello"
            assert reader.last_id == str(await house.ledger.last_event())


async def test_a_revoked_token_ends_the_stream(house, tokens):
    reader = Reader(house.app, {"authorization": f"Bearer {tokens['member']}"})
    task = asyncio.create_task(reader.run())
    await reader.next("hello")
    member = await house.accounts.user("member")
    await house.accounts.disable(member.id, actor=local_principal())
    await asyncio.wait_for(task, WAIT)


async def test_nobody_listens_without_signing_in(house):
    reader = Reader(house.app, {})
    await asyncio.wait_for(reader.run(), WAIT)
    assert reader.status == 401


async def test_a_viewer_that_leaves_is_forgotten(house, tokens):
    async with reading(house, tokens["operator"]) as reader:
        await reader.next("hello")
        assert house.hub._subscriptions
    assert not house.hub._subscriptions

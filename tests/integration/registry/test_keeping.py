"""A sweep never takes what a push counts on; uploads nobody continues go in the end."""

import asyncio

from ferryman.core.digests import Digest
from ferryman.registry import pushing
from ferryman.registry.ports import Rules
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of


class Clock:
    """The time of day, moved by hand."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        import time  # noqa: PLC0415

        return time.time() + self.ahead

    def monotonic(self) -> float:
        return self.now()


async def test_what_was_sent_found_or_mounted_stays_until_its_manifest_comes(made, depot):
    ask = made(OpenAccess())
    config, layer = b"{}", b"a layer"
    for data in (config, layer):
        assert (await ask("POST", f"/v2/a/blobs/uploads/?digest={digest_of(data)}", data)).status == 201
        await asyncio.to_thread(depot.gc, None, 0.0)
    assert (await ask("HEAD", f"/v2/a/blobs/{digest_of(layer)}")).status == 200
    assert (await ask("POST", f"/v2/b/blobs/uploads/?mount={digest_of(layer)}&from=a")).status == 201
    await asyncio.to_thread(depot.gc, None, 0.0)
    for repository in ("a", "b"):
        if repository == "b":
            await ask("POST", f"/v2/b/blobs/uploads/?mount={digest_of(config)}")
        document = (
            b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[{"mediaType":"a/c","digest":"%s","size":7}]}'
            % (digest_of(config).encode(), digest_of(layer).encode())
        )
        pushed = await ask("PUT", f"/v2/{repository}/manifests/v1", document, {"Content-Type": MANIFEST})
        assert pushed.status == 201
        assert (await ask("GET", f"/v2/{repository}/blobs/{digest_of(layer)}")).body == layer


async def test_pushes_and_sweeps_at_once(made, depot):
    ask = made(OpenAccess())
    done = asyncio.Event()

    async def sweep() -> int:
        count = 0
        while not done.is_set():
            await asyncio.to_thread(depot.gc, None, 0.0)
            count += 1
        return count

    async def push(number: int) -> None:
        data = b"layer %d" % number
        place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
        await ask("PATCH", place, [data[:3], data[3:]])
        assert (await ask("PUT", f"{place}?digest={digest_of(data)}")).status == 201
        document = b'{"config":{"mediaType":"a/b","digest":"%s","size":%d},"layers":[]}' % (
            digest_of(data).encode(),
            len(data),
        )
        reply = await ask("PUT", f"/v2/a/manifests/v{number}", document, {"Content-Type": MANIFEST})
        assert reply.status == 201, reply
        assert (await ask("GET", f"/v2/a/blobs/{digest_of(data)}")).body == data

    sweeping = asyncio.create_task(sweep())
    for first in range(0, 40, 8):
        await asyncio.gather(*(push(number) for number in range(first, first + 8)))
    done.set()
    assert await sweeping > 1


async def test_an_upload_that_is_closed_goes_on_and_one_that_is_forgotten_ends(made, tmp_path, depot):
    clock = Clock()
    ask = made(OpenAccess(), clock=clock, rules=lambda: Rules(upload_hours=1))
    registry = ask.app
    data = b"x" * 1000
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    await ask("PATCH", place, data)
    clock.ahead = 600
    (session,) = registry._sessions.idle()
    await asyncio.to_thread(registry._sessions.rest, session)
    assert not registry._sessions.opened()
    assert (await ask("GET", place)).headers["range"] == "0-999"
    await asyncio.to_thread(registry._sessions.rest, registry._sessions.opened()[0])
    clock.ahead = 1800
    assert registry._sessions.sweep() == 0
    clock.ahead = 2 * 3600
    assert registry._sessions.sweep() == 1
    assert (await ask("GET", place)).status == 404
    assert not list((tmp_path / "uploads").iterdir())
    assert not list((tmp_path / "depot" / "uploads").iterdir())


async def test_a_cut_connection_leaves_what_came(made):
    ask = made(OpenAccess())
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    reply = await ask("PATCH", place, [b"x" * 700_000, b"y" * 700_000, b"!cut"])
    assert reply.status == 0
    assert (await ask("GET", place)).headers["range"] == "0-1399999"
    data = b"x" * 700_000 + b"y" * 700_000 + b"z"
    reply = await ask("PATCH", place, b"z", {"Content-Range": "1400000-1400000"})
    assert reply.status == 202
    assert (await ask("PUT", f"{place}?digest={digest_of(data)}")).status == 201


async def test_requests_to_one_upload_wait_for_each_other(made):
    ask = made(OpenAccess())
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    replies = await asyncio.gather(*(ask("PATCH", place, b"abc", {"Content-Range": "0-2"}) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [202, 416, 416, 416, 416]


async def test_a_client_that_fell_silent_does_not_block_an_upload_for_ever(made, monkeypatch):
    monkeypatch.setattr(pushing, "PATIENCE_S", 0.01)
    ask = made(OpenAccess())
    place = (await ask("POST", "/v2/a/blobs/uploads/")).headers["location"]
    (session,) = ask.app._sessions.opened()
    async with session.turn:
        reply = await ask("PATCH", place, b"abc")
    assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "TOOMANYREQUESTS", "5")
    assert (await ask("PATCH", place, b"abc")).status == 202


async def test_a_failure_inside_is_500_and_shows_nothing(made, depot, monkeypatch):
    ask = made(OpenAccess())

    def broken(*_: object) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(depot, "manifest", broken)
    reply = await ask("GET", "/v2/a/manifests/v1")
    assert (reply.status, reply.code) == (500, "UNKNOWN")
    assert b"secret" not in reply.body


async def test_content_that_is_gone_is_404(made, depot):
    ask = made(OpenAccess())
    data = b"to vanish" * 10_000
    await ask("POST", f"/v2/a/blobs/uploads/?digest={digest_of(data)}", data)
    assert (await ask("GET", f"/v2/a/blobs/{digest_of(data)}")).status == 200
    depot.path(Digest.parse(digest_of(data))).unlink()
    for asker in (ask, made(OpenAccess())):  # one that remembers, and one that never saw it
        assert (await asker("GET", f"/v2/a/blobs/{digest_of(data)}")).status == 404

"""Manifests are kept ready: pushes elsewhere leave them, and nobody ever gets what a reference named before."""

import asyncio

import pytest

from ferryman.depot.model import Origin
from ferryman.depot.service import Depot
from ferryman.registry.ollama import Models
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of
from tests.integration.registry.town import CONFIG, document_of

ORIGIN = Origin("test", 0.0)


class Place:
    """A registry open to all, whose looks at the depot are counted."""

    def __init__(self, made, depot: Depot, monkeypatch) -> None:
        self.ask, self.looked = made(OpenAccess()), 0
        read = depot.manifest

        def counted(*words):
            self.looked += 1
            return read(*words)

        monkeypatch.setattr(depot, "manifest", counted)

    async def push(self, name: str, tag: str, *layers: bytes) -> bytes:
        for data in (CONFIG, *layers):
            await self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", data)
        raw = document_of(*layers)
        reply = await self.ask("PUT", f"/v2/{name}/manifests/{tag}", raw, {"content-type": MANIFEST})
        assert reply.status == 201
        return raw

    async def get(self, name: str, reference: str) -> bytes | int:
        reply = await self.ask("GET", f"/v2/{name}/manifests/{reference}")
        return reply.body if reply.status == 200 else reply.status


@pytest.fixture
def place(made, depot, monkeypatch) -> Place:
    return Place(made, depot, monkeypatch)


async def test_pushes_elsewhere_leave_what_is_ready(place: Place, depot: Depot):
    raw = await place.push("team/app", "v1", b"one")
    digest = digest_of(raw)
    assert [await place.get("team/app", what) for what in ("v1", digest)] == [raw, raw]
    place.looked = 0
    await place.push("team/app", "v2", b"two")
    await place.push("team/other", "v1", b"three")
    await place.ask("POST", f"/v2/team/app/blobs/uploads/?digest={digest_of(b'x')}", b"x")
    await asyncio.to_thread(depot.tag, "team/other", depot.tagged("team/other", "v1"), "v9", ORIGIN)
    assert [await place.get("team/app", what) for what in ("v1", digest)] == [raw, raw]
    assert place.looked == 0


async def test_what_changed_is_never_sent_again(place: Place, depot: Depot):
    one = await place.push("team/app", "v1", b"one")
    assert await place.get("team/app", "v1") == one
    two = await place.push("team/app", "v1", b"two")
    assert await place.get("team/app", "v1") == two
    assert (await place.ask("DELETE", "/v2/team/app/manifests/v1")).status == 202
    assert await place.get("team/app", "v1") == 404
    for reference in (digest_of(one), digest_of(two)):
        assert await place.get("team/app", reference) in {one, two}
        assert (await place.ask("DELETE", f"/v2/team/app/manifests/{reference}")).status == 202
        assert await place.get("team/app", reference) == 404


async def test_changes_by_others_are_seen(place: Place, depot: Depot, tmp_path):
    one = await place.push("team/app", "v1", b"one")
    two = await place.push("team/app", "v2", b"two")
    beside = Depot(tmp_path / "depot", depot.database, depot.clock)  # as another process has it
    assert await place.get("team/app", "v1") == one
    await asyncio.to_thread(beside.tag, "team/app", beside.tagged("team/app", "v2"), "v1", ORIGIN)
    assert await place.get("team/app", "v1") == two
    await asyncio.to_thread(beside.tag_all, [("team/app", beside.tagged("team/app", "v1"), "v3")], ORIGIN)
    assert await place.get("team/app", "v3") == two
    await asyncio.to_thread(beside.remove, "team/app", "v3", ORIGIN)
    assert await place.get("team/app", "v3") == 404
    await asyncio.to_thread(beside.remove, "team/app", digest_of(two), ORIGIN)
    assert [await place.get("team/app", what) for what in ("v1", "v2", digest_of(two))] == [404, 404, 404]
    beside.close()


async def test_another_media_type_of_the_same_content_is_seen(place: Place):
    raw = b'{"anything": 1}'
    path = f"/v2/team/app/manifests/{digest_of(raw)}"
    for kind in ("application/x-one", "application/x-two"):
        assert (await place.ask("PUT", path, raw, {"content-type": kind})).status == 201
        assert (await place.ask("GET", path)).headers["content-type"] == kind


async def test_rules_and_lost_content_are_seen(place: Place, depot: Depot, monkeypatch):
    raw = await place.push("team/app", "v1", b"one")
    assert await place.get("team/app", "v1") == raw
    depot.path(depot.tagged("team/app", "v1")).unlink()
    assert len(await asyncio.to_thread(lambda: list(depot.fsck()))) == 1
    assert await place.get("team/app", "v1") != raw
    two = await place.push("team/gone", "v1", b"two")
    assert await place.get("team/gone", "v1") == two
    monkeypatch.setattr(depot, "rules", lambda: "team/gone:* days=1")
    await asyncio.to_thread(depot.gc, depot.clock.now() + 5 * 86400)
    assert await place.get("team/gone", "v1") == 404


async def test_names_that_lead_elsewhere_follow_what_is_there(made, depot: Depot, monkeypatch):

    place = Place(made, depot, monkeypatch)
    place.ask = made(OpenAccess(), upstreams=Models(depot))
    far = await place.push("registry.ollama.ai/library/tiny", "v1", b"far")
    assert await place.get("library/tiny", "v1") == far
    near = await place.push("library/tiny", "v1", b"near")
    assert await place.get("library/tiny", "v1") == near

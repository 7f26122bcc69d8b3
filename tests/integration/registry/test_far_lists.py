"""Tags and referrers of a pull-through repository are those of upstream and ours together, page by page."""

import json

import pytest

from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import SystemClock
from ferryman.depot.model import Origin
from ferryman.oci.manifest import parse_manifest
from ferryman.oci.options import RegistryOptions
from ferryman.registry.upstream import PullThrough
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of

CONFIG = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2}
PLACE = "/v2/far.example/team/x"


def raw(**more: object) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": CONFIG, "layers": [], **more}
    ).encode()


SUBJECT = raw()


def referrer(kind: str, salt: str = "") -> bytes:
    subject = {"mediaType": MANIFEST, "digest": digest_of(SUBJECT), "size": len(SUBJECT)}
    return raw(artifactType=kind, subject=subject, annotations={"salt": salt})


class World:
    """A registry before an upstream, which `ask` asks; `fresh` is how many seconds a list is good."""

    def __init__(self, far: LiarRegistry, depot, made, fresh: float = 300.0) -> None:
        self.far, self.depot, self.fresh = far, depot, fresh
        options = RegistryOptions(plain_http=True, retries=2, backoff=0.001, connect_timeout=5)
        lines = parse_upstreams(f"far.example = http://{far.host}")
        self.through = PullThrough(
            depot,
            SystemClock(),
            upstreams=lambda: lines,
            options=lambda _: options,
            fresh_s=lambda: self.fresh,
        )
        self.ask = made(OpenAccess(), upstreams=self.through, closing=self.through.close)

    def ours(self, manifest: bytes, *tags: str) -> str:
        """Push a manifest into our own part of the repository."""
        parsed = parse_manifest(manifest, MANIFEST)
        for tag in tags or (None,):
            self.depot.put_manifest(
                "far.example/team/x", parsed, tag, Origin("push:me", 1.0), incomplete=True
            )
        return str(parsed.digest)

    def theirs(self, manifest: bytes, *tags: str) -> str:
        return self.far.put_manifest("team/x", MANIFEST, manifest, *tags)

    async def tags(self, query: str = "") -> list[str]:
        """Follow the links from the first page on."""
        found, path = [], f"{PLACE}/tags/list{query}"
        while path:
            reply = await self.ask("GET", path)
            assert reply.status == 200, reply
            found += reply.json()["tags"]
            link = reply.headers.get("link", "")
            path = link.partition("<")[2].partition(">")[0]
        return found

    async def referrers(self, query: str = "") -> list[str]:
        reply = await self.ask("GET", f"{PLACE}/referrers/{digest_of(SUBJECT)}{query}")
        assert reply.status == 200, reply
        return [one["digest"] for one in reply.json()["manifests"]]


@pytest.fixture(params=[False, True], ids=["fallback-tag", "referrers-api"])
def far(request):
    with LiarRegistry(referrers=request.param) as registry:
        registry.page = 3
        yield registry


@pytest.fixture
def world(far, depot, made) -> World:
    return World(far, depot, made)


async def test_tags_of_both_in_pages_that_fit_together(world: World):
    theirs = [f"v{number}" for number in range(11)]
    world.theirs(SUBJECT, *theirs)
    world.ours(SUBJECT, "own", "v3", "v3a")
    every = sorted({*theirs, "own", "v3", "v3a"})
    for query in ("", "?n=1", "?n=4", "?n=5", "?n=13", "?n=14", "?n=100"):
        assert await world.tags(query) == every
    assert await world.tags("?last=v3") == [tag for tag in every if tag > "v3"]
    assert await world.tags("?n=0") == []
    # The whole list was asked for once, in its four pages.
    assert len(world.far.seen("GET", "/tags/list")) == 4
    by_ns = await world.ask("GET", "/v2/team/x/tags/list?ns=far.example")
    assert by_ns.json() == {"name": "team/x", "tags": every}


async def test_tags_are_asked_for_again_when_they_are_old(world: World):
    world.fresh = 0
    world.theirs(SUBJECT, "v1")
    assert await world.tags() == ["v1"]
    world.theirs(SUBJECT, "v2")
    assert await world.tags() == ["v1", "v2"]


async def test_an_upstream_without_an_answer_leaves_ours(world: World):
    world.fresh = 0
    world.theirs(SUBJECT, "v1")
    world.ours(SUBJECT, "own")
    world.far.faults += [Fault("GET", "/team/x/", times=100, status=500)]
    assert await world.tags() == ["own"]
    assert await world.referrers() == []
    assert (await world.ask("GET", "/v2/far.example/team/none/tags/list")).status == 404
    world.far.faults[:] = [Fault("GET", "/v2/team/none/", times=100, status=503)]
    # We have nothing of it, and nobody knows whether upstream has.
    assert (await world.ask("GET", "/v2/far.example/team/none/tags/list")).status == 503
    world.far.faults[:] = [Fault("GET", "/team/x/", times=100, status=403)]
    assert await world.tags() == ["own"]
    world.far.faults.clear()
    assert await world.tags() == ["own", "v1"]


async def test_lists_that_are_wrong_leave_ours(world: World):
    world.fresh = 0
    world.ours(SUBJECT, "own")
    for content in (b"no JSON", b'{"tags": [1]}', b'{"tags": 5}', b"[" * 10_000):
        world.far.faults[:] = [Fault("GET", "/tags/list", times=9, content=content)]
        assert await world.tags() == ["own"]
    odd = json.dumps({"tags": ["fine", "../x", "a b", "", "x" * 200]}).encode()
    world.far.faults[:] = [Fault("GET", "/tags/list", content=odd)]
    assert await world.tags() == ["fine", "own"]


def at_upstream(world: World, *manifests: bytes) -> list[str]:
    """Put referrers where the upstream lists them: behind its API, or in the index of the fallback tag."""
    found = [world.theirs(one) for one in manifests]
    if not world.far.referrers:
        entries = [
            {
                "mediaType": MANIFEST,
                "digest": digest,
                "size": len(one),
                "artifactType": json.loads(one)["artifactType"],
            }
            for digest, one in zip(found, manifests, strict=True)
        ]
        kind = "application/vnd.oci.image.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": entries}).encode()
        world.far.put_manifest("team/x", kind, index, digest_of(SUBJECT).replace(":", "-"))
    return found


async def test_referrers_of_both(world: World):
    world.theirs(SUBJECT, "v1")
    theirs = at_upstream(world, *[referrer("a/sbom", str(number)) for number in range(5)], referrer("a/sig"))
    ours = world.ours(referrer("a/sbom", "ours"))
    assert await world.referrers() == sorted([*theirs, ours])
    before = len(world.far.seen())
    assert await world.referrers() == sorted([*theirs, ours])
    assert len(world.far.seen()) == before
    last = sorted([*theirs, ours])[2]
    assert await world.referrers(f"?last={last}") == sorted([*theirs, ours])[3:]
    if not world.far.referrers:  # the liar's API says no types
        assert await world.referrers("?artifactType=a/sbom") == sorted([*theirs[:5], ours])
    # What is listed can be fetched.
    for digest in theirs:
        assert (await world.ask("GET", f"{PLACE}/manifests/{digest}")).status == 200
    assert await world.referrers("?artifactType=a/sig") == [theirs[5]]

"""A blob of an upstream is sent while it arrives: once from upstream, to all who ask, and never whole when it is wrong."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.depot.service import Depot
from ferryman.oci.options import RegistryOptions
from ferryman.registry.inflow import HELD
from ferryman.registry.upstream import PullThrough
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST
from tests.integration.oci.registries import made_up
from tests.integration.registry.conftest import Asker, Client

SIZE = 3_000_000
HALF = SIZE // 2
HERE = "/v2/far.example/team/x"


@dataclass
class Through:
    """A registry `ask` before the upstream `far`, in which `layer` is the layer of `team/x:v1`."""

    far: LiarRegistry
    ask: Asker
    depot: Depot
    layer: bytes
    digest: str

    @property
    def path(self) -> str:
        return f"{HERE}/blobs/{self.digest}"

    def begin(self, **headers: str) -> Client:
        return self.ask.begin("GET", self.path, headers)

    def fault(self, **what: Any) -> None:
        self.far.faults.append(Fault("GET", self.digest, **what))

    def gates(self, after: int = HALF) -> threading.Event:
        """Let the upstream stop after some bytes until the gate is opened."""
        gate = threading.Event()
        self.fault(after=after, gate=gate)
        return gate

    def sent(self) -> int:
        """Bytes of the layer that left the upstream."""
        return sum(one.sent for one in self.far.seen("GET", self.digest) if one.status in {200, 206})

    @property
    def has(self) -> bool:
        return self.depot.has(Digest.parse(self.digest))


def image(far: LiarRegistry, repository: str, layer: bytes, tag: str = "v1", **more: Any) -> str:
    """Put an image of one layer; return the digest of the layer."""
    config = far.put(repository, b"{}")
    digest = far.put(repository, layer)
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "a/b", "digest": config, "size": 2},
        "layers": [{"mediaType": "a/c", "digest": digest, "size": len(layer)} | more],
    }
    far.put_manifest(repository, MANIFEST, json.dumps(document).encode(), tag)
    return digest


async def linked(depot: Depot, digest: str, *repositories: str) -> None:
    """Wait until the depot has a blob in repositories: an answer ends when its digest is right, which is a little earlier."""
    while not all(depot.has_blob_in(one, Digest.parse(digest)) for one in repositories):
        await asyncio.sleep(0.01)


@pytest.fixture
def far() -> Iterator[LiarRegistry]:
    with LiarRegistry() as registry:
        yield registry


@pytest.fixture
async def pull(depot: Depot, far: LiarRegistry) -> AsyncIterator[Callable[..., PullThrough]]:
    """Makes pull-through of `far.example`, which is `far`, and of others."""
    made: list[PullThrough] = []

    def make(**others: LiarRegistry) -> PullThrough:
        lines = [f"far.example = http://{far.host}"]
        lines += [f"{name}.example = http://{other.host}" for name, other in others.items()]
        options = RegistryOptions(plain_http=True, retries=2, backoff=0.001, connect_timeout=5)
        made.append(
            PullThrough(
                depot,
                SystemClock(),
                upstreams=lambda: parse_upstreams(";".join(lines)),
                options=lambda _: options,
                fresh_s=lambda: 300.0,
            )
        )
        return made[-1]

    yield make
    far.closing.set()
    for one in made:
        await asyncio.to_thread(one.close)


@pytest.fixture
async def through(made, pull, depot: Depot, far: LiarRegistry) -> Through:
    layer = made_up(SIZE)
    ask = made(OpenAccess(), upstreams=pull())
    found = Through(far, ask, depot, layer, image(far, "team/x", layer))
    assert (await ask("GET", f"{HERE}/manifests/v1")).status == 200
    return found


async def test_all_who_ask_share_one_fetch_and_see_its_beginning_before_its_end(through: Through):
    gate = through.gates()
    early = [through.begin() for _ in range(8)]
    for client in early:
        await client.has(HALF - HELD)
    late = through.begin()
    await late.has(HALF - HELD)
    assert through.sent() == HALF
    assert not through.has
    gate.set()
    for client in [*early, late]:
        await client.task
        assert (client.status, client.whole, client.body == through.layer) == (200, True, True)
    assert len(through.far.seen("GET", through.digest)) == 1
    assert through.sent() == SIZE
    again = await through.ask("GET", through.path)
    assert (again.status, again.body == through.layer) == (200, True)
    assert through.sent() == SIZE


async def test_ranges_of_what_arrives(through: Through):
    gate = through.gates()
    first = through.begin(range=f"bytes=0-{HALF - 1}")
    await first.has(HALF - HELD)
    tail, inner = (
        through.begin(range="bytes=-5000"),
        through.begin(range=f"bytes={HALF - 300_000}-{HALF + 9}"),
    )
    await inner.has(300_000 - HELD)
    wrong = await through.ask("GET", through.path, headers={"range": f"bytes={SIZE}-"})
    assert (wrong.status, wrong.headers["content-range"]) == (416, f"bytes */{SIZE}")
    assert not any(client.whole for client in (first, tail, inner))
    gate.set()
    for client, begin, end in (
        (first, 0, HALF),
        (tail, SIZE - 5000, SIZE),
        (inner, HALF - 300_000, HALF + 10),
    ):
        await client.task
        assert client.reply().headers["content-range"] == f"bytes {begin}-{end - 1}/{SIZE}"
        assert (client.status, client.whole, client.body == through.layer[begin:end]) == (206, True, True)
    assert through.sent() == SIZE


async def test_head_and_conditions(through: Through):
    gate = through.gates()
    head = await through.ask("HEAD", through.path)
    assert (head.status, head.headers["content-length"], head.body) == (200, str(SIZE), b"")
    same = await through.ask("GET", through.path, headers={"if-none-match": f'"{through.digest}"'})
    assert same.status == 304
    gate.set()
    assert (await through.ask("GET", through.path)).body == through.layer


async def test_what_turns_out_wrong_is_whole_for_nobody_and_nothing_stays(through: Through):
    gate = threading.Event()
    bad = through.layer[:-9] + b"different"
    through.fault(content=bad, after=HALF, gate=gate)
    clients = [
        through.begin(),
        through.begin(range=f"bytes=0-{HALF - 1}"),
        through.begin(range="bytes=-100000"),
    ]
    await clients[0].has(HALF - HELD)
    gate.set()
    for client in clients:
        await client.task
        assert not client.whole
    assert [
        len(client.body) <= most
        for client, most in zip(clients, (SIZE - HELD, HALF - HELD, 100_000 - HELD), strict=True)
    ]
    assert not through.has
    assert not list((through.depot.folder / "partial").rglob("?" * 64))
    good = await through.ask("GET", through.path)
    assert (good.status, good.body == through.layer) == (200, True)


async def test_who_goes_away_does_not_stop_it(through: Through):
    gate = through.gates()
    one, other = through.begin(), through.begin()
    await one.has(HALF - HELD)
    await one.leave()
    gate.set()
    await other.task
    assert (one.whole, other.body == through.layer, through.sent()) == (False, True, SIZE)


async def test_it_ends_in_the_depot_also_when_nobody_is_left(through: Through):
    gate = through.gates()
    one = through.begin()
    await one.has(HALF - HELD)
    await one.leave()
    gate.set()
    await linked(through.depot, through.digest, "far.example/team/x")
    assert (await through.ask("GET", through.path)).body == through.layer
    assert through.sent() == SIZE


@pytest.mark.parametrize("between", [[], [429], [500, 503], [429, 429, 500]])
async def test_what_breaks_off_goes_on_by_range(through: Through, between: list[int]):
    through.fault(after=HALF)
    for status in between:
        through.fault(status=status, headers={"Retry-After": "0"})
    client = through.begin()
    await client.task
    assert (client.whole, client.body == through.layer) == (True, True)
    asked = through.far.seen("GET", through.digest)
    assert asked[-1].headers["range"] == f"bytes={HALF}-"
    assert through.sent() == SIZE


async def test_an_upstream_that_wants_a_new_sign_in_in_the_middle(through: Through):
    through.far.challenge = 'Basic realm="x"'
    through.fault(after=HALF)
    calls = iter([True, False, False])
    through.far.accepts = lambda _: next(calls, True)
    client = through.begin()
    await client.task
    # We have no login: the upstream that wants one in the middle is one that failed.
    assert not client.whole
    through.far.challenge = ""
    assert (await through.ask("GET", through.path)).body == through.layer
    assert through.sent() == SIZE


async def test_an_upstream_that_fails_for_good_and_the_next_request(through: Through):
    through.fault(after=HALF)
    through.fault(times=100, status=500)
    client = through.begin()
    await client.task
    assert (client.whole, client.body == through.layer[: len(client.body)]) == (False, True)
    refused = await through.ask("GET", through.path)
    assert (refused.status, refused.code) == (503, "UNAVAILABLE")
    through.far.faults.clear()
    assert (await through.ask("GET", through.path)).body == through.layer
    assert through.sent() == SIZE


async def test_a_beginning_that_an_earlier_attempt_left_damaged(through: Through):
    partial = through.depot.partial(Digest.parse(through.digest))
    partial.write_bytes(b"x" * HALF)
    gate = through.gates(after=HALF // 2)
    client = through.begin()
    await client.has(HALF - HELD)
    gate.set()
    await client.task
    assert not client.whole
    # It was fetched anew at once, for those who come back.
    assert (await through.ask("GET", through.path)).body == through.layer


async def test_the_end_of_the_daemon_waits_for_no_upstream(made, pull, depot: Depot, far: LiarRegistry):
    digest = image(far, "team/x", made_up(SIZE))
    upstreams = pull()
    ask = made(OpenAccess(), upstreams=upstreams)
    assert (await ask("GET", f"{HERE}/manifests/v1")).status == 200
    far.faults.append(Fault("GET", digest, after=HALF, hold=True))
    client = ask.begin("GET", f"{HERE}/blobs/{digest}")
    await client.has(HALF - HELD)
    await asyncio.wait_for(asyncio.to_thread(upstreams.close), 20)
    await client.task
    assert not client.whole
    assert depot.partial(Digest.parse(digest)).stat().st_size == HALF


async def test_a_blob_of_two_repositories_is_fetched_once_and_each_upstream_counts(
    made, pull, depot: Depot, far: LiarRegistry
):
    layer = made_up(SIZE)
    with LiarRegistry() as near:
        digest = image(far, "team/x", layer)
        image(far, "team/y", layer)
        image(near, "team/z", layer)
        ask = made(OpenAccess(), upstreams=pull(near=near))
        places = ["far.example/team/x", "far.example/team/y", "near.example/team/z"]
        for place in places:
            assert (await ask("GET", f"/v2/{place}/manifests/v1")).status == 200
        far.faults.append(Fault("GET", digest, times=100, status=403))
        clients = [ask.begin("GET", f"/v2/{place}/blobs/{digest}") for place in places]
        for client in clients:
            await client.task
        # The others have it from the upstream that gives it, when they were waiting while it came from there.
        assert {client.status for client in clients[:2]} <= {200, 404}
        assert clients[2].status == 200
        assert clients[2].body == layer
        assert len(near.seen("GET", digest)) == 1
    # The depot has it now: that a manifest of the repository names it is enough.
    assert (await ask("GET", f"/v2/{places[0]}/blobs/{digest}")).body == layer
    await linked(depot, digest, places[0])


async def test_repositories_that_join_have_it_too(made, pull, depot: Depot, far: LiarRegistry):
    layer = made_up(SIZE)
    digest, _ = image(far, "team/x", layer), image(far, "team/y", layer)
    ask = made(OpenAccess(), upstreams=pull())
    gate = threading.Event()
    far.faults.append(Fault("GET", digest, after=HALF, gate=gate))
    clients = []
    for place in ("team/x", "team/y"):
        assert (await ask("GET", f"/v2/far.example/{place}/manifests/v1")).status == 200
        clients.append(ask.begin("GET", f"/v2/far.example/{place}/blobs/{digest}"))
        await clients[-1].has(HALF - HELD)
    gate.set()
    for client in clients:
        await client.task
        assert client.body == layer
    assert len(far.seen("GET", digest)) == 1
    for place in ("team/x", "team/y"):
        assert (await ask("GET", f"/v2/far.example/{place}/blobs/{digest}")).status == 200
    await linked(depot, digest, "far.example/team/x", "far.example/team/y")


async def test_what_cannot_be_right_is_refused_before_it_begins(through: Through):
    far, ask = through.far, through.ask
    short, long = made_up(200_000, "short"), made_up(200_000, "long")
    cases = [
        (image(far, "team/s", short, size=200_001), "team/s"),
        (image(far, "team/l", long, size=199_999), "team/l"),
    ]
    for digest, place in cases:
        assert (await ask("GET", f"/v2/far.example/{place}/manifests/v1")).status == 200
        reply = await ask("GET", f"/v2/far.example/{place}/blobs/{digest}")
        assert (reply.status, reply.json()["errors"][0]["detail"]["reason"]) == (502, "upstream_wrong")
        assert not through.depot.has(Digest.parse(digest))

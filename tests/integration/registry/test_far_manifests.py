"""Tags that move upstream, upstreams that are gone, and upstreams that send what they must not."""

import json

import pytest
from structlog.testing import capture_logs

from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.depot.model import Origin
from ferryman.oci.manifest import MOST_MANIFEST, parse_manifest
from ferryman.oci.options import Login, RegistryOptions
from ferryman.registry.upstream import PullThrough
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of
from tests.integration.oci.registries import made_up

BLOB = made_up(200_000)
PLACE = "/v2/far.example/team/x"


class Time(SystemClock):
    """Time that passes when a test says so."""

    later = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.later


@pytest.fixture
def far():
    with LiarRegistry() as registry:
        yield registry


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ask(far: LiarRegistry, depot, made, time: Time):
    options = RegistryOptions(
        plain_http=True,
        retries=2,
        backoff=0.001,
        connect_timeout=5,
        logins=lambda _: Login("ferry", "hunter2"),
    )
    lines = parse_upstreams(f"far.example = http://{far.host}")
    through = PullThrough(
        depot, time, upstreams=lambda: lines, options=lambda _: options, fresh_s=lambda: 300.0
    )
    return made(OpenAccess(), upstreams=through, closing=through.close)


def raw(salt: str = "") -> bytes:
    config = {"mediaType": "a/b", "digest": digest_of(b"{}"), "size": 2}
    layer = {"mediaType": "a/c", "digest": digest_of(BLOB), "size": len(BLOB)}
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    return json.dumps({**document, "annotations": {"salt": salt}}).encode()


def put(far: LiarRegistry, salt: str, *tags: str) -> bytes:
    for content in (b"{}", BLOB):
        far.put("team/x", content)
    far.put_manifest("team/x", MANIFEST, raw(salt), *tags)
    return raw(salt)


async def test_a_tag_that_moved_is_fetched_when_it_is_old_and_the_earlier_one_stays_by_digest(far, ask, time):
    one, two = put(far, "one", "v1"), raw("two")
    for query in ("", "?ns=far.example"):
        place = "/v2/team/x" if query else PLACE
        assert (await ask("GET", f"{place}/manifests/v1{query}")).body == one
    put(far, "two", "v1")
    assert (await ask("GET", f"{PLACE}/manifests/v1")).body == one
    time.later = 301
    for query in ("?ns=far.example", ""):
        place = "/v2/team/x" if query else PLACE
        assert (await ask("GET", f"{place}/manifests/v1{query}")).body == two
        assert (await ask("GET", f"{place}/manifests/{digest_of(one)}{query}")).body == one
        assert (await ask("GET", f"{place}/manifests/{digest_of(two)}{query}")).body == two


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("GET", "manifests", times=99, status=500), "registry_error"),
        (Fault("GET", "manifests", times=99, status=429), "too_many_requests"),
        (Fault("GET", "manifests", times=99, status=401), "auth_required"),
        (Fault("GET", "manifests", times=99, status=404), "manifest_unknown"),
        (Fault("GET", "manifests", times=99, content=b"something else"), "upstream_wrong"),
        (Fault("GET", "manifests", times=99, after=0), "connection_lost"),
    ],
)
async def test_an_old_tag_is_served_when_upstream_cannot_say_what_it_is_now(far, ask, time, fault, why):
    one = put(far, "one", "v1")
    assert (await ask("GET", f"{PLACE}/manifests/v1")).body == one
    time.later = 301
    far.faults.append(fault)
    with capture_logs() as lines:
        for query in ("?ns=far.example", ""):
            place = "/v2/team/x" if query else PLACE
            reply = await ask("GET", f"{place}/manifests/v1{query}")
            assert (reply.status, reply.body) == (200, one)
    said = [line for line in lines if "of the depot is served" in line["event"]]
    assert [(line["tag"], line["log_level"]) for line in said] == [("v1", "warning")]
    assert said[0]["why"] == why
    assert "hunter2" not in str(lines)
    if why != "manifest_unknown":
        far.faults.clear()
        two = put(far, "two", "v1")
        time.later += 31  # an upstream that failed is asked again sooner than one that answered
        assert (await ask("GET", f"{PLACE}/manifests/v1")).body == two


async def test_a_tag_that_was_pushed_here_is_served_though_upstream_has_none(far, ask, depot):
    put(far, "one", "v1")
    manifest = parse_manifest(raw("ours"), MANIFEST)
    depot.put_manifest("far.example/team/x", manifest, "own", Origin("push:me", 1.0), incomplete=True)
    assert (await ask("GET", f"{PLACE}/manifests/own")).body == raw("ours")
    assert (await ask("GET", f"{PLACE}/manifests/none")).status == 404


@pytest.mark.parametrize(
    "content",
    [b"no JSON", b"[1]", b'{"a":1}' + b" " * MOST_MANIFEST, raw("another"), b""],
    ids=["no JSON", "a list", "over 4 MiB", "another digest", "empty"],
)
async def test_a_manifest_that_is_wrong_is_no_manifest_of_ours(far, ask, depot, content):
    put(far, "one", "v1")
    for reference in ("v1", digest_of(raw("one"))):
        far.faults[:] = [Fault("GET", f"manifests/{reference}", times=9, content=content)]
        reply = await ask("GET", f"{PLACE}/manifests/{reference}")
        assert (reply.status, reply.code) == (502, "UNKNOWN"), reply
        assert reply.json()["errors"][0]["detail"]["reason"] == "upstream_wrong"
        assert not depot.repositories()
        far.faults.clear()
        # Nothing of it is remembered.
    assert (await ask("GET", f"{PLACE}/manifests/v1")).body == raw("one")


async def test_a_blob_behind_a_redirect_is_asked_for_without_our_login(far, ask):
    put(far, "one", "v1")
    far.challenge, far.accepts = 'Basic realm="x"', lambda said: said.startswith("Basic ")
    with LiarRegistry() as storage:
        storage.put("team/x", BLOB)
        place = f"http://{storage.host}/v2/team/x/blobs/{digest_of(BLOB)}"
        assert (await ask("GET", f"{PLACE}/manifests/v1")).status == 200
        # The storage breaks off in the middle as well: the way there is asked for again, with our login only at the registry.
        storage.faults.append(Fault("GET", "blobs", after=100_000))
        far.faults += [Fault("GET", "blobs", times=9, status=307, headers={"Location": place})]
        reply = await ask("GET", f"{PLACE}/blobs/{digest_of(BLOB)}")
        assert (reply.status, reply.body == BLOB) == (200, True)
        asked = storage.seen("GET", "blobs")
        assert [one.headers.get("range") for one in asked] == [None, "bytes=100000-"]
        assert not [one for one in asked if "authorization" in one.headers]
    assert all("authorization" in one.headers for one in far.seen("GET", "blobs"))


@pytest.mark.parametrize(
    ("what", "status"),
    [({"length": len(BLOB) + 9}, 502), ({"length": len(BLOB) - 9}, 502), ({"content": BLOB[:-9]}, 502)],
    ids=["too long", "too short", "short with its right length"],
)
async def test_a_blob_of_another_length_is_refused_before_it_begins(far, ask, depot, what, status):
    put(far, "one", "v1")
    assert (await ask("GET", f"{PLACE}/manifests/v1")).status == 200
    far.faults.append(Fault("GET", "blobs", times=99, **what))
    reply = await ask("GET", f"{PLACE}/blobs/{digest_of(BLOB)}")
    assert (reply.status, reply.json()["errors"][0]["detail"]["reason"]) == (status, "upstream_wrong")
    assert not depot.has(Digest.parse(digest_of(BLOB)))

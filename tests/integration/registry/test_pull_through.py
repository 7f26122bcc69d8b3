"""Pull-through decides by itself what is asked of upstream: only what is configured, named, and not fresh."""

import asyncio

import pytest

from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, Unavailable
from ferryman.depot.model import Origin
from ferryman.oci.manifest import parse_manifest
from ferryman.oci.options import RegistryOptions
from ferryman.registry.upstream import PullThrough
from ferryman.transfer.policy import AddressPolicy
from tests.conformance.registry.peers import MANIFEST, digest_of

RAW = b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}' % digest_of(b"{}").encode()
# Nothing listens at port 1 of loopback.
LINES = "docker.io = http://127.0.0.1:1; far.example = http://127.0.0.1:1"


def through(depot, *, private: bool = True) -> PullThrough:
    options = RegistryOptions(plain_http=True, retries=1, allow=AddressPolicy(private=private))
    return PullThrough(
        depot,
        SystemClock(),
        upstreams=lambda: parse_upstreams(LINES),
        options=lambda _: options,
        fresh_s=lambda: 300.0,
    )


def test_names(depot):
    far = through(depot)
    for name, ns, place in (
        ("team/x", "far.example", "far.example/team/x"),
        ("team/x", None, "team/x"),
        ("team/x", "other.example", "team/x"),
        ("team/x", "../far.example", "team/x"),
        ("alpine", "docker.io", "docker.io/library/alpine"),
        ("docker.io/alpine", None, "docker.io/library/alpine"),
        ("docker.io/a/b", None, "docker.io/a/b"),
        ("far.example", None, "far.example"),
    ):
        assert far.place(name, ns) == place
    assert far.covers("far.example/team/x")
    assert not far.covers("other.example/team/x")
    far.close()


async def test_upstream_out_of_reach_and_addresses_that_are_refused(depot):
    far = through(depot)
    with pytest.raises(Unavailable):
        await far.manifest("far.example/x", "v1")
    origin = Origin("test", 1.0)
    depot.put_manifest("far.example/x", parse_manifest(RAW, MANIFEST), "v1", origin, incomplete=True)
    assert await asyncio.gather(*[far.manifest("far.example/x", "v1") for _ in range(5)]) == [True] * 5
    with pytest.raises(Unavailable):
        await far.blob("far.example/x", Digest.parse(digest_of(b"{}")))
    assert await far.blob("far.example/x", Digest.parse(digest_of(b"no manifest names it"))) is False
    await asyncio.to_thread(far.close)
    near = through(depot, private=False)
    with pytest.raises(Denied):
        await near.manifest("far.example/y", "v1")
    await asyncio.to_thread(near.close)

"""Who reads a manifest is expected to ask for its blobs: they are found with it, and never shown when they went."""

import pytest

from ferryman.core.digests import Digest
from tests.conformance.registry.doubles import NamedAccess, OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of

CONFIG, LAYER = b"{}", b"a layer"


@pytest.fixture
async def ask(made):
    ask = made(OpenAccess())
    for data in (CONFIG, LAYER):
        assert (await ask("POST", f"/v2/a/blobs/uploads/?digest={digest_of(data)}", data)).status == 201
    document = (
        b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[{"mediaType":"a/c","digest":"%s","size":7}]}'
        % (digest_of(CONFIG).encode(), digest_of(LAYER).encode())
    )
    assert (await ask("PUT", "/v2/a/manifests/v1", document, {"Content-Type": MANIFEST})).status == 201
    return ask


async def test_blobs_of_a_manifest_that_was_read_cost_no_further_lookup(ask, depot, monkeypatch):
    assert (await ask("GET", "/v2/a/manifests/v1")).status == 200
    asked = []
    monkeypatch.setattr(depot, "files_in", lambda *words: asked.append(words))
    for data in (CONFIG, LAYER):
        assert (await ask("GET", f"/v2/a/blobs/{digest_of(data)}")).body == data
    assert asked == []


async def test_a_manifest_in_memory_is_not_read_again_for_others(made, ask, depot, monkeypatch):
    other = made(NamedAccess({"one": {("a", "pull")}, "two": {("a", "pull")}}))
    first = await other("GET", "/v2/a/manifests/v1", b"", {"Authorization": "Name one"})
    monkeypatch.setattr(depot, "manifest", lambda *words: pytest.fail(f"read again: {words}"))
    assert await other("GET", "/v2/a/manifests/v1", b"", {"Authorization": "Name two"}) == first
    assert first.status == 200
    assert (await other("GET", "/v2/a/manifests/v1", b"", {"Authorization": "Name three"})).status == 403


async def test_what_was_found_and_is_gone_is_not_sent(ask, depot):
    manifest = await ask("GET", "/v2/a/manifests/v1")
    digest = digest_of(LAYER)
    file = depot.path(Digest.parse(digest))
    aside = file.rename(file.with_suffix(".aside"))
    assert (await ask("GET", f"/v2/a/blobs/{digest}")).status == 404
    aside.rename(file)
    assert (await ask("GET", f"/v2/a/blobs/{digest}")).body == LAYER
    reference = manifest.headers["docker-content-digest"]
    assert (await ask("DELETE", f"/v2/a/manifests/{reference}")).status == 202
    for gone in (f"manifests/{reference}", "manifests/v1", f"blobs/{digest}"):
        assert (await ask("GET", f"/v2/a/{gone}")).status == 404

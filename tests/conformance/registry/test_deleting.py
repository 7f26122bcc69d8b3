"""Deletion is complete once it is answered (distribution-spec 1.1, "Content Management")."""

import json

import pytest

from tests.conformance.registry.peers import ACCEPT, INDEX, MANIFEST, Peer, digest_of


def status(peer: Peer, path: str) -> int:
    return peer.ask("GET", path, headers={"Accept": ACCEPT}).status


def test_a_deleted_tag_is_gone_and_its_manifest_stays(own: Peer):
    name = own.name()
    raw = own.image(name, "one")
    assert own.put(name, "two", raw).status == 201
    assert status(own, f"/v2/{name}/manifests/one") == 200
    assert own.ask("DELETE", f"/v2/{name}/manifests/one").status == 202
    assert status(own, f"/v2/{name}/manifests/one") == 404
    assert status(own, f"/v2/{name}/manifests/two") == 200
    assert status(own, f"/v2/{name}/manifests/{digest_of(raw)}") == 200
    assert own.ask("GET", f"/v2/{name}/tags/list").json()["tags"] == ["two"]


def test_a_deleted_manifest_is_gone_with_its_tags(peer: Peer):
    name = peer.name()
    raw, other = peer.image(name, "one", "1"), peer.image(name, "other", "2")
    assert peer.put(name, "two", raw).status == 201
    assert peer.ask("DELETE", f"/v2/{name}/manifests/{digest_of(raw)}").status == 202
    for reference in ("one", "two", digest_of(raw)):
        assert status(peer, f"/v2/{name}/manifests/{reference}") == 404
    assert peer.ask("GET", f"/v2/{name}/tags/list").json()["tags"] == ["other"]
    assert status(peer, f"/v2/{name}/manifests/{digest_of(other)}") == 200


def test_a_deleted_manifest_of_one_repository_stays_in_another(own: Peer):
    name, other = own.name(), own.name()
    raw = own.image(name, "one", "same")
    assert own.image(other, "one", "same") == raw
    assert own.ask("DELETE", f"/v2/{name}/manifests/{digest_of(raw)}").status == 202
    assert status(own, f"/v2/{other}/manifests/one") == 200
    layer = json.loads(raw)["layers"][0]["digest"]
    assert status(own, f"/v2/{other}/blobs/{layer}") == 200


def test_a_deleted_blob_is_gone_from_its_repository(peer: Peer):
    name, other = peer.name(), peer.name()
    digest = peer.blob(name, b"to go")
    peer.blob(other, b"to go")
    assert peer.ask("DELETE", f"/v2/{name}/blobs/{digest}").status == 202
    assert status(peer, f"/v2/{name}/blobs/{digest}") == 404
    assert peer.ask("HEAD", f"/v2/{name}/blobs/{digest}").status == 404
    assert status(peer, f"/v2/{other}/blobs/{digest}") == 200


def test_a_blob_that_a_manifest_needs_stays(own: Peer):
    name = own.name()
    layer = json.loads(own.image(name, "one"))["layers"][0]["digest"]
    reply = own.ask("DELETE", f"/v2/{name}/blobs/{layer}")
    assert (reply.status, reply.code) == (405, "UNSUPPORTED")
    assert status(own, f"/v2/{name}/blobs/{layer}") == 200


@pytest.mark.parametrize(
    "what", ["manifests/none", "manifests/sha256:" + "0" * 64, "blobs/sha256:" + "0" * 64]
)
@pytest.mark.parametrize("repository", ["known", "unknown"])
def test_what_is_not_there_cannot_be_deleted(own: Peer, what: str, repository: str):
    name = own.name()
    if repository == "known":
        own.image(name, "one")
    assert own.ask("DELETE", f"/v2/{name}/{what}").status == 404


def test_deleting_twice_is_404(peer: Peer):
    name = peer.name()
    raw = peer.image(name, "one")
    for expected in (202, 404):
        assert peer.ask("DELETE", f"/v2/{name}/manifests/{digest_of(raw)}").status == expected


def test_what_was_deleted_can_be_pushed_again(own: Peer):
    name = own.name()
    raw = own.image(name, "one")
    assert own.ask("DELETE", f"/v2/{name}/manifests/{digest_of(raw)}").status == 202
    assert own.image(name, "one") == raw
    assert status(own, f"/v2/{name}/manifests/one") == 200


def test_an_index_outlives_its_deleted_child(own: Peer):
    name = own.name()
    raw = own.image(name, None)
    child = {"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)}
    assert (
        own.put(name, "x", {"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}, INDEX).status
        == 201
    )
    assert own.ask("DELETE", f"/v2/{name}/manifests/{digest_of(raw)}").status == 202
    assert status(own, f"/v2/{name}/manifests/x") == 200
    assert status(own, f"/v2/{name}/manifests/{digest_of(raw)}") == 404

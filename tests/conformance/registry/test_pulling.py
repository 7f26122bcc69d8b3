"""Pulling: manifests and blobs, whole, in part and on conditions (distribution-spec 1.1, "Pull")."""

import json

import pytest

from tests.conformance.registry.peers import ACCEPT, MANIFEST, Peer, digest_of

NOWHERE = "sha256:" + "0" * 64


def test_the_base_says_that_there_is_a_registry(peer: Peer):
    for path in ("/v2/", "/v2/?service=x"):
        reply = peer.ask("GET", path)
        assert reply.status == 200
        assert reply.headers["docker-distribution-api-version"] == "registry/2.0"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_manifest_is_what_was_pushed_byte_by_byte(peer: Peer, method: str, by: str):
    name = peer.name()
    raw = peer.image(name, "one")
    reference = "one" if by == "tag" else digest_of(raw)
    for _ in range(2):  # the second time from memory
        reply = peer.ask(method, f"/v2/{name}/manifests/{reference}", headers={"Accept": ACCEPT})
        assert reply.status == 200
        assert reply.headers["content-type"] == MANIFEST
        assert reply.headers["docker-content-digest"] == digest_of(raw)
        assert reply.headers["content-length"] == str(len(raw))
        assert reply.body == (raw if method == "GET" else b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_blob_is_what_was_pushed(peer: Peer, method: str):
    name = peer.name()
    for data in (b"small", bytes(range(256)) * 4096):
        digest = peer.blob(name, data)
        reply = peer.ask(method, f"/v2/{name}/blobs/{digest}")
        assert reply.status == 200
        assert reply.headers["docker-content-digest"] == digest
        assert reply.headers["content-length"] == str(len(data))
        assert reply.body == (data if method == "GET" else b"")


def test_an_empty_blob_is_a_blob(peer: Peer):
    name = peer.name()
    digest = peer.blob(name, b"")
    reply = peer.ask("GET", f"/v2/{name}/blobs/{digest}")
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("what", ["manifests/none", f"manifests/{NOWHERE}", f"blobs/{NOWHERE}"])
@pytest.mark.parametrize("repository", ["known", "unknown"])
def test_what_is_not_there_is_404(peer: Peer, method: str, what: str, repository: str):
    name = peer.name()
    if repository == "known":
        peer.image(name, "one")
    reply = peer.ask(method, f"/v2/{name}/{what}")
    assert reply.status == 404
    if method == "GET":
        assert reply.code == ("BLOB_UNKNOWN" if what.startswith("blobs") else "MANIFEST_UNKNOWN")


def test_a_blob_of_another_repository_is_404(peer: Peer):
    name, other = peer.name(), peer.name()
    digest = peer.blob(name, b"mine alone")
    peer.image(other, "one")
    assert peer.ask("GET", f"/v2/{other}/blobs/{digest}").status == 404
    assert peer.ask("HEAD", f"/v2/{other}/blobs/{digest}").status == 404


def test_a_manifest_of_another_repository_is_404(own: Peer):
    name, other = own.name(), own.name()
    raw = own.image(name, "one", "only there")
    own.image(other, "one")
    assert own.ask("GET", f"/v2/{other}/manifests/{digest_of(raw)}").status == 404


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=70000-", 70000, 199_999),
        ("bytes=-5", 199_995, 199_999),
        ("bytes=100-900000", 100, 199_999),
        ("bytes=-900000", 0, 199_999),
    ],
)
def test_a_range_of_a_blob_is_sent_alone(peer: Peer, asked: str, first: int, last: int):
    name = peer.name()
    data = bytes(i * 7 % 251 for i in range(200_000))
    digest = peer.blob(name, data)
    reply = peer.ask("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": asked})
    assert reply.status == 206
    assert reply.headers["content-range"] == f"bytes {first}-{last}/200000"
    assert reply.body == data[first : last + 1]
    assert reply.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=200000-", "bytes=200000-200001", "bytes=999999-", "bytes=500-0"])
def test_a_range_outside_is_416(own: Peer, asked: str):
    name = own.name()
    digest = own.blob(name, b"x" * 200_000)
    reply = own.ask("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": asked})
    assert reply.status == 416
    assert reply.headers["content-range"] == "bytes */200000"


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=x", "bytes=", "bytes=-"])
def test_a_range_that_is_none_is_ignored(own: Peer, asked: str):
    name = own.name()
    digest = own.blob(name, b"abcdefgh")
    reply = own.ask("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": asked})
    assert (reply.status, reply.body) == (200, b"abcdefgh")


def test_a_range_of_something_else_sends_everything(own: Peer):
    name = own.name()
    digest = own.blob(name, b"abcdefgh")
    headers = {"Range": "bytes=2-3", "If-Range": '"sha256:other"'}
    assert own.ask("GET", f"/v2/{name}/blobs/{digest}", headers=headers).status == 200
    headers["If-Range"] = f'"{digest}"'
    reply = own.ask("GET", f"/v2/{name}/blobs/{digest}", headers=headers)
    assert (reply.status, reply.body) == (206, b"cd")


@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_what_the_client_has_is_304(peer: Peer, kind: str):
    name = peer.name()
    raw = peer.image(name, "one")
    blob = json.loads(raw)["layers"][0]["digest"]
    path = f"/v2/{name}/manifests/one" if kind == "manifest" else f"/v2/{name}/blobs/{blob}"
    for method in ("GET", "HEAD"):
        first = peer.ask(method, path, headers={"Accept": ACCEPT})
        etag = first.headers["etag"]
        again = peer.ask(method, path, headers={"Accept": ACCEPT, "If-None-Match": etag})
        assert (again.status, again.body) == (304, b"")
        changed = peer.ask(method, path, headers={"Accept": ACCEPT, "If-None-Match": '"sha256:else"'})
        assert changed.status == 200


def test_one_of_several_entity_tags_is_enough(own: Peer):
    name = own.name()
    etag = f'"{digest_of(own.image(name, "one"))}"'
    for listed in (f'"a", {etag}', f"W/{etag}", "*"):
        assert own.ask("GET", f"/v2/{name}/manifests/one", headers={"If-None-Match": listed}).status == 304


def test_a_manifest_comes_as_it_is_whatever_is_accepted(own: Peer):
    name = own.name()
    raw = own.image(name, "one")
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/html"}):
        reply = own.ask("GET", f"/v2/{name}/manifests/one", headers=accept)
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, raw, MANIFEST)


def test_a_changed_tag_is_seen_at_once(peer: Peer):
    name = peer.name()
    for salt in ("a", "b", "c"):
        raw = peer.image(name, "moving", salt)
        for _ in range(2):
            assert peer.ask("GET", f"/v2/{name}/manifests/moving", headers={"Accept": ACCEPT}).body == raw


def test_content_is_never_run_by_a_browser(own: Peer):
    name = own.name()
    own.image(name, "one")
    digest = own.blob(name, b"<script>alert(1)</script>")
    for path in ("manifests/one", f"blobs/{digest}"):
        headers = own.ask("GET", f"/v2/{name}/{path}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]

"""Pushing manifests: every kind, every way to name them, and what is refused (distribution-spec 1.1, "Push")."""

import hashlib
import json

import pytest

from tests.conformance.registry.peers import ACCEPT, CONFIG, INDEX, LAYER, MANIFEST, Peer, digest_of

ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"


def got(peer: Peer, name: str, reference: str):
    reply = peer.ask("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": ACCEPT})
    assert reply.status == 200
    return reply


def described(raw: bytes, media_type: str = MANIFEST, algorithm: str = "sha256", **more) -> dict:
    return {"mediaType": media_type, "digest": digest_of(raw, algorithm), "size": len(raw), **more}


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_an_image_is_stored_as_it_is(peer: Peer, by: str):
    name = peer.name()
    raw = json.dumps(peer.document(name), indent=3).encode() + b"\n"
    reply = peer.put(name, "v1" if by == "tag" else digest_of(raw), raw)
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest_of(raw)
    assert got(peer, name, reply.headers["location"].rpartition("/")[2]).body == raw


@pytest.mark.parametrize("media_type", [MANIFEST + "; charset=utf-8", MANIFEST.upper()])
def test_parameters_and_case_of_the_media_type_do_not_matter(own: Peer, media_type: str):
    name = own.name()
    assert own.put(name, "one", own.document(name), media_type).status == 201
    assert got(own, name, "one").headers["content-type"] == MANIFEST


def test_a_document_that_says_what_it_is_needs_no_header(own: Peer):
    name = own.name()
    assert own.put(name, "one", own.document(name), "application/octet-stream").status == 201
    assert got(own, name, "one").headers["content-type"] == MANIFEST


def test_a_media_type_that_contradicts_the_document_is_refused(own: Peer):
    name = own.name()
    reply = own.put(name, "one", own.document(name), INDEX)
    assert (reply.status, reply.code) == (400, "MANIFEST_INVALID")


def test_unknown_media_types_are_kept(own: Peer):
    name = own.name()
    for raw, kind in (
        (b'{"anything": [1, 2]}', "application/vnd.example.thing+json"),
        (b"\x00\x01", "image/x-y"),
    ):
        assert own.put(name, "odd", raw, kind).status == 201
        reply = got(own, name, "odd")
        assert (reply.body, reply.headers["content-type"]) == (raw, kind)


def test_an_index_of_images_and_an_index_of_indexes(peer: Peer):
    name = peer.name()
    images = [peer.image(name, None, salt) for salt in ("a", "b")]
    platforms = [{"os": "linux", "architecture": which} for which in ("amd64", "arm64")]
    listed = [described(raw, platform=p) for raw, p in zip(images, platforms, strict=True)]
    inner = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}).encode()
    assert peer.put(name, "inner", inner, INDEX).status == 201
    outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(inner, INDEX)]}
    assert peer.put(name, "outer", outer, INDEX).status == 201
    assert got(peer, name, "outer").headers["content-type"] == INDEX


def test_an_empty_index_and_an_image_without_layers(peer: Peer):
    name = peer.name()
    assert peer.put(name, "x", {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX).status == 201
    document = peer.document(name) | {"layers": []}
    assert peer.put(name, "y", document).status == 201


def test_a_sparse_index_is_taken(own: Peer):
    name = own.name()
    there = own.image(name, None, "there")
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [described(there), described(b"missing"), described(b"gone", INDEX)],
    }
    assert own.put(name, "sparse", index, INDEX).status == 201
    assert json.loads(got(own, name, "sparse").body) == index
    assert own.ask("GET", f"/v2/{name}/manifests/{digest_of(b'missing')}").status == 404


def test_a_sparse_image_is_taken(own: Peer):
    name = own.name()
    document = own.document(name)
    document["layers"].append(described(b"never pushed", LAYER))
    assert own.put(name, "sparse", document).status == 201
    assert json.loads(got(own, name, "sparse").body) == document


def test_layers_that_are_elsewhere_need_not_be_here(own: Peer):
    name = own.name()
    document = own.document(name)
    kind = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    document["layers"].append(described(b"elsewhere", kind, urls=["https://store.example.com/x"]))
    assert own.put(name, "one", document).status == 201


@pytest.mark.parametrize("config", [EMPTY, "application/vnd.example.config.v1+json"])
def test_an_artifact_packaged_as_an_image(peer: Peer, config: str):
    name = peer.name()
    empty = peer.blob(name, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example.sbom",
        "config": {"mediaType": config, "digest": empty, "size": 2, "data": "e30="},
        "layers": [{"mediaType": EMPTY, "digest": empty, "size": 2}],
        "annotations": {"org.example.x": "ü"},
    }
    assert peer.put(name, "artifact", document).status == 201
    assert json.loads(got(peer, name, "artifact").body) == document


def test_an_artifact_manifest_without_config(own: Peer):
    name = own.name()
    document = {
        "mediaType": ARTIFACT,
        "artifactType": "application/vnd.example.sbom",
        "blobs": [{"mediaType": "text/plain", "digest": own.blob(name, b"sbom"), "size": 4}],
    }
    assert own.put(name, "artifact", document, ARTIFACT).status == 201
    assert got(own, name, "artifact").headers["content-type"] == ARTIFACT


def test_embedded_content_needs_not_match_to_be_kept(own: Peer):
    name = own.name()
    document = own.document(name)
    document["config"]["data"] = "AAAA"
    assert own.put(name, "one", document).status == 201


def test_fields_nobody_knows_are_kept(peer: Peer):
    name = peer.name()
    document = peer.document(name, "x", **{"org.example.more": {"a": [1]}})
    assert peer.put(name, "one", document).status == 201
    assert json.loads(got(peer, name, "one").body) == document


def test_sha512_manifests(own: Peer):
    name = own.name()
    config, layer = b"{}", b"layer"
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": own.blob(name, config, "sha512"), "size": 2},
        "layers": [{"mediaType": LAYER, "digest": own.blob(name, layer, "sha512"), "size": 5}],
    }
    raw = json.dumps(document).encode()
    digest = digest_of(raw, "sha512")
    reply = own.put(name, f"{digest}?tag=one", raw)
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest
    for reference in (digest, "one"):
        found = got(own, name, reference)
        assert (found.body, found.headers["docker-content-digest"]) == (raw, digest)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(raw, algorithm="sha512")]}
    assert own.put(name, "index", index, INDEX).status == 201
    assert own.ask("DELETE", f"/v2/{name}/manifests/{digest}").status == 202
    assert own.ask("GET", f"/v2/{name}/manifests/{digest}").status == 404


def test_many_tags_in_one_push(own: Peer):
    name = own.name()
    raw = json.dumps(own.document(name)).encode()
    tags = [f"v{i}" for i in range(12)]
    query = "&".join(f"tag={tag}" for tag in tags)
    reply = own.put(name, f"{digest_of(raw)}?{query}", raw)
    assert reply.status == 201
    assert [tag.strip() for tag in reply.headers["oci-tag"].split(",")] == tags
    for tag in tags:
        assert got(own, name, tag).body == raw


def test_too_many_or_wrong_tags_are_refused_and_nothing_is_stored(own: Peer):
    name = own.name()
    raw = json.dumps(own.document(name)).encode()
    many = "&".join(f"tag=v{i}" for i in range(101))
    assert own.put(name, f"{digest_of(raw)}?{many}", raw).status == 414
    assert own.put(name, f"{digest_of(raw)}?tag=.bad", raw).status == 400
    assert own.ask("GET", f"/v2/{name}/manifests/{digest_of(raw)}").status == 404


def test_a_digest_that_does_not_match_is_refused(peer: Peer):
    name = peer.name()
    reply = peer.put(name, digest_of(b"other"), peer.document(name))
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("reference", ["sha256:bad", ".bad", "a" * 129, "sha999:" + "0" * 64, "a:b"])
def test_a_reference_that_is_none_is_refused(own: Peer, reference: str):
    name = own.name()
    reply = own.put(name, reference, own.document(name))
    assert reply.status == 400
    assert reply.code in {"DIGEST_INVALID", "MANIFEST_INVALID"}
    assert own.ask("GET", f"/v2/{name}/manifests/{reference}").status in {400, 404}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"schemaVersion": 2}',
        b'{"layers": []}',
        b'{"config": {"mediaType": "a/b", "digest": "sha256:1", "size": 1}, "layers": []}',
        b'{"config": {"mediaType": "a/b", "digest": "sha256:' + b"0" * 64 + b'", "size": -1}, "layers": []}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_refused(own: Peer, raw: bytes):
    reply = own.put(own.name(), "one", raw)
    assert (reply.status, reply.code) == (400, "MANIFEST_INVALID")


def test_4_mib_are_taken_and_more_are_413(own: Peer):
    name = own.name()
    document = own.document(name)
    room = 4 * 1024 * 1024 - len(json.dumps(document | {"annotations": {"a": ""}}))
    document["annotations"] = {"a": "x" * room}
    raw = json.dumps(document).encode()
    assert len(raw) == 4 * 1024 * 1024
    assert own.put(name, "largest", raw).status == 201
    assert hashlib.sha256(got(own, name, "largest").body).digest() == hashlib.sha256(raw).digest()
    reply = own.put(name, "larger", raw + b" ")
    assert (reply.status, reply.code) == (413, "SIZE_INVALID")
    assert own.ask("GET", f"/v2/{name}/manifests/larger").status == 404


def test_a_subject_is_noticed_also_when_it_is_missing(own: Peer):
    name = own.name()
    raw = own.image(name, "one")
    for subject in (described(raw), described(b"not there yet")):
        reply = own.put(name, "sig", own.document(name, "sig", subject=subject))
        assert reply.status == 201
        assert reply.headers["oci-subject"] == subject["digest"]
    assert "oci-subject" not in own.put(name, "plain", own.document(name)).headers


def test_pushing_the_same_again_is_fine(peer: Peer):
    name = peer.name()
    raw = peer.image(name, "one")
    assert peer.put(name, "one", raw).status == 201
    assert peer.put(name, digest_of(raw), raw).status == 201

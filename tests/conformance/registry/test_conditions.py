"""Tags that are set or taken away only while they name what the client knows (RFC 9110 section 13)."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conformance.registry.peers import MANIFEST, Peer, Reply, digest_of


def put(peer: Peer, name: str, reference: str, raw: bytes, **conditions: str) -> Reply:
    headers = {key.replace("_", "-"): value for key, value in conditions.items()}
    return peer.ask("PUT", f"/v2/{name}/manifests/{reference}", raw, headers | {"Content-Type": MANIFEST})


def images(peer: Peer, name: str, count: int = 2) -> list[bytes]:
    return [json.dumps(peer.document(name, str(number))).encode() for number in range(count)]


def named(peer: Peer, name: str, reference: str = "v1") -> str:
    reply = peer.ask("HEAD", f"/v2/{name}/manifests/{reference}")
    return reply.headers.get("docker-content-digest", str(reply.status))


def failed(reply: Reply) -> bool:
    return (reply.status, reply.code, reply.json()["errors"][0]["detail"]["reason"]) == (
        412,
        "DENIED",
        "precondition_failed",
    )


def test_a_tag_is_made_only_when_it_is_new(own: Peer):
    name = own.name()
    one, two = images(own, name)
    assert put(own, name, "v1", one, If_None_Match="*").status == 201
    for raw in (one, two):
        reply = put(own, name, "v1", raw, If_None_Match="*")
        assert failed(reply)
        assert reply.json()["errors"][0]["detail"]["now"] == digest_of(one)
    assert named(own, name) == digest_of(one)
    assert named(own, name, digest_of(two)) == "404"


def test_a_tag_is_moved_only_from_what_the_client_knows(own: Peer):
    name = own.name()
    one, two, three = images(own, name, 3)
    assert failed(put(own, name, "v1", one, If_Match=f'"{digest_of(one)}"'))
    assert failed(put(own, name, "v1", one, If_Match="*"))
    etag = put(own, name, "v1", one) and own.ask("HEAD", f"/v2/{name}/manifests/v1").headers["etag"]
    assert put(own, name, "v1", two, If_Match=etag).status == 201
    assert failed(put(own, name, "v1", three, If_Match=etag))
    assert failed(put(own, name, "v1", three, If_None_Match=f'"{digest_of(two)}"'))
    assert named(own, name) == digest_of(two)
    assert put(own, name, "v1", three, If_Match="*").status == 201


def test_a_push_by_digest_is_about_the_manifest(own: Peer):
    name = own.name()
    one, _ = images(own, name)
    target = f"{digest_of(one)}?tag=v1&tag=v2"
    assert failed(put(own, name, target, one, If_Match="*"))
    assert named(own, name) == "404"
    assert put(own, name, target, one, If_None_Match="*").status == 201
    assert named(own, name) == named(own, name, "v2") == digest_of(one)
    assert failed(put(own, name, target, one, If_None_Match="*"))
    assert put(own, name, target, one, If_Match=f'"{digest_of(one)}"').status == 201


def test_of_many_who_make_one_tag_one_does(own: Peer):
    name = own.name()
    raws = images(own, name, 8)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda raw: put(own, name, "v1", raw, If_None_Match="*"), raws))
    assert sorted(reply.status for reply in replies) == [201] + [412] * 7
    winner = next(raw for raw, reply in zip(raws, replies, strict=True) if reply.status == 201)
    assert named(own, name) == digest_of(winner)


def test_what_is_taken_away_is_what_the_client_knows(own: Peer):
    name = own.name()
    one, two = images(own, name)
    put(own, name, "v1", one)
    put(own, name, two and digest_of(two), two)
    for path in ("v1", digest_of(two)):
        reply = own.ask(
            "DELETE", f"/v2/{name}/manifests/{path}", headers={"If-Match": f'"{digest_of(b"x")}"'}
        )
        assert failed(reply)
        etag = own.ask("HEAD", f"/v2/{name}/manifests/{path}").headers["etag"]
        reply = own.ask("DELETE", f"/v2/{name}/manifests/{path}", headers={"If-Match": etag})
        assert reply.status == 202
    gone = own.ask("DELETE", f"/v2/{name}/manifests/v1", headers={"If-Match": "*"})
    assert gone.status == 404


def test_a_condition_nobody_can_read_is_refused(own: Peer):
    name = own.name()
    one, _ = images(own, name)
    assert put(own, name, "v1", one, If_Match=digest_of(one)).status == 400
    assert named(own, name) == "404"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_client_has_is_not_sent_again(own: Peer, method: str):
    name = own.name()
    one, two = images(own, name)
    put(own, name, "v1", one)
    path = f"/v2/{name}/manifests/v1"
    etag = own.ask(method, path).headers["etag"]
    for condition in (etag, f"W/{etag}", "*", f'"other", {etag}'):
        reply = own.ask(method, path, headers={"If-None-Match": condition})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", etag)
    put(own, name, "v1", two)
    reply = own.ask(method, path, headers={"If-None-Match": etag})
    assert (reply.status, reply.headers["docker-content-digest"]) == (200, digest_of(two))

"""Pushing blobs: in one request, in two, in chunks, by mount; cancelled and continued (distribution-spec 1.1, "Push")."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.conformance.registry.peers import OCTETS, Peer, digest_of, ours, with_query

DATA = bytes(i * 13 % 256 for i in range(300_000))


def fetched(peer: Peer, name: str, digest: str) -> bytes:
    reply = peer.ask("GET", f"/v2/{name}/blobs/{digest}")
    assert reply.status == 200
    return reply.body


def chunk(peer: Peer, place: str, first: int, data: bytes, method: str = "PATCH"):
    headers = {**OCTETS, "Content-Range": f"{first}-{first + len(data) - 1}"}
    return peer.ask(method, place, data, headers)


@pytest.mark.parametrize("data", [b"", b"a", DATA])
def test_post_then_put(peer: Peer, data: bytes):
    name = peer.name()
    place = peer.start_upload(name)
    reply = peer.ask("PUT", with_query(place, digest=digest_of(data)), data, OCTETS)
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest_of(data)
    assert peer.ask("GET", reply.headers["location"]).body == data


@pytest.mark.parametrize("data", [b"", b"a", DATA])
def test_one_post_is_enough(own: Peer, data: bytes):
    name = own.name()
    reply = own.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", data, OCTETS)
    assert reply.status == 201
    assert own.ask("GET", reply.headers["location"]).body == data


def test_one_post_with_another_digest_is_refused(own: Peer):
    name = own.name()
    reply = own.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(b'other')}", DATA, OCTETS)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert own.ask("GET", f"/v2/{name}/blobs/{digest_of(DATA)}").status == 404


def test_an_upload_address_without_slash_is_the_same(own: Peer):
    assert own.ask("POST", f"/v2/{own.name()}/blobs/uploads").status == 202


def test_one_stream_then_put(peer: Peer):
    name = peer.name()
    place = peer.start_upload(name)
    reply = peer.ask("PATCH", place, iter([DATA[:1000], DATA[1000:]]), OCTETS)
    assert reply.status == 202
    assert reply.headers["range"] == f"0-{len(DATA) - 1}"
    reply = peer.ask("PUT", with_query(reply.headers["location"], digest=digest_of(DATA)))
    assert reply.status == 201
    assert fetched(peer, name, digest_of(DATA)) == DATA


@pytest.mark.parametrize("last", ["PATCH", "PUT"])
def test_chunks(peer: Peer, last: str):
    name = peer.name()
    place = peer.start_upload(name)
    digest = digest_of(DATA)
    for first in range(0, len(DATA), 100_000):
        piece = DATA[first : first + 100_000]
        if last == "PUT" and first == 200_000:
            reply = chunk(peer, with_query(place, digest=digest), first, piece, "PUT")
            assert reply.status == 201
            break
        reply = chunk(peer, place, first, piece)
        assert reply.status == 202
        assert reply.headers["range"] == f"0-{first + len(piece) - 1}"
        place = reply.headers["location"]
    else:
        assert peer.ask("PUT", with_query(place, digest=digest)).status == 201
    assert fetched(peer, name, digest) == DATA


def test_a_chunk_that_belongs_elsewhere_is_416_and_the_offset_can_be_asked(own: Peer):
    name = own.name()
    place = own.start_upload(name)
    assert chunk(own, place, 0, DATA[:1000]).status == 202
    for first in (0, 500, 999, 1001, 5000):
        for method in ("PATCH", "PUT"):
            where = with_query(place, digest=digest_of(DATA)) if method == "PUT" else place
            reply = chunk(own, where, first, DATA[first : first + 100], method)
            assert reply.status == 416
            assert reply.headers["range"] == "0-999"
            assert reply.headers["location"] == place
    status = own.ask("GET", place)
    assert status.status == 204
    assert (status.headers["range"], status.headers["location"]) == ("0-999", place)
    assert chunk(own, place, 1000, DATA[1000:]).status == 202
    assert own.ask("PUT", with_query(place, digest=digest_of(DATA))).status == 201


def test_a_first_chunk_that_does_not_begin_at_0_is_416(own: Peer):
    place = own.start_upload(own.name())
    assert chunk(own, place, 10, b"abc").status == 416


def test_the_offset_of_an_upload_can_be_asked(peer: Peer):
    place = peer.start_upload(peer.name())
    status = peer.ask("GET", place)
    assert (status.status, status.headers["range"]) == (204, "0-0")
    place = chunk(peer, place, 0, b"abcd").headers["location"]
    status = peer.ask("GET", place)
    assert (status.status, status.headers["range"]) == (204, "0-3")


@pytest.mark.parametrize("text", ["x", "5-2", "0-", "-5", "bytes */5", "0-3-4"])
def test_a_range_of_a_chunk_that_is_none_is_refused(own: Peer, text: str):
    place = own.start_upload(own.name())
    reply = own.ask("PATCH", place, b"abcd", {**OCTETS, "Content-Range": text})
    assert (reply.status, reply.code) == (400, "BLOB_UPLOAD_INVALID")


def test_a_chunk_of_another_length_than_said_is_refused_and_forgotten(own: Peer):
    name = own.name()
    place = own.start_upload(name)
    reply = own.ask("PATCH", place, b"abcd", {**OCTETS, "Content-Range": "0-9"})
    assert (reply.status, reply.code) == (400, "SIZE_INVALID")
    reply = own.ask("PATCH", place, iter([b"abcd"]), {**OCTETS, "Content-Range": "0-9"})
    assert (reply.status, reply.code) == (400, "SIZE_INVALID")
    assert own.ask("GET", place).headers["range"] == "0-0"
    assert own.ask("PUT", with_query(place, digest=digest_of(b"xyz")), b"xyz", OCTETS).status == 201


def test_a_wrong_digest_is_refused_and_nothing_is_visible(peer: Peer):
    name = peer.name()
    place = peer.start_upload(name)
    reply = peer.ask("PUT", with_query(place, digest=digest_of(b"other")), DATA, OCTETS)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    for digest in (digest_of(DATA), digest_of(b"other")):
        assert peer.ask("HEAD", f"/v2/{name}/blobs/{digest}").status == 404


@pytest.mark.parametrize("digest", ["", "sha256:abc", "md5:" + "0" * 32, "sha256:" + "G" * 64, "nothing"])
def test_a_digest_that_is_none_is_refused(own: Peer, digest: str):
    name = own.name()
    place = own.start_upload(name)
    reply = own.ask("PUT", with_query(place, digest=digest), b"x", OCTETS)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    reply = own.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", b"x", OCTETS)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")
    assert own.ask("GET", f"/v2/{name}/blobs/{digest or 'x'}").status in {400, 404}


def test_a_put_without_digest_is_refused(peer: Peer):
    place = peer.start_upload(peer.name())
    assert peer.ask("PUT", place, b"x", OCTETS).status == 400


def test_a_cancelled_upload_is_gone(peer: Peer):
    name = peer.name()
    place = peer.start_upload(name)
    place = chunk(peer, place, 0, b"abcd").headers["location"]
    assert peer.ask("DELETE", place).status == 204
    for method, where in (
        ("GET", place),
        ("PATCH", place),
        ("PUT", with_query(place, digest=digest_of(b"abcd"))),
    ):
        reply = peer.ask(method, where, b"abcd" if method == "PATCH" else None, OCTETS)
        assert reply.status == 404
        assert method == "HEAD" or reply.code == "BLOB_UPLOAD_UNKNOWN"


@pytest.mark.parametrize("which", ["019a0000-0000-7000-8000-000000000000", "x", "..", "..%2e"])
def test_an_unknown_upload_is_404(own: Peer, which: str):
    reply = own.ask("GET", f"/v2/{own.name()}/blobs/uploads/{which}")
    assert (reply.status, reply.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository(own: Peer):
    name, other = own.name(), own.name()
    place = own.start_upload(name)
    foreign = place.replace(name, other)
    assert own.ask("PATCH", foreign, b"x", OCTETS).status == 404
    assert own.ask("GET", place).status == 204


def test_a_blob_is_mounted_from_another_repository(peer: Peer):
    name, other = peer.name(), peer.name()
    digest = peer.blob(name, DATA)
    reply = peer.ask("POST", f"/v2/{other}/blobs/uploads/?mount={digest}&from={name}")
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest
    assert peer.ask("GET", reply.headers["location"]).body == DATA


def test_a_blob_is_mounted_without_saying_from_where(own: Peer):
    name, other = own.name(), own.name()
    digest = own.blob(name, b"found by itself")
    assert own.ask("POST", f"/v2/{other}/blobs/uploads/?mount={digest}").status == 201
    assert fetched(own, other, digest) == b"found by itself"


@pytest.mark.parametrize("source", ["team/nothing", None])
def test_what_cannot_be_mounted_is_uploaded(own: Peer, source: str | None):
    name = own.name()
    data = f"never seen {source}".encode()
    query = {"mount": digest_of(data)} | ({"from": source} if source else {})
    place = own.start_upload(name, **query)
    assert own.ask("PUT", with_query(place, digest=digest_of(data)), data, OCTETS).status == 201
    assert fetched(own, name, digest_of(data)) == data


def test_a_mount_from_a_repository_that_lacks_the_blob_is_an_upload(peer: Peer):
    name, other = peer.name(), peer.name()
    peer.image(name, "one")
    assert peer.start_upload(other, mount=digest_of(b"nowhere"), **{"from": name})


@pytest.mark.parametrize("how", ["said", "put", "chunked", "alone"])
def test_sha512_names_content_as_well(own: Peer, how: str):
    name = own.name()
    data = f"{how}".encode() * 1000
    digest = digest_of(data, "sha512")
    if how == "alone":
        reply = own.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data, OCTETS)
    else:
        place = own.start_upload(name, **({"digest-algorithm": "sha512"} if how == "said" else {}))
        body: bytes | None = data
        if how == "chunked":
            assert chunk(own, place, 0, data[:1000]).status == 202
            assert chunk(own, place, 1000, data[1000:]).status == 202
            body = None
        reply = own.ask("PUT", with_query(place, digest=digest), body, OCTETS)
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest
    assert fetched(own, name, digest) == data
    assert own.ask("HEAD", f"/v2/{name}/blobs/{digest}").headers["docker-content-digest"] == digest


def test_an_algorithm_nobody_knows_is_refused(own: Peer):
    reply = own.ask("POST", f"/v2/{own.name()}/blobs/uploads/?digest-algorithm=crc32")
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


def test_the_same_blob_twice_is_fine(peer: Peer):
    name = peer.name()
    assert peer.blob(name, DATA) == peer.blob(name, DATA)


def test_a_cut_connection_leaves_what_came(own: Peer):
    name = own.name()
    place = own.start_upload(name)
    with socket.create_connection(("127.0.0.1", own.port)) as line:
        head = f"PATCH {place} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(DATA)}\r\n\r\n"
        line.sendall(head.encode() + DATA[:100_000])
    came = _settled(own, place)
    assert 0 < came <= 100_000
    assert chunk(own, place, came, DATA[came:]).status == 202
    assert own.ask("PUT", with_query(place, digest=digest_of(DATA))).status == 201


def _settled(own: Peer, place: str) -> int:
    """The offset once the cut request is over: what came is written when the registry hears of the cut."""
    deadline = time.monotonic() + 30
    while (reply := own.ask("GET", place)).headers["range"] == "0-0":
        assert time.monotonic() < deadline, "nothing of the cut request was kept"
        time.sleep(0.01)
    reply = chunk(own, place, 1 << 40, b"x")  # waits for its turn
    return int(reply.headers["range"].removeprefix("0-")) + 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_upload_goes_on_after_the_registry_was_killed(tmp_path: Path, number: int):
    first = ours(tmp_path / "home")
    place = first.start_upload("team/app")
    assert chunk(first, place, 0, DATA[:100_000]).status == 202
    first.stop(number)
    second = ours(tmp_path / "home")
    try:
        status = second.ask("GET", place)
        assert (status.status, status.headers["range"]) == (204, "0-99999")
        assert chunk(second, place, 100_000, DATA[100_000:]).status == 202
        assert second.ask("PUT", with_query(place, digest=digest_of(DATA))).status == 201
        assert fetched(second, "team/app", digest_of(DATA)) == DATA
        assert not list((tmp_path / "home" / "uploads").iterdir())
    finally:
        second.stop()

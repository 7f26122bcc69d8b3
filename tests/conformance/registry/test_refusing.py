"""What is refused, with which status and code; read-only registries and immutable tags."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.registry.errors import CODES
from tests.conformance.registry.peers import ACCEPT, OCTETS, Peer, digest_of, ours

NOWHERE = "sha256:" + "0" * 64


@pytest.mark.parametrize("name", ["Upper", "a//b", "a/../b", "-a", "a_", "a b", "ä", "a/" + "b" * 300])
def test_names_that_are_none(own: Peer, name: str):
    from urllib.parse import quote  # noqa: PLC0415

    reply = own.ask("GET", f"/v2/{quote(name)}/tags/list")
    assert (reply.status, reply.code) == (400, "NAME_INVALID")
    assert own.ask("POST", f"/v2/{quote(name)}/blobs/uploads/").code == "NAME_INVALID"


@pytest.mark.parametrize(
    "path",
    ["/v2/x", "/v2/a/b", "/v2/a/tags", "/v2/a/tags/x", "/v2/a/manifests/", "/v2/a/b/c", "/v2//tags/list"],
)
def test_addresses_that_are_none(own: Peer, path: str):
    reply = own.ask("GET", path)
    assert reply.status == 404
    assert reply.code in CODES


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/"),
        ("DELETE", "/v2/_catalog"),
        ("POST", "/v2/a/manifests/b"),
        ("PUT", f"/v2/a/blobs/{NOWHERE}"),
        ("GET", "/v2/a/blobs/uploads/"),
        ("PUT", "/v2/a/tags/list"),
        ("DELETE", f"/v2/a/referrers/{NOWHERE}"),
    ],
)
def test_methods_that_are_none(own: Peer, method: str, path: str):
    reply = own.ask(method, path)
    assert (reply.status, reply.code) == (405, "UNSUPPORTED")
    assert reply.headers["allow"]


def test_a_refusal_has_the_form_of_the_specification(own: Peer):
    reply = own.ask("GET", f"/v2/{own.name()}/manifests/none")
    assert reply.headers["content-type"] == "application/json"
    (error,) = reply.json()["errors"]
    assert error["code"] in CODES
    assert error["message"]
    assert error["detail"]["advice"]


def test_pages_of_other_sites_change_nothing(own: Peer):
    headers = {"Origin": "https://evil.example"}
    reply = own.ask("POST", f"/v2/{own.name()}/blobs/uploads/", headers=headers)
    assert (reply.status, reply.code) == (403, "DENIED")


def test_a_body_of_no_length_is_refused(own: Peer):
    place = own.start_upload(own.name())
    assert own.ask("PATCH", place, b"", {"Content-Length": "x"}).status == 400


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rules") / "home"


@pytest.fixture(scope="module")
def filled(home: Path) -> bytes:
    peer = ours(home)
    raw = peer.image("team/app", "v1")
    peer.image("team/app", "latest")
    peer.stop()
    return raw


@pytest.fixture
def ruled(home: Path, filled: bytes, request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = ours(home, **request.param)
    yield peer
    peer.stop()


@pytest.mark.parametrize("ruled", [{"read_only": True}], indirect=True)
def test_a_read_only_registry_is_read(ruled: Peer, filled: bytes):
    assert ruled.ask("GET", "/v2/team/app/manifests/v1", headers={"Accept": ACCEPT}).body == filled
    for method, path in (
        ("POST", "/v2/team/app/blobs/uploads/"),
        ("PUT", "/v2/team/app/manifests/v1"),
        ("DELETE", "/v2/team/app/manifests/v1"),
        ("DELETE", f"/v2/team/app/blobs/{NOWHERE}"),
    ):
        reply = ruled.ask(method, path)
        assert (reply.status, reply.code) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("ruled", [{"delete": False}], indirect=True)
def test_a_registry_without_deletion_takes_pushes(ruled: Peer, filled: bytes):
    assert ruled.ask("DELETE", "/v2/team/app/manifests/v1").status == 405
    assert ruled.put("team/app", "again", filled).status == 201


@pytest.mark.parametrize("ruled", [{"immutable": ["team/*:v*"]}], indirect=True)
def test_an_immutable_tag_is_set_once(ruled: Peer, filled: bytes):
    assert ruled.put("team/app", "v1", filled).status == 201
    other = ruled.document("team/app", "other")
    for reply in (
        ruled.put("team/app", "v1", other),
        ruled.ask("DELETE", "/v2/team/app/manifests/v1"),
        ruled.ask("DELETE", f"/v2/team/app/manifests/{digest_of(filled)}"),
    ):
        assert (reply.status, reply.code) == (409, "DENIED")
    assert ruled.ask("GET", "/v2/team/app/manifests/v1", headers={"Accept": ACCEPT}).body == filled
    assert ruled.put("team/app", "latest", other).status == 201
    assert ruled.put("team/app", "v2", other).status == 201


@pytest.mark.parametrize("ruled", [{"largest_upload": 1000}], indirect=True)
def test_a_blob_may_be_too_large(ruled: Peer, filled: bytes):
    data = b"x" * 1001
    reply = ruled.ask("POST", f"/v2/team/app/blobs/uploads/?digest={digest_of(data)}", data, OCTETS)
    assert (reply.status, reply.code) == (413, "SIZE_INVALID")
    place = ruled.start_upload("team/app")
    assert ruled.ask("PATCH", place, iter([data]), OCTETS).status == 413
    assert ruled.blob("team/app", b"x" * 1000)


@pytest.mark.parametrize("ruled", [{"sparse": False}], indirect=True)
def test_incomplete_manifests_may_be_refused(ruled: Peer, filled: bytes):
    document = ruled.document("team/app", "sparse")
    document["layers"][0]["digest"] = NOWHERE
    reply = ruled.put("team/app", "sparse", document)
    assert (reply.status, reply.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert reply.json()["errors"][0]["detail"]["missing"] == [NOWHERE]

"""Registries that lie, break off and refuse: each a clear error, nothing sent or fetched twice that need not be."""

import json

import pytest

from ferryman.core.errors import Corrupt, Denied, Invalid, NotFound, Unavailable
from ferryman.oci import media
from ferryman.oci.client import RegistryClient
from ferryman.oci.manifest import MOST_MANIFEST
from ferryman.oci.mirrors import parse_mirrors
from ferryman.oci.options import Login
from ferryman.oci.ports import ResumeUpload, UploadState
from ferryman.oci.streams import BytesStream
from ferryman.testing.docker_registry import PASSWORD, USER, TokenServer
from ferryman.testing.liar_registry import Fault, LiarRegistry
from ferryman.transfer.policy import AddressPolicy
from tests.integration.oci.registries import everything, image, layer, made_up, options, push, put

CONTENT = made_up(3_000_000)
LOGIN = Login(USER, PASSWORD)


@pytest.fixture
def liar():
    with LiarRegistry() as registry:
        yield registry


@pytest.fixture
def client(liar):
    with RegistryClient(liar.host, "team/app", options()) as found:
        yield found


def uploads(liar, method):
    return [(one.status, one.received) for one in liar.seen(method, "/blobs/uploads/")]


@pytest.fixture
def revoked(liar, tmp_path):
    """The liar wants bearer tokens, and refuses those that the test puts here."""
    found = set()
    with TokenServer(tmp_path / "tokens") as tokens:
        liar.challenge = f'Bearer realm="{tokens.realm}",service="liar"'
        liar.accepts = lambda sent: sent.startswith("Bearer ") and sent not in found
        yield tokens, found


# reading


def test_a_blob_that_breaks_off_goes_on_by_range_and_is_sent_once(liar, client):
    liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", "/blobs/", after=1_000_000))
    assert everything(client.source().open_blob(layer(CONTENT))) == CONTENT
    first, second = liar.seen("GET", "/blobs/")
    start = int(second.headers["range"].removeprefix("bytes=").rstrip("-"))
    assert 0 < start <= first.sent == 1_000_000
    assert second.sent == len(CONTENT) - start


def revoke(liar, tokens_revoked):
    """Refuse every token that was used so far; return how many were given out."""
    tokens, found = tokens_revoked
    found |= {one.headers.get("authorization", "") for one in liar.seen()}
    return len(tokens.seen)


def test_a_token_that_ends_in_the_middle_of_a_blob_is_renewed_once(liar, client, revoked):
    digest = liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", digest, skip=1, after=1_500_000))
    with client.source().open_blob(layer(CONTENT)) as stream:
        view = memoryview(bytearray(len(CONTENT)))
        at = stream.readinto(view[:1_000_000])
        given = revoke(liar, revoked)
        while count := stream.readinto(view[at:]):
            at += count
    assert bytes(view) == CONTENT
    assert len(revoked[0].seen) == given + 1
    pulled = [(one.status, one.sent) for one in liar.seen("GET", digest) if one.status in {200, 206}]
    assert pulled == [(200, 1_500_000), (206, 1_500_000)], "each byte once"


def test_a_token_that_ends_between_two_parts_is_renewed_once(liar, revoked):
    given = []

    def tell(_: int) -> None:
        if not given and sum(received for _, received in uploads(liar, "PATCH")) >= 1_000_000:
            given.append(revoke(liar, revoked))

    with RegistryClient(liar.host, "team/app", options(chunk=1_000_000, login=LOGIN)) as client:
        put(client.target(), CONTENT, tell=tell)
    assert len(revoked[0].seen) == given[0] + 1
    assert [received for status, received in uploads(liar, "PATCH") if status == 202] == [1_000_000] * 3


def test_new_tokens_that_are_refused_too_are_not_asked_for_again_and_again(liar, revoked):
    begun = liar.accepts
    liar.accepts = lambda sent: begun(sent) and not any(liar.seen("PATCH"))
    with (
        RegistryClient(liar.host, "team/app", options(chunk=1_000_000, login=LOGIN)) as client,
        pytest.raises(Denied) as caught,
    ):
        put(client.target(), CONTENT)
    assert caught.value.code == "auth_required"
    assert len(revoked[0].seen) < 12


def test_a_blob_opened_in_the_middle_is_fetched_from_there(liar, client):
    liar.put("team/app", CONTENT)
    assert everything(client.source().open_blob(layer(CONTENT), 2_500_000)) == CONTENT[2_500_000:]
    assert [one.sent for one in liar.seen("GET", "/blobs/")] == [500_000]


def test_a_registry_without_ranges_is_read_past_what_is_there(liar, client):
    liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", "/blobs/", ranges=False))
    assert everything(client.source().open_blob(layer(CONTENT), 2_900_000)) == CONTENT[2_900_000:]
    assert liar.seen("GET", "/blobs/")[0].sent == len(CONTENT)
    assert everything(client.source().open_blob(layer(CONTENT), len(CONTENT))) == b""


def test_a_blob_that_never_comes_whole_ends_with_an_error(liar, client):
    liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", "/blobs/", times=99, after=0))
    with pytest.raises(Unavailable, match=r"too early|without an answer"):
        everything(client.source().open_blob(layer(CONTENT)))


@pytest.mark.parametrize("length", [len(CONTENT) + 5, len(CONTENT) - 5, 0])
def test_a_length_that_is_not_the_manifests_is_named(liar, client, length):
    liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", "/blobs/", times=9, length=length))
    with pytest.raises(Corrupt, match=f"{length:,} bytes, but the manifest says 3,000,000") as caught:
        client.source().open_blob(layer(CONTENT))
    assert caught.value.code == "blob_size_wrong"
    assert caught.value.advice


def test_an_unknown_blob_and_manifest_are_told_apart(client):
    with pytest.raises(NotFound) as blob:
        client.source().open_blob(layer(CONTENT))
    with pytest.raises(NotFound) as manifest:
        client.source().resolve("v1")
    assert (blob.value.code, manifest.value.code) == ("blob_unknown", "manifest_unknown")
    assert "team/app:v1" in manifest.value.message


def test_a_manifest_with_other_bytes_is_refused(liar, client):
    manifest = push(client, "v1", b"layer")
    other = image(b"other").raw
    liar.faults.append(Fault("GET", "/manifests/", times=2, content=other))
    with pytest.raises(Corrupt, match=str(manifest.digest)) as caught:
        client.source().resolve("v1")
    assert caught.value.code == "manifest_mismatch"
    with pytest.raises(Corrupt):
        client.source().manifest(manifest.digest)


def test_a_manifest_beyond_the_limit_is_not_read_whole(liar, client):
    push(client, "v1", b"layer")
    liar.faults.append(Fault("GET", "/manifests/", content=b" " * (MOST_MANIFEST + 1)))
    with pytest.raises(Invalid, match="4,194,304") as caught:
        client.source().resolve("v1")
    assert caught.value.code == "manifest_too_large"
    assert liar.seen("GET", "/manifests/")[0].sent < MOST_MANIFEST


def test_an_unknown_media_type_is_kept_as_it_is(liar, client):
    raw = b'{"anything": ["goes", 1]}'
    digest = liar.put_manifest("team/app", "application/vnd.example.thing+json", raw, "odd")
    found = client.source().resolve("odd")
    assert (found.raw, found.media_type, str(found.digest)) == (
        raw,
        "application/vnd.example.thing+json",
        digest,
    )
    client.target().put_manifest(found, "copy")
    assert liar.manifests["team/app", "copy"] == ("application/vnd.example.thing+json", raw)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_failure_for_a_while_is_asked_again(liar, client, status):
    push(client, "v1", b"layer")
    liar.faults.append(Fault("GET", "/manifests/", times=2, status=status, headers={"Retry-After": "0"}))
    assert client.source().resolve("v1").layers


def test_a_failure_that_stays_is_told_with_what_the_registry_says(liar, client):
    liar.faults.append(Fault("GET", "/manifests/", times=99, status=500))
    with pytest.raises(Unavailable, match="500: on purpose"):
        client.source().resolve("v1")
    assert len(liar.seen("GET", "/manifests/")) == client.options.retries


def test_a_long_pause_is_left_to_the_caller(liar, client):
    liar.faults.append(Fault("GET", "/manifests/", times=9, status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as caught:
        client.source().resolve("v1")
    assert caught.value.retry_after == 3600
    assert len(liar.seen("GET", "/manifests/")) == 1


def test_credentials_stay_with_the_registry(liar):
    with LiarRegistry() as other:
        other.put("team/app", CONTENT)
        digest = str(layer(CONTENT).digest)
        where = f"http://127.0.0.1:{other.host.partition(':')[2]}/v2/team/app/blobs/{digest}"
        liar.faults.append(Fault("GET", "/blobs/", status=307, headers={"Location": where}))
        liar.challenge = 'Basic realm="liar"'
        liar.accepts = bool
        with RegistryClient(liar.host, "team/app", options(login=Login("me", "secret"))) as client:
            client.ping()
            assert everything(client.source().open_blob(layer(CONTENT))) == CONTENT
    assert "authorization" in liar.seen("GET", "/blobs/")[-1].headers
    assert "authorization" not in other.seen("GET", "/blobs/")[0].headers


def test_a_redirect_to_a_forbidden_address_is_refused(liar):
    liar.faults.append(
        Fault("GET", "/blobs/", status=307, headers={"Location": "http://169.254.169.254/latest"})
    )
    with (
        RegistryClient(liar.host, "team/app", options(allow=AddressPolicy(private=True))) as client,
        pytest.raises(Denied, match=r"169\.254\.169\.254"),
    ):
        client.source().open_blob(layer(CONTENT))


def test_private_addresses_can_be_forbidden(liar):
    with (
        RegistryClient(liar.host, "team/app", options(allow=AddressPolicy())) as client,
        pytest.raises(Denied, match="loopback"),
    ):
        client.ping()


def test_storage_that_refuses_head_has_the_blob(liar, client):
    with LiarRegistry() as storage:
        where = {"Location": f"http://127.0.0.1:{storage.host.partition(':')[2]}/signed"}
        liar.faults.append(Fault("HEAD", "/blobs/", status=307, headers=where))
        storage.faults.append(Fault("HEAD", "/signed", status=403))
        assert client.target().has_blob(layer(CONTENT))
    liar.faults.append(Fault("HEAD", "/blobs/", status=403))
    with pytest.raises(Denied, match="refuses access"):
        client.target().has_blob(layer(CONTENT))


def test_a_circle_of_redirects_ends(liar, client):
    digest = str(layer(CONTENT).digest)
    where = {"Location": f"/v2/team/app/blobs/{digest}"}
    liar.faults.append(Fault("GET", "/blobs/", times=99, status=307, headers=where))
    with pytest.raises(Unavailable, match="circle"):
        client.source().open_blob(layer(CONTENT))


def test_tags_come_page_by_page(liar, client):
    liar.page = 3
    for number in range(10):
        liar.put_manifest("team/app", media.OCI_MANIFEST, image(b"layer").raw, f"v{number}")
    assert list(client.tags()) == [f"v{number}" for number in range(10)]
    assert len(liar.seen("GET", "/tags/list")) == 4


# writing


def test_a_blob_goes_up_in_one_request(liar, client):
    told = []
    put(client.target(), CONTENT, tell=told.append)
    assert uploads(liar, "POST") == [(202, 0)]
    assert uploads(liar, "PUT") == [(201, len(CONTENT))]
    assert sum(told) == len(CONTENT)


def test_a_blob_that_is_there_is_not_sent(liar, client):
    liar.put("team/app", CONTENT)
    put(client.target(), CONTENT)
    assert not uploads(liar, "POST")


def test_a_large_blob_goes_up_in_parts(liar):
    with RegistryClient(liar.host, "team/app", options(chunk=1_000_000)) as client:
        put(client.target(), CONTENT)
    assert uploads(liar, "PATCH") == [(202, 1_000_000)] * 3
    assert uploads(liar, "PUT") == [(201, 0)]


def test_parts_are_as_large_as_the_registry_wants(liar):
    liar.least_chunk = 1_400_000
    with RegistryClient(liar.host, "team/app", options(chunk=1_000_000)) as client:
        put(client.target(), CONTENT)
    assert [received for _, received in uploads(liar, "PATCH")] == [1_400_000, 1_400_000, 200_000]


def test_an_upload_that_breaks_off_goes_on_where_the_registry_is(liar, client):
    liar.faults.append(Fault("PUT", "/blobs/uploads/", after=1_000_000))
    put(client.target(), CONTENT)
    received = [one.received for one in liar.seen("", "/blobs/uploads/")]
    assert sum(received) == len(CONTENT)
    assert liar.seen("GET", "/blobs/uploads/")


def test_an_upload_that_is_forgotten_begins_again():
    with LiarRegistry(keeps_parts=False) as liar, RegistryClient(liar.host, "team/app", options()) as client:
        liar.faults.append(Fault("PUT", "/blobs/uploads/", after=1_000_000))
        put(client.target(), CONTENT)
        assert uploads(liar, "POST") == [(202, 0)] * 2
        assert uploads(liar, "PUT")[-1] == (201, len(CONTENT))


@pytest.mark.parametrize("status", [500, 503, 429, 401])
def test_a_refusal_in_the_middle_of_an_upload_is_overcome(liar, status):
    headers = {"WWW-Authenticate": 'Basic realm="again"'} if status == 401 else {}
    liar.faults.append(Fault("PATCH", "/blobs/uploads/", skip=1, status=status, headers=headers))
    with RegistryClient(
        liar.host, "team/app", options(chunk=1_000_000, login=Login("me", "secret"))
    ) as client:
        put(client.target(), CONTENT)
    assert [received for found, received in uploads(liar, "PATCH") if found == 202] == [1_000_000] * 3


def test_a_proxy_that_takes_little_gets_less(liar):
    liar.faults.append(Fault("PUT", "/blobs/uploads/", status=413))
    with RegistryClient(liar.host, "team/app", options()) as client:
        put(client.target(), CONTENT)
    assert [received for _, received in uploads(liar, "PATCH")] == [1_500_000, 1_500_000]


def test_bytes_that_are_not_the_digests_are_named_and_leave_nothing(liar, client):
    wrong = b"x" * len(CONTENT)
    with pytest.raises(Corrupt, match="digest mismatch") as caught:
        client.target().put_blob(
            layer(CONTENT), lambda at: BytesStream(wrong, at), lambda _: None, ResumeUpload()
        )
    assert caught.value.code == "digest_refused"
    assert not liar.uploads
    assert not liar.blobs


def test_a_source_that_ends_early_sends_no_more(liar, client):
    with pytest.raises(Unavailable, match="too early"):
        client.target().put_blob(
            layer(CONTENT), lambda at: BytesStream(CONTENT[:1000], at), lambda _: None, None
        )
    assert not liar.blobs


def test_a_saved_upload_that_the_registry_lost_begins_again(liar, client):
    saved = []
    state = UploadState(f"http://{liar.host}/v2/team/app/blobs/uploads/0123", 500)
    put(client.target(), CONTENT, ResumeUpload(state, saved.append))
    assert uploads(liar, "PUT") == [(201, len(CONTENT))]
    assert saved[-1] is None


def test_a_mount_moves_nothing_and_a_refused_one_is_uploaded(liar, client):
    liar.put("other/app", CONTENT)
    target = client.target()
    assert target.mount(layer(CONTENT), "other/app")
    more = made_up(1000, "more")
    assert not target.mount(layer(more), "other/app")
    put(target, more)
    assert uploads(liar, "POST") == [(201, 0), (202, 0)]  # the upload that the mount began was used


def test_referrers_are_listed_under_a_tag_where_there_is_no_api(liar, client):
    subject = push(client, "v1", b"layer")
    about = subject.descriptor.as_json()
    one = push(client, None, b"one", subject=about, artifactType="application/vnd.example.one")
    two = push(client, None, b"two", subject=about, artifactType="application/vnd.example.two")
    signature = push(client, f"sha256-{subject.digest.hex}.sig", b"signature")
    found = client.source().referrers(subject.digest)
    assert [item.digest for item in found] == [one.digest, two.digest, signature.digest]
    assert [item.artifact_type for item in found[:2]] == [
        "application/vnd.example.one",
        "application/vnd.example.two",
    ]
    listing = json.loads(liar.manifests["team/app", f"sha256-{subject.digest.hex}"][1])
    assert len(listing["manifests"]) == 2


def test_referrers_are_asked_of_the_api_where_there_is_one():
    with (
        LiarRegistry(referrers=True) as liar,
        RegistryClient(liar.host, "team/app", options()) as client,
    ):
        subject = push(client, "v1", b"layer")
        one = push(client, None, b"one", subject=subject.descriptor.as_json())
        assert [item.digest for item in client.source().referrers(subject.digest)] == [one.digest]
        assert ("team/app", f"sha256-{subject.digest.hex}") not in liar.manifests


# mirrors


def test_mirrors_are_asked_first_and_the_registry_when_they_fail(liar):
    with LiarRegistry() as mirror:
        text = f'[registry."{liar.host}"]\nmirrors = ["http://{mirror.host}/cache"]\nns = true'
        with RegistryClient(liar.host, "team/app", options(mirrors=parse_mirrors(text))) as client:
            manifest = push(client, "v1", b"layer")
            mirror.put_manifest("cache/team/app", manifest.media_type, manifest.raw, "v1")
            mirror.put("cache/team/app", b"layer")
            source = client.source()
            assert source.resolve("v1") == manifest
            assert not liar.seen("GET", "/manifests/")
            assert everything(source.open_blob(layer(b"layer"))) == b"layer"
            assert f"ns={liar.host.replace(':', '%3A')}" in mirror.seen("GET")[0].path
            mirror.blobs.clear()
            assert everything(source.open_blob(layer(b"layer"))) == b"layer"
            assert [one.sent for one in liar.seen("GET", "/blobs/")] == [5]

"""Names: all of a manifest or nothing, in order, with their history."""

import pytest

from ferryman.core.errors import Conflict, Corrupt, Invalid, NotFound
from ferryman.depot.model import Trouble
from ferryman.oci.manifest import parse_manifest
from tests.conformance.depot.making import ORIGIN, digest_of, image, index, put_image, store, subject


def test_a_manifest_is_named_and_comes_out_as_it_went_in(depot):
    made = put_image(depot, "quay.io/team/app", "1.0", b"layer")
    for wanted in ("1.0", made.digest, str(made.digest)):
        found = depot.manifest("quay.io/team/app", wanted)
        assert (found.raw, found.digest, found.media_type) == (made.raw, made.digest, made.media_type)
    assert depot.manifest(None, made.digest).raw == made.raw
    assert depot.tagged("quay.io/team/app", "1.0") == made.digest
    assert depot.has_manifest("quay.io/team/app", made.digest)
    assert depot.has_blob_in("quay.io/team/app", digest_of(b"layer"))
    assert depot.blob_size_in("quay.io/team/app", digest_of(b"layer")) == 5
    assert not depot.has_blob_in("other", digest_of(b"layer"))
    with pytest.raises(NotFound):
        depot.manifest("other", made.digest)
    with pytest.raises(NotFound):
        depot.manifest(None, "1.0")


def test_sha512(depot):
    store(depot, b"{}", algorithm="sha512")
    store(depot, b"l", algorithm="sha512")
    made = image(b"l", algorithm="sha512")
    depot.put_manifest("a", made, "t", ORIGIN)
    assert depot.manifest("a", "t").digest.algorithm == "sha512"


def test_blobs_come_first(depot):
    made = image(b"layer")
    store(depot, b"{}")
    with pytest.raises(Invalid) as caught:
        depot.put_manifest("a", made, "1", ORIGIN)
    assert caught.value.code == "manifest_blob_unknown"
    assert caught.value.details["missing"] == [str(digest_of(b"layer"))]
    assert depot.tagged("a", "1") is None
    assert not depot.has(made.digest)
    assert not list((depot.folder / "uploads").iterdir())


def test_a_push_needs_its_blobs_in_the_repository(depot):
    made = put_image(depot, "a", "1", b"layer")
    with pytest.raises(Invalid):
        depot.put_manifest("b", made, "1", ORIGIN, linked=True)
    for content in (b"layer", b"{}"):
        depot.link_blob("b", digest_of(content))
    depot.put_manifest("b", made, "1", ORIGIN, linked=True)
    assert depot.repositories_of(digest_of(b"layer")) == ["a", "b"]
    assert depot.repositories() == ["a", "b"]


def test_children_come_first_unless_it_is_sparse(depot):
    one, two = put_image(depot, "a", None, b"one"), image(b"two")
    both = index(one, two)
    with pytest.raises(Invalid) as caught:
        depot.put_manifest("a", both, "1", ORIGIN)
    assert caught.value.details["missing"] == [str(two.digest)]
    depot.put_manifest("a", both, "1", ORIGIN, sparse=True)
    assert depot.manifest("a", "1").children[0].digest == one.digest


def test_an_incomplete_image_is_taken_when_asked_for(depot, clock):
    store(depot, b"elsewhere")
    made = image(b"elsewhere", b"missing")
    depot.put_manifest("a", made, "1", ORIGIN, linked=True, sparse=True, incomplete=True)
    assert depot.manifest("a", "1").raw == made.raw
    assert not depot.has_blob_in("a", digest_of(b"elsewhere"))
    depot.link_blob("a", store(depot, b"missing"))
    depot.gc(clock.at, 0)
    assert depot.has(digest_of(b"missing"))


def test_what_arrives_when_it_is_asked_for_is_not_missed(depot):
    store(depot, b"{}")
    made = image(b"{}", b"later")
    for name in ("far.example/team/x", "far_example/x", "near/x"):
        depot.put_manifest(name, made, "1", ORIGIN, sparse=True, incomplete=True)
    found = [(one.trouble, one.used_by) for one in depot.fsck()]
    assert found == [(Trouble.INCOMPLETE, ("far.example/team/x",))]
    depot.lazy = lambda: ["far.example", "near"]
    found = [(one.trouble, one.used_by) for one in depot.fsck()]
    assert found == [(Trouble.INCOMPLETE, ("far_example/x",))]
    depot.untag("far_example/x", "1", ORIGIN)
    depot.delete_manifest("far_example/x", made.digest, ORIGIN)
    assert list(depot.fsck()) == []


def test_foreign_layers_may_be_elsewhere(depot):
    store(depot, b"{}")
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": str(digest_of(b"windows")),
        "size": 7,
        "urls": ["https://example.org/layer"],
    }
    depot.put_manifest("a", image(layers=[layer]), "1", ORIGIN)
    assert list(depot.fsck()) == []


def test_an_unknown_kind_is_kept_as_it_is(depot):
    made = parse_manifest(b'{"a": 1}', "application/vnd.example.thing+json")
    depot.put_manifest("a", made, "1", ORIGIN)
    found = depot.manifest("a", "1")
    assert (found.raw, found.media_type) == (b'{"a": 1}', "application/vnd.example.thing+json")


def test_the_history_of_a_tag(depot, clock):
    one = put_image(depot, "a", "latest", b"one")
    clock.at += 10
    two = put_image(depot, "a", "latest", b"two")
    put_image(depot, "a", "latest", b"two")
    depot.untag("a", "latest", ORIGIN)
    assert [change.digest for change in depot.history("a", "latest")] == [None, two.digest, one.digest]
    assert depot.history("a")[0].origin == ORIGIN
    with pytest.raises(NotFound):
        depot.untag("a", "latest", ORIGIN)


def test_immutable_tags_stay(depot):
    one = put_image(depot, "a", "1", b"one")
    store(depot, b"two")
    two = image(b"two")
    with pytest.raises(Conflict) as caught:
        depot.put_manifest("a", two, "1", ORIGIN, immutable=True)
    assert caught.value.code == "tag_immutable"
    assert depot.tagged("a", "1") == one.digest
    depot.put_manifest("a", one, "1", ORIGIN, immutable=True)
    depot.put_manifest("a", two, "2", ORIGIN, immutable=True)
    assert depot.tagged("a", "2") == two.digest


def test_lists_come_in_pages_in_the_order_of_bytes(depot):
    made = put_image(depot, "b", "T1", b"x")
    for name in ("t2", "a", "_x", "Z"):
        depot.tag("b", made.digest, name, ORIGIN)
    for name in ("localhost:5000/a", "a-b", "a/b", "a"):
        depot.put_manifest(name, made, "1", ORIGIN)
    assert depot.tags("b") == ["T1", "Z", "_x", "a", "t2"]
    assert depot.tags("b", "Z", 2) == ["_x", "a"]
    assert depot.tags("b", "zz") == []
    assert depot.tags("b", limit=0) == []
    assert depot.repositories() == ["a", "a-b", "a/b", "b", "localhost:5000/a"]
    assert depot.repositories("a-b", 2) == ["a/b", "b"]
    assert depot.repositories(prefix="a/") == ["a/b"]
    first = depot.refs(limit=5)
    rest = depot.refs(after=str(first[-1]), limit=100)
    assert [str(ref) for ref in first + rest] == [
        "a:1", "a-b:1", "a/b:1", "b:T1", "b:Z", "b:_x", "b:a", "b:t2", "localhost:5000/a:1"
    ]  # fmt: skip
    assert [str(ref) for ref in depot.refs("a/")] == ["a/b:1"]
    with pytest.raises(NotFound) as caught:
        depot.tags("none")
    assert caught.value.code == "repository_unknown"


def test_manifests_of_a_repository(depot):
    one = put_image(depot, "a", "1", b"one")
    depot.tag("a", one.digest, "uno", ORIGIN)
    two = put_image(depot, "a", None, b"two", subject=subject(one))
    found = {entry.digest: entry for entry in depot.manifests("a")}
    assert found[one.digest].tags == ("1", "uno")
    assert found[two.digest].tags == ()
    assert found[two.digest].subject == one.digest
    first, *_ = depot.manifests("a", limit=1)
    assert [entry.digest for entry in depot.manifests("a", str(first.digest))] != [first.digest]


def test_referrers(depot):
    one = put_image(depot, "a", "1", b"one")
    sbom = put_image(
        depot, "a", None, b"sbom", subject=subject(one), artifactType="text/sbom", annotations={"k": "ü"}
    )
    plain = put_image(depot, "a", None, b"plain", subject=subject(one))
    found = depot.referrers("a", one.digest)
    assert {item.digest for item in found} == {sbom.digest, plain.digest}
    (typed,) = depot.referrers("a", one.digest, "text/sbom")
    assert (typed.artifact_type, dict(typed.annotations), typed.size) == (
        "text/sbom",
        {"k": "ü"},
        len(sbom.raw),
    )
    assert depot.referrers("b", one.digest) == []
    by_config = depot.referrers("a", one.digest, "application/vnd.oci.image.config.v1+json")
    assert [item.digest for item in by_config] == [plain.digest]
    early = image(b"one", subject=subject(image(b"nowhere")))
    depot.put_manifest("a", early, None, ORIGIN)
    assert [item.digest for item in depot.referrers("a", image(b"nowhere").digest)] == [early.digest]


def test_a_tag_goes_with_what_nothing_else_names(depot):
    one, two = put_image(depot, "a", None, b"one"), put_image(depot, "a", "two", b"two")
    both = index(one, two)
    depot.put_manifest("a", both, "all", ORIGIN)
    depot.put_manifest("a", both, "again", ORIGIN)
    signature = put_image(depot, "a", None, b"sig", subject=subject(one))
    cosign = put_image(depot, "a", f"sha256-{one.digest.hex}.sig", b"cosign")
    assert depot.removal("a", "again").manifests == ()
    assert depot.remove("a", "again", ORIGIN).tags == ("again",)
    told = depot.removal("a", "all")
    assert set(told.manifests) == {both.digest, one.digest, signature.digest, cosign.digest}
    assert told.freed == sum(len(item) for item in (both.raw, one.raw, signature.raw, cosign.raw)) + len(
        b"onesigcosign"
    )
    assert depot.remove("a", "all", ORIGIN) == told
    assert depot.has_manifest("a", two.digest)
    assert depot.tags("a") == ["two"]
    assert not depot.has_blob_in("a", digest_of(b"one"))
    assert depot.has_blob_in("a", digest_of(b"two"))


def test_a_manifest_goes_with_its_tags(depot):
    one = put_image(depot, "a", "1", b"one")
    depot.tag("a", one.digest, "2", ORIGIN)
    gone = depot.delete_manifest("a", one.digest, ORIGIN)
    assert gone.tags == ("1", "2")
    assert depot.repositories() == []
    with pytest.raises(NotFound):
        depot.delete_manifest("a", one.digest, ORIGIN)
    with pytest.raises(NotFound):
        depot.tag("a", one.digest, "3", ORIGIN)


def test_blobs_of_a_repository(depot):
    with pytest.raises(NotFound):
        depot.link_blob("a", digest_of(b"no"))
    loose = store(depot, b"loose")
    depot.link_blob("a", loose)
    depot.link_blob("a", loose)
    assert depot.tags("a") == []
    depot.unlink_blob("a", loose)
    with pytest.raises(NotFound):
        depot.unlink_blob("a", loose)
    put_image(depot, "a", "1", b"one")
    with pytest.raises(Conflict) as caught:
        depot.unlink_blob("a", digest_of(b"one"))
    assert caught.value.code == "blob_needed"


def test_pins_stay(depot):
    one = put_image(depot, "a", "1", b"one")
    depot.pin("a:1", "ann")
    depot.pin("a:1", "bob")
    depot.pin(str(one.digest), "ann")
    assert [(pin.target, pin.by) for pin in depot.pins()] == [("a:1", "ann"), (str(one.digest), "ann")]
    for call in (lambda: depot.remove("a", "1", ORIGIN), lambda: depot.untag("a", "1", ORIGIN)):
        with pytest.raises(Conflict) as caught:
            call()
        assert caught.value.code == "pinned"
    with pytest.raises(Conflict):
        depot.delete_manifest("a", one.digest, ORIGIN)
    depot.unpin("a:1")
    depot.unpin(str(one.digest))
    with pytest.raises(NotFound):
        depot.unpin("a:1")
    for target in ("a:2", str(digest_of(b"no"))):
        with pytest.raises(NotFound):
            depot.pin(target, "ann")
    for target in ("a", "A:1", "sha256:12", "a:1@" + str(one.digest)):
        with pytest.raises(Invalid):
            depot.pin(target, "ann")


@pytest.mark.parametrize(
    ("repository", "tag"),
    [
        ("A", "1"),
        ("a//b", "1"),
        ("../a", "1"),
        ("a", "-x"),
        ("a", "x" * 129),
        ("a:1", "1"),
        ("", "1"),
        ("a" * 256, "1"),
    ],
)
def test_wrong_names_are_refused(depot, repository, tag):
    with pytest.raises(Invalid):
        depot.put_manifest(repository, image(), tag, ORIGIN)


def test_damaged_manifests_are_noticed(depot):
    made = put_image(depot, "a", "1", b"one")
    path = depot.path(made.digest)
    path.write_bytes(made.raw.replace(b"2", b"3", 1))
    with pytest.raises(Corrupt):
        depot.manifest("a", "1")
    path.unlink()
    with pytest.raises(Corrupt) as caught:
        depot.manifest("a", "1")
    assert caught.value.code == "blob_lost"

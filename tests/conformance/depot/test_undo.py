"""What was removed or moved is put back, whole, as long as its content is there; what is gone is told."""

import pytest

from ferryman.core.errors import Conflict, NotFound
from ferryman.depot.model import Origin
from tests.conformance.depot.making import ORIGIN, digest_of, image, index, put_image, store, subject

DAY = 86_400
ME = Origin("local:ann", 2000.0)


def state(depot, repository):
    return (
        {tag: depot.tagged(repository, tag) for tag in depot.tags(repository)},
        {(one.digest, one.media_type, one.subject) for one in depot.manifests(repository)},
    )


def signed_index(depot):
    """An index with two platforms, a signature by subject and one by a cosign tag, under two tags."""
    one, two = put_image(depot, "a/b", None, b"one"), put_image(depot, "a/b", None, b"two")
    both = index(one, two)
    depot.put_manifest("a/b", both, "1", ORIGIN)
    put_image(depot, "a/b", None, b"attestation", subject=subject(one))
    put_image(depot, "a/b", f"sha256-{both.digest.hex}.sig", b"signature")
    return both


def test_a_removed_tag_comes_back_with_all_that_went_with_it(depot, clock):
    both = signed_index(depot)
    put_image(depot, "a/b", "other", b"other")
    before = state(depot, "a/b")
    gone = depot.remove("a/b", "1", ORIGIN)
    assert len(gone.manifests) == 5
    told = depot.restore("a/b", "1", ME, dry_run=True)
    assert depot.tags("a/b") == ["other"]
    back = depot.restore("a/b", "1", ME)
    assert back == told
    assert (back.digest, back.changed) == (both.digest, True)
    assert set(back.manifests) == set(gone.manifests)
    assert state(depot, "a/b") == before
    for digest in (b"one", b"two", b"signature"):
        assert depot.has_blob_in("a/b", digest_of(digest))
    assert [one.digest for one in depot.history("a/b", "1")] == [both.digest, None, both.digest]
    assert [one.restores for one in depot.history("a/b", "1")] == [True, False, False]
    again = depot.restore("a/b", "1", ME)
    assert (again.digest, again.changed, again.tags, again.manifests) == (both.digest, False, (), ())
    depot.gc(clock.at, 0)
    assert list(depot.fsck()) == []


def test_what_was_removed_within_the_grace_stays_for_the_undo(depot, clock):
    both = signed_index(depot)
    clock.at += 30 * DAY
    depot.remove("a/b", "1", ORIGIN)
    clock.at += DAY - 1
    for dry in (True, False):
        report = depot.gc(clock.at, DAY, dry_run=dry)
        assert (report.blobs, report.kept_for_undo) == (0, 10)
        assert report.kept_for_undo_size == depot.used()
    depot.restore("a/b", "1", ME)
    assert depot.gc(clock.at, DAY).kept_for_undo == 0
    assert depot.tagged("a/b", "1") == both.digest
    depot.remove("a/b", "1", ORIGIN)
    clock.at += DAY
    assert depot.gc(clock.at, DAY).blobs == 10
    assert depot.used() == 0


def test_after_the_sweep_it_says_what_is_gone_and_how_it_comes_again(depot, clock):
    made = put_image(depot, "quay.io/team/app", "1", b"one")
    depot.remove("quay.io/team/app", "1", ORIGIN)
    depot.gc(clock.at, 0)
    for wanted in ("1", str(made.digest)):
        with pytest.raises(NotFound) as told:
            depot.restore("quay.io/team/app", wanted, ME)
        assert told.value.code == "restore_gone"
        assert str(made.digest) in told.value.message
    assert f"ferry copy docker://quay.io/team/app@{made.digest}" in told.value.advice
    assert not depot.history("quay.io/team/app", "1")[1].there
    put_image(depot, "a/b", "1", b"pushed")
    pushed = image(b"pushed", config=b"{}")
    depot.put_manifest("a/b", pushed, "2", Origin("push:ann", 1.0))
    assert depot.history("a/b", "2")[0].there


def test_an_image_that_lost_a_layer_does_not_come_back_in_half(depot, clock):
    put_image(depot, "a", "1", b"one", b"two")
    depot.remove("a", "1", ORIGIN)
    depot.path(digest_of(b"two")).unlink()
    assert [one.what for one in depot.fsck(deep=False)] == [str(digest_of(b"two"))]
    with pytest.raises(NotFound) as told:
        depot.restore("a", "1", ME)
    assert told.value.details["missing"] == [str(digest_of(b"two"))]
    assert "fsck --repair" in told.value.advice
    store(depot, b"two")
    assert depot.restore("a", "1", ME).changed


def test_what_lacked_blobs_before_comes_back_as_it_was(depot):
    lazy = image(b"not here", config=b"{}")
    store(depot, b"{}")
    depot.put_manifest("a", lazy, "1", ORIGIN, incomplete=True)
    depot.remove("a", "1", ORIGIN)
    assert depot.restore("a", "1", ME).changed
    assert depot.tagged("a", "1") == lazy.digest


def test_a_moved_tag_goes_back_once(depot, clock):
    one, two, three = (put_image(depot, "a", "latest", text) for text in (b"one", b"two", b"three"))
    assert depot.restore("a", "latest", ME).digest == two.digest
    assert not depot.restore("a", "latest", ME).changed
    assert depot.tagged("a", "latest") == two.digest
    assert depot.restore("a", "latest", ME, to=one.digest).tags == ("latest",)
    assert not depot.restore("a", "latest", ME, to=one.digest).changed
    assert depot.restore("a", "latest", ME, to=three.digest).changed
    with pytest.raises(NotFound) as told:
        depot.restore("a", "latest", ME, to=digest_of(b"never"))
    assert told.value.code == "history_unknown"


def test_what_the_rules_took_comes_back_and_stays(open_depot, clock):
    depot = open_depot(rules=lambda: "a:v* keep=1, * untagged=0")
    old = put_image(depot, "a", "v1", b"one")
    clock.at += DAY
    put_image(depot, "a", "v2", b"two")
    assert depot.gc(clock.at, DAY).tags == ("a:v1",)
    clock.at += 1
    assert depot.restore("a", "v1", ME).digest == old.digest
    assert depot.gc(clock.at, DAY, dry_run=True).tags == ("a:v2",)


def test_a_moved_tag_whose_old_manifest_was_swept_by_the_rules(open_depot, clock):
    depot = open_depot(rules=lambda: "* untagged=0")
    old = put_image(depot, "a", "latest", b"one")
    put_image(depot, "a", "latest", b"two")
    clock.at += DAY
    assert depot.gc(clock.at, DAY).manifests == 1
    back = depot.restore("a", "latest", ME)
    assert (back.digest, back.manifests) == (old.digest, (old.digest,))
    assert depot.manifest("a", "latest").raw == old.raw


def test_a_digest_comes_back_with_the_tags_that_named_it(depot):
    made = put_image(depot, "a", "1", b"one")
    depot.tag("a", made.digest, "2", ORIGIN)
    depot.delete_manifest("a", made.digest, ORIGIN)
    put_image(depot, "a", "2", b"another")
    back = depot.restore("a", str(made.digest), ME)
    assert (back.tags, back.manifests) == (("1",), (made.digest,))
    assert not depot.restore("a", str(made.digest), ME).changed
    assert depot.tagged("a", "2") != made.digest


def test_a_tag_alone_that_a_client_deleted(depot):
    made = put_image(depot, "a", "1", b"one")
    depot.untag("a", "1", ORIGIN)
    back = depot.restore("a", "1", ME)
    assert (back.digest, back.tags, back.manifests) == (made.digest, ("1",), ())


def test_nothing_to_put_back(depot):
    made = put_image(depot, "a", "1", b"one")
    with pytest.raises(Conflict) as told:
        depot.restore("a", "1", ME)
    assert told.value.code == "restore_nothing"
    for repository, wanted in (("a", "never"), ("b", "1"), ("b", str(made.digest))):
        with pytest.raises(NotFound):
            depot.restore(repository, wanted, ME)

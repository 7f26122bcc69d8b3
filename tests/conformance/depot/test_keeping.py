"""The sweep takes what nothing needs, the rules take what they say, the check finds what is wrong."""

import os

import pytest

from ferryman.core.errors import Invalid, NotFound, Unavailable
from ferryman.depot.model import CheckTotals, Trouble
from tests.conformance.depot.making import ORIGIN, digest_of, index, put_image, store, subject

DAY = 86_400


def strays(depot):
    known = {blob for page in [depot.blobs([])] for blob in page}
    assert not known
    return [path for _, path in depot._files.each()]


def test_what_is_named_stays_and_the_rest_goes_after_its_grace(depot, clock):
    made = put_image(depot, "a", "1", b"one")
    loose = store(depot, b"loose")
    pinned = store(depot, b"pinned")
    depot.pin(str(pinned), "ann")
    assert depot.gc(clock.at, DAY).blobs == 0
    clock.at += DAY
    told = depot.gc(clock.at, DAY, dry_run=True)
    assert (told.blobs, told.size, told.dry_run) == (1, 5, True)
    assert depot.has(loose)
    report = depot.gc(clock.at, DAY)
    assert (report.blobs, report.size) == (1, 5)
    assert not depot.has(loose)
    assert not depot._files.blob(loose).exists()
    assert depot.has(pinned)
    assert depot.manifest("a", "1").raw == made.raw
    depot.remove("a", "1", ORIGIN)
    assert depot.gc(clock.at, 0).blobs == 3
    depot.unpin(str(pinned))
    depot.gc(clock.at, 0)
    assert depot.used() == 0
    assert strays(depot) == []


def test_holds_keep_what_they_name_and_what_that_names(depot, clock):
    made = put_image(depot, "a", "1", b"one")
    hold = depot.begin("job:1", 600)
    hold.keep([made.digest])
    depot.remove("a", "1", ORIGIN)
    report = depot.gc(clock.at, 0)
    assert (report.blobs, report.kept_by_hold) == (0, 3)
    clock.at += 300
    hold.renew()
    clock.at += 599
    assert depot.gc(clock.at, 0).blobs == 0
    clock.at += 1
    assert depot.gc(clock.at, 0).blobs == 3


def test_what_arrives_is_held_from_the_first_moment(depot, clock):
    with depot.begin("job:1", 600) as hold:
        digest = store(depot, b"new", hold=hold)
        assert depot.gc(clock.at, 0).blobs == 0
    assert depot.gc(clock.at, 0).blobs == 1
    assert not depot.has(digest)


def test_an_index_keeps_its_children(depot, clock):
    one = put_image(depot, "a", None, b"one")
    depot.put_manifest("a", index(one), "all", ORIGIN)
    depot.delete_manifest("a", one.digest, ORIGIN)
    assert depot.gc(clock.at, 0).blobs == 0


def test_unfinished_files_go_unless_somebody_has_them(depot, clock):
    clock.at = 4e9  # files carry the time of the machine
    open_one = depot.writer(ORIGIN)
    open_one.write(b"open")
    left = depot.writer(ORIGIN)
    left.write(b"left")
    state = left.suspend()
    held = depot.writer(ORIGIN)
    held.write(b"held")
    held_state = held.suspend()
    hold = depot.begin(f"upload:{held.id}", 600)
    partial, held_partial = depot.partial(digest_of(b"p")), depot.partial(digest_of(b"q"))
    for path in (partial, partial.with_name(partial.name + ".ferry"), held_partial):
        path.write_bytes(b"12345")
    hold.keep([digest_of(b"q")])
    (depot.folder / "blobs" / "sha256" / "ab").mkdir(exist_ok=True)
    stray = depot.folder / "blobs" / "sha256" / "ab" / ("ab" + "0" * 62)
    stray.write_bytes(b"stray")
    assert depot.gc(clock.at, 0, dry_run=True).strays >= 4
    report = depot.gc(clock.at, 0)
    assert (report.strays, report.stray_size) == (4, 4 + 5 + 5 + 5)
    assert not stray.exists()
    assert held_partial.exists()
    with pytest.raises(NotFound):
        depot.resume(state)
    open_one.write(b"ed")
    open_one.commit(digest_of(b"opened"))
    with depot.resume(held_state) as again:
        again.commit(digest_of(b"held"))


def test_rules_take_old_tags_away(open_depot, clock):
    said = ["a/*:v* keep=2, a/* days=10, * untagged=5"]
    depot = open_depot(rules=lambda: said[0])
    for number in range(4):
        put_image(depot, "a/x", f"v{number}", b"%d" % number)
        clock.at += DAY
    put_image(depot, "a/x", "latest", b"3")
    put_image(depot, "b", "v0", b"b")
    depot.pin("a/x:v0", "ann")
    told = depot.gc(clock.at, 0, dry_run=True)
    assert told.tags == ("a/x:v1",)
    report = depot.gc(clock.at, 0)
    assert report.tags == ("a/x:v1",)
    assert (report.manifests, report.blobs) == (1, 2)
    assert depot.tags("a/x") == ["latest", "v0", "v2", "v3"]
    assert depot.history("a/x", "v1")[0].origin.source == "rules"
    clock.at += 11 * DAY
    assert depot.gc(clock.at, 0).tags == ("a/x:latest",)
    lone = put_image(depot, "b", None, b"lone")
    clock.at += 4 * DAY
    assert depot.gc(clock.at, 0).manifests == 0
    clock.at += 1 * DAY
    assert depot.gc(clock.at, 0).manifests == 1
    assert not depot.has(lone.digest)
    said[0] = "nonsense"
    with pytest.raises(Invalid):
        depot.gc(clock.at, 0)


def test_untagged_is_not_what_an_index_or_a_subject_needs(open_depot, clock):
    depot = open_depot(rules=lambda: "* untagged=0")
    one = put_image(depot, "a", None, b"one")
    depot.put_manifest("a", index(one), "all", ORIGIN)
    put_image(depot, "a", None, b"sig", subject=subject(one))
    gone = put_image(depot, "a", None, b"gone")
    put_image(depot, "a", None, b"sig of gone", subject=subject(gone))
    assert depot.gc(clock.at, 0).manifests == 2
    assert len(depot.manifests("a")) == 3


def test_usage_tells_what_is_shared(depot):
    put_image(depot, "a", "1", b"base" * 10, b"one")
    put_image(depot, "b", "1", b"base" * 10, b"other")
    store(depot, b"loose")
    usage = depot.du()
    first, second = usage.refs
    assert first.shared == second.shared == 42
    assert second.unique - first.unique == len(b"other") - len(b"one")
    assert usage.unreferenced == 5
    assert usage.size == depot.used() == first.unique + second.unique + 42 + 5
    assert (usage.repositories, usage.blobs) == (2, 7)
    assert depot.needs(item.ref.digest for item in usage.refs) == {
        item.ref.digest: item.unique + item.shared for item in usage.refs
    }
    assert depot.needs([]) == {}
    assert depot.ref("b", "1") == second.ref
    assert depot.ref("b", "none") is None
    assert [str(item.ref) for item in depot.du("b").refs] == ["b:1"]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_is_set_aside_and_brought_again(depot):
    put_image(depot, "a", "1", b"layer" * 1000)
    digest = digest_of(b"layer" * 1000)
    assert list(depot.fsck()) == []
    flip(depot.path(digest))
    totals = CheckTotals()
    assert list(depot.fsck(deep=False)) == []
    (found,) = depot.fsck(totals=totals)
    assert (found.trouble, found.what, found.repaired) == (Trouble.DAMAGED, str(digest), False)
    assert found.used_by == ("a:1",)
    assert found.origin == ORIGIN
    assert (depot.folder / found.set_aside).stat().st_size == 5000
    assert (totals.done, totals.blobs) == (3, 3)
    assert not depot.has(digest)
    asked = []

    def repair(wanted, origin):
        asked.append((wanted, origin))
        with depot.fetching(wanted, origin) as writer:
            writer.write(b"layer" * 1000)
            writer.commit()
        return True

    (again,) = depot.fsck(repair=repair)
    assert (again.trouble, again.repaired) == (Trouble.MISSING, True)
    assert asked == [(digest, ORIGIN)]
    assert list(depot.fsck(repair=repair)) == []
    flip(depot.path(digest))
    (at_once,) = depot.fsck(repair=repair)
    assert at_once.repaired
    assert list(depot.fsck()) == []
    assert depot.used() == depot.du().size


def test_content_that_is_gone_or_short(depot, clock):
    put_image(depot, "a", "1", b"one", b"two")
    depot.path(digest_of(b"one")).unlink()
    os.truncate(depot.path(digest_of(b"two")), 1)
    found = {item.what: item for item in depot.fsck(deep=False)}
    assert found[str(digest_of(b"one"))].trouble is Trouble.MISSING
    assert found[str(digest_of(b"two"))].trouble is Trouble.DAMAGED

    def unreachable(_digest, _origin):
        raise Unavailable("origin_unreachable", "The origin does not answer.")

    again = list(depot.fsck(repair=unreachable))
    assert len(again) == 2
    assert all("does not answer" in item.detail for item in again)

    def lies(_digest, _origin):
        return True

    assert not any(item.repaired for item in depot.fsck(repair=lies))
    depot.remove("a", "1", ORIGIN)
    depot.gc(clock.at, 0)
    assert list(depot.fsck()) == []


def test_strays_are_told(depot):
    put_image(depot, "a", "1", b"one")
    stray = depot.path(digest_of(b"one")).with_name("note.txt")
    stray.write_bytes(b"hello")
    (found,) = depot.fsck()
    assert (found.trouble, found.size) == (Trouble.STRAY, 5)
    assert stray.exists()


def test_a_check_stops_when_asked(depot):
    for number in range(5):
        store(depot, b"%d" % number)
    totals = CheckTotals()
    assert list(depot.fsck(totals=totals, stop=lambda: totals.done >= 2)) == []
    assert totals.done == 2


def test_an_interrupted_check_goes_on(depot):
    digests = sorted(str(store(depot, b"%d" % number)) for number in range(6))
    totals = CheckTotals()
    assert list(depot.fsck(totals=totals, stop=lambda: totals.done >= 3)) == []
    assert totals.last == digests[2]
    flip(depot.folder / "blobs" / "sha256" / digests[4][7:9] / digests[4][7:])
    (found,) = depot.fsck(totals=totals, after=totals.last)
    assert found.what == digests[4]
    assert (totals.done, totals.last) == (6, digests[5])


def test_a_negative_grace_is_refused(depot):
    with pytest.raises(Invalid):
        depot.gc(grace=-1)

"""Content goes in whole or not at all, and comes out as it went in."""

import threading

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Corrupt, Exhausted, Invalid, NotFound
from ferryman.depot.model import WriterState
from tests.conformance.depot.making import ORIGIN, digest_of, put_image, store


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_what_goes_in_comes_out(depot, algorithm):
    content = b"x" * 3_000_000
    digest = store(depot, content, algorithm=algorithm)
    assert depot.has(digest)
    assert depot.size(digest) == len(content)
    assert depot.path(digest).read_bytes() == content
    blob = depot.blob(digest)
    assert blob.origin == ORIGIN
    with depot.open(digest, 2_999_990) as stream:
        buffer = bytearray(100)
        assert (stream.size, stream.offset) == (3_000_000, 2_999_990)
        assert stream.readinto(memoryview(buffer)) == 10
        assert stream.readinto(memoryview(buffer)) == 0
    assert depot.used() == len(content)
    assert depot.blobs([digest, digest_of(b"no")]) == {digest: blob}


def test_wrong_content_is_refused_and_leaves_nothing(depot):
    wanted = digest_of(b"right")
    writer = depot.writer(ORIGIN, wanted)
    writer.write(b"wrong")
    assert not depot.has(wanted)
    with pytest.raises(Corrupt) as caught:
        writer.commit()
    assert caught.value.code == "blob_mismatch"
    assert str(wanted) in caught.value.message
    assert not depot.has(wanted)
    assert not list((depot.folder / "uploads").iterdir())


def test_content_may_be_named_by_another_algorithm_at_the_end(depot):
    with depot.writer(ORIGIN) as writer:
        writer.write(b"some ")
        writer.write(memoryview(b"content"))
        blob = writer.commit(digest_of(b"some content", "sha512"))
    assert depot.path(blob.digest).read_bytes() == b"some content"


def test_nothing_is_a_content(depot):
    assert depot.size(store(depot, b"")) == 0


def test_aborted_content_is_gone(depot):
    with depot.writer(ORIGIN) as writer:
        writer.write(b"abc")
    writer.abort()
    assert not list((depot.folder / "uploads").iterdir())


def test_an_upload_goes_on_in_another_process(depot, open_depot):
    writer = depot.writer(ORIGIN)
    writer.write(b"first ")
    state = writer.state()
    with pytest.raises(Conflict, match="Another writer"):
        open_depot().resume(state)
    writer.write(b"torn")
    writer.suspend()
    other = open_depot()
    with other.resume(state) as again:
        assert again.offset == 6
        again.write(b"second")
        blob = again.commit(digest_of(b"first second"))
    assert blob.origin == ORIGIN
    with pytest.raises(NotFound):
        other.resume(state)


@pytest.mark.parametrize("name", ["../lock", "", "0" * 31, "0" * 32])
def test_an_upload_that_is_not_there(depot, name):
    with pytest.raises(NotFound) as caught:
        depot.resume(WriterState(name, "sha256", 0, ORIGIN))
    assert caught.value.code == "upload_unknown"


def test_fetching_goes_on_where_it_stopped(depot, open_depot):
    content = bytes(range(256)) * 1000
    digest = digest_of(content)
    with depot.fetching(digest, ORIGIN, size=len(content)) as writer:
        writer.write(content[:1000])
    other = open_depot()
    with other.fetching(digest, ORIGIN, size=len(content)) as writer:
        assert writer.offset == 1000
        with depot.fetching(digest, ORIGIN, size=len(content)) as beside:
            assert beside.offset == 0
            beside.write(content)
            beside.commit()
        writer.write(content[1000:])
        writer.commit()
    assert depot.path(digest).read_bytes() == content
    assert depot.used() == len(content)


def test_a_file_is_moved_in(depot, tmp_path):
    content = b"arrived"
    digest = digest_of(content)
    path = depot.partial(digest)
    path.write_bytes(b"damaged")
    with pytest.raises(Corrupt):
        depot.adopt(path, digest, ORIGIN, verify=True)
    assert path.exists()
    path.write_bytes(content)
    assert depot.adopt(path, digest, ORIGIN, verify=True).size == len(content)
    assert not path.exists()
    assert depot.has(digest)


def test_what_is_not_there(depot):
    digest = digest_of(b"no")
    assert not depot.has(digest)
    for call in (depot.size, depot.path, depot.open):
        with pytest.raises(NotFound) as caught:
            call(digest)
        assert caught.value.code == "blob_unknown"
    with pytest.raises(Invalid) as wrong:
        depot.partial(Digest("md5", "0" * 32))
    assert wrong.value.code == "digest_unsupported"
    with pytest.raises(Invalid):
        depot.open(store(depot, b"abc"), 4)


def test_the_quota_names_numbers_and_what_to_do(open_depot):
    depot = open_depot(quota=lambda: 1000)
    store(depot, b"a" * 800)
    with pytest.raises(Exhausted) as caught:
        store(depot, b"b" * 300)
    assert caught.value.code == "depot_full"
    assert caught.value.details == {"used": 800, "size": 300, "quota": 1000, "free": 800}
    assert "ferry depot gc" in caught.value.advice
    with pytest.raises(Exhausted):
        depot.writer(ORIGIN, size=201)
    store(depot, b"a" * 800)
    assert depot.used() == 800
    assert not list((depot.folder / "uploads").iterdir())
    assert depot.gc(grace=0, now=4e9).blobs == 1
    put_image(depot, "a", "big", b"c" * 400)
    with pytest.raises(Exhausted) as named:
        depot.writer(ORIGIN, size=900)
    assert named.value.details["free"] == 0
    assert "a:big" in named.value.advice


def test_two_at_once_bring_the_same(depot, open_depot):
    other = open_depot()
    content = b"same" * 100_000
    both = threading.Barrier(2)
    failed = []

    def bring(where):
        try:
            both.wait()
            for _ in range(10):
                store(where, content)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=bring, args=(where,)) for where in (depot, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert depot.used() == len(content)
    assert depot.path(digest_of(content)).read_bytes() == content


def test_a_hold_is_one_holders(depot, open_depot, clock):
    there, not_there = store(depot, b"there"), digest_of(b"not there")
    hold = depot.begin("job:1", 60)
    assert hold.keep([there, not_there]) == {there}
    later = open_depot().begin("job:1", 60)
    with pytest.raises(Conflict) as caught:
        hold.keep([there])
    assert caught.value.code == "hold_lost"
    hold.release()
    assert depot.gc(clock.at, 0).blobs == 0
    later.release()
    later.release()
    assert depot.gc(clock.at, 0).blobs == 1
    for name, seconds in (("", 60), ("a\nb", 60), ("x" * 201, 60), ("job", 0), ("job", 1e9)):
        with pytest.raises(Invalid, match=r"hold"):
            depot.begin(name, seconds)


def test_a_generation_changes_with_every_change_of_a_reference(depot, open_depot):
    other = open_depot()
    seen = [other.generation()]
    made = put_image(depot, "a/b", "1", b"layer")
    seen.append(other.generation())
    depot.tag("a/b", made.digest, "2", ORIGIN)
    seen.append(other.generation())
    depot.untag("a/b", "2", ORIGIN)
    seen.append(other.generation())
    depot.link_blob("c", digest_of(b"layer"))
    seen.append(other.generation())
    depot.delete_manifest("a/b", made.digest, ORIGIN)
    seen.append(other.generation())
    assert len(set(seen)) == len(seen)
    assert other.generation() == depot.generation()

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ferryman.core.errors import Corrupt, Denied, NotFound, Unavailable
from ferryman.depot.copying.asking import plan_of
from ferryman.depot.copying.gather import Gathered, Gatherer
from ferryman.depot.copying.meter import Item, ItemState, Meter, Stopped
from ferryman.depot.copying.model import BlobStep, Choice, Place, Plan, Wish
from ferryman.depot.copying.movers import Direct
from ferryman.depot.copying.run import Outcome, Runner, pause_after
from ferryman.oci.manifest import Manifest, Platform
from tests.unit.depot.copying.memory import Ends, MemoryRegistry, digest_of

AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")
ALL = Choice()
LAYER, OTHER = b"a layer of some bytes", b"another layer"


class Copy:
    def __init__(self, *, sparse: bool = False, mounts: bool = True) -> None:
        self.source = MemoryRegistry("docker://from")
        self.target = MemoryRegistry("docker://to", sparse=sparse, mounts=mounts)
        self.ends = Ends(self.source, self.target)
        self.meter = Meter()
        self.said: list[str] = []

    def wish(self, name: str, tag: str | None = "1", *, flat: bool = False) -> Wish:
        return Wish(name, self.source.place(name), "1", self.target.place(f"new/{name}"), tag, flat)

    def gather(self, wishes: list[Wish], choice: Choice = ALL) -> Gathered:
        with ThreadPoolExecutor(2) as pool:
            return Gatherer(self.ends, choice, pool).gather(wishes)

    def plan(self, *names: str, choice: Choice = ALL) -> Plan:
        found = self.gather([self.wish(name) for name in names], choice)
        assert not found.failed
        with ThreadPoolExecutor(2) as pool:
            return plan_of(found.images, self.ends, pool)

    def run(self, plan: Plan) -> Outcome:
        mover = Direct(self.ends, self.ends)
        return Runner(
            plan, self.ends, mover, self.meter, threads=3, log=lambda _, text: self.said.append(text)
        ).run()

    def both(self, name: str) -> Manifest:
        children: list[tuple[Manifest, Platform | None]] = [
            (self.source.image(name, [LAYER], salt="amd"), AMD),
            (self.source.image(name, [OTHER], salt="arm"), ARM),
        ]
        return self.source.index(name, children, tag="1")


def again() -> Unavailable:
    return Unavailable("registry_busy", "The registry is busy.", retry_after=0.0)


def test_a_failure_of_the_other_side_is_tried_again() -> None:
    copy = Copy()
    root = copy.source.image("a", [LAYER], tag="1")
    copy.source.failing[digest_of(LAYER)] = [again(), again()]
    copy.target.failing[root.digest] = [again()]
    outcome = copy.run(copy.plan("a"))
    assert not outcome.failed
    assert copy.target.repository("new/a").tags == {"1": root.digest}
    assert len(copy.said) == 3


def test_what_fails_for_one_image_does_not_stop_the_others() -> None:
    copy = Copy()
    bad, good = copy.source.image("bad", [OTHER], tag="1"), copy.source.image("good", [LAYER], tag="1")
    copy.source.repository("bad").blobs.remove(digest_of(OTHER))
    outcome = copy.run(copy.plan("bad", "good"))
    assert [(one.image.root, type(one.error)) for one in outcome.images] == [
        (bad.digest, NotFound),
        (good.digest, type(None)),
    ]
    assert "new/bad" not in copy.target.repositories or not copy.target.repository("new/bad").tags
    assert copy.target.repository("new/good").tags == {"1": good.digest}
    assert [item.state for item in copy.meter.items() if item.name == str(digest_of(OTHER))] == [
        ItemState.FAILED
    ]


def test_a_parent_fails_with_its_child() -> None:
    copy = Copy()
    root = copy.both("a")
    copy.source.repository("a").blobs.remove(digest_of(OTHER))
    (ended,) = copy.run(copy.plan("a")).images
    assert isinstance(ended.error, NotFound)
    assert root.digest not in copy.target.repository("new/a").manifests


def test_a_blob_that_is_wrong_twice_is_corrupt() -> None:
    copy = Copy()
    copy.source.image("a", [LAYER], tag="1")
    copy.source.content[digest_of(LAYER)] = b"something else"
    (ended,) = copy.run(copy.plan("a")).images
    assert isinstance(ended.error, Corrupt)


def test_another_source_gives_what_the_first_has_lost() -> None:
    copy = Copy()
    for name in "ab":
        copy.source.image(name, [LAYER], tag="1")
    copy.source.repository("a").blobs.remove(digest_of(LAYER))
    assert not copy.run(copy.plan("a", "b")).failed


def test_a_target_without_mounts_is_sent_the_bytes() -> None:
    copy = Copy(mounts=False)
    for name in "ab":
        copy.source.image(name, [LAYER], tag="1")
    plan = copy.plan("a", "b")
    assert not copy.run(plan).failed
    assert copy.target.sent == 2 * plan.to_move


def test_one_platform_keeps_the_index_where_the_target_allows() -> None:
    copy = Copy(sparse=True)
    root = copy.both("a")
    (ended,) = copy.run(copy.plan("a", choice=Choice((AMD,)))).images
    assert ended.error is None
    assert ended.instead is None
    there = copy.target.repository("new/a")
    assert there.tags == {"1": root.digest}
    assert there.manifests[root.digest].raw == root.raw
    assert digest_of(OTHER) not in there.blobs


def test_one_platform_takes_the_tag_where_the_target_wants_whole_indexes() -> None:
    copy = Copy()
    root = copy.both("a")
    (ended,) = copy.run(copy.plan("a", choice=Choice((ARM,)))).images
    assert ended.error is None
    assert ended.instead == root.children[1].digest
    assert copy.target.repository("new/a").tags == {"1": root.children[1].digest}
    assert any("takes no index without all its platforms" in text for text in copy.said)


def test_what_is_missing_of_an_index_comes_later() -> None:
    copy = Copy(sparse=True)
    copy.both("a")
    copy.run(copy.plan("a", choice=Choice((AMD,))))
    plan = copy.plan("a")
    assert plan.to_move > 0
    assert not copy.run(plan).failed
    assert digest_of(OTHER) in copy.target.repository("new/a").blobs
    assert copy.plan("a").nothing


def test_a_flat_target_takes_the_image_of_the_platform() -> None:
    copy = Copy()
    root = copy.both("a")
    found = copy.gather([copy.wish("a", flat=True)], Choice((AMD,), referrers=False))
    assert [image.root for image in found.images] == [root.children[0].digest]
    refused = copy.gather([copy.wish("a", flat=True)], Choice())
    assert [error.code for _, error in refused.failed] == ["one_platform_only"]


def test_a_platform_that_is_not_there_is_said() -> None:
    copy = Copy()
    copy.both("a")
    found = copy.gather([copy.wish("a")], Choice((Platform("linux", "s390x"),)))
    assert [error.code for _, error in found.failed] == ["platform_missing"]


def test_a_stop_ends_it_at_the_next_piece() -> None:
    copy = Copy()
    copy.source.image("a", [LAYER * 1000], tag="1")
    plan = copy.plan("a")

    class Waiting(Direct):
        def move(self, step: BlobStep, place: Place, item: Item) -> None:
            copy.meter.stop()
            super().move(step, place, item)

    runner = Runner(plan, copy.ends, Waiting(copy.ends, copy.ends), copy.meter, threads=2)
    with pytest.raises(Stopped):
        runner.run()
    assert not copy.target.repository("new/a").tags
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("copy")]


def test_a_mistake_of_ours_is_raised() -> None:
    copy = Copy()
    copy.source.image("a", [LAYER], tag="1")

    class Broken(Direct):
        def move(self, step: BlobStep, place: Place, item: Item) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Runner(copy.plan("a"), copy.ends, Broken(copy.ends, copy.ends), copy.meter).run()


def test_pauses_grow_unless_the_other_side_says() -> None:
    plain = Unavailable("x", "x")
    assert [pause_after(plain, number) for number in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert pause_after(Unavailable("x", "x", retry_after=7), 1) == 7
    assert pause_after(Unavailable("x", "x", retry_after=4000), 1) == 60
    assert pause_after(Denied("x", "x"), 2) == 2.0

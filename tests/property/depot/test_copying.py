"""Whatever is asked for and whatever is there: each blob goes once, in order, and afterwards nothing is left to do."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ferryman.depot.copying.asking import plan_of
from ferryman.depot.copying.gather import Gatherer
from ferryman.depot.copying.meter import Meter
from ferryman.depot.copying.model import Choice, How, Plan, Wish
from ferryman.depot.copying.movers import Direct
from ferryman.depot.copying.run import Runner
from ferryman.oci.manifest import Manifest, Platform
from tests.unit.depot.copying.memory import Ends, MemoryRegistry

AMD = Platform("linux", "amd64")
ARM = Platform("linux", "arm64", "v8")
LAYERS = [bytes([number]) * (10 * number + 3) for number in range(8)]


@dataclass
class Case:
    source: MemoryRegistry
    target: MemoryRegistry
    wishes: list[Wish]
    choice: Choice
    mounts: bool

    def plan(self) -> Plan:
        ends = Ends(self.source, self.target)
        with ThreadPoolExecutor(3) as pool:
            gathered = Gatherer(ends, self.choice, pool).gather(self.wishes)
            assert not gathered.failed
            return plan_of(gathered.images, ends, pool, mounts=self.mounts)

    def run(self, plan: Plan) -> Meter:
        ends, meter = Ends(self.source, self.target), Meter()
        outcome = Runner(plan, ends, Direct(ends, ends), meter, threads=3).run()
        assert not outcome.failed, [one.error for one in outcome.failed]
        return meter


@st.composite
def cases(draw: st.DrawFn) -> Case:
    source = MemoryRegistry("docker://from")
    same = draw(st.booleans()) and draw(st.booleans())
    target = source if same else MemoryRegistry("docker://to", sparse=draw(st.booleans()))
    target.mounts = draw(st.booleans()) or draw(st.booleans())
    target.sparse = True
    layers = st.lists(st.sampled_from(LAYERS), max_size=4)
    wishes = []
    for number in range(draw(st.integers(1, 4))):
        repository = draw(st.sampled_from(["a/x", "a/y", "b"]))
        root = _make(draw, source, repository, layers, number)
        wishes.append(
            Wish(
                f"image {number}",
                source.place(repository),
                f"t{number}",
                target.place(draw(st.sampled_from(["new/x", "new/y", repository + "2"]))),
                draw(st.sampled_from([f"t{number}", f"t{number}", None])),
            )
        )
        assert source.repository(repository).tags[f"t{number}"] == root.digest
    for layer in draw(st.lists(st.sampled_from(LAYERS), max_size=3)):
        target.blob(draw(st.sampled_from(["new/x", "new/y", "elsewhere"])), layer)
    platforms = draw(st.sampled_from([None, None, (AMD,), (AMD, ARM)]))
    choice = Choice(platforms, draw(st.booleans()))
    return Case(source, target, wishes, choice, draw(st.booleans()))


def _make(
    draw: st.DrawFn,
    source: MemoryRegistry,
    repository: str,
    layers: st.SearchStrategy[list[bytes]],
    number: int,
) -> Manifest:
    tag = f"t{number}"
    if draw(st.booleans()):
        root = source.image(repository, draw(layers), tag=tag, salt=draw(st.sampled_from("ab")))
    else:
        both: list[tuple[Manifest, Platform | None]] = [
            (source.image(repository, draw(layers), salt=str(platform)), platform) for platform in (AMD, ARM)
        ]
        root = source.index(repository, both, tag=tag)
    for _ in range(draw(st.integers(0, 2))):
        signature = source.image(repository, draw(layers), subject=root, salt="signature")
        if draw(st.booleans()):
            source.image(repository, draw(layers), subject=signature, salt="of a signature")
    if draw(st.booleans()):
        source.image(repository, draw(layers), tag=f"sha256-{root.digest.hex}.sig", salt="cosign")
    return root


@given(cases())
def test_a_plan_moves_each_blob_once_and_in_order(case: Case) -> None:
    plan = case.plan()
    moved = [(step.first.registry, step.blob.digest) for step in plan.blobs if step.how is How.MOVE]
    if case.mounts:
        assert len(moved) == len(set(moved))
    assert plan.to_move == sum(step.blob.size for step in plan.blobs if step.how is How.MOVE)
    put = {(step.target, step.manifest.digest): at for at, step in enumerate(plan.manifests)}
    assert len(put) == len(plan.manifests)
    for (place, digest), at in put.items():
        step = plan.manifests[at]
        assert all(put[place, child] < at for child in step.children)
        assert step.manifest.digest == digest
    assert case.plan() == plan


@given(cases())
def test_afterwards_all_is_there_and_nothing_is_left_to_do(case: Case) -> None:
    plan = case.plan()
    before = case.target.sent
    meter = case.run(plan)
    home = case.target.repositories
    for image in plan.images:
        there = home[image.target.repository]
        for manifest in image.manifests:
            assert there.manifests[manifest.digest].raw == manifest.raw
        for digest, tags in image.more.items():
            assert all(there.tags[tag] == digest for tag in tags)
    for wish, image in zip(case.wishes, plan.images, strict=True):
        later = [w for w in case.wishes if (w.target, w.tag) == (wish.target, wish.tag)]
        if wish.tag and later[-1] is wish:
            assert home[wish.target.repository].tags[wish.tag] == image.root
    if case.target.mounts and case.mounts:
        assert case.target.sent - before == plan.to_move
    view = meter.view()
    assert view.disk == view.total
    assert view.items_done == view.items_total
    again = case.plan()
    assert again.nothing
    assert again.to_move == 0
    assert not again.manifests

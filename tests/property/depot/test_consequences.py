"""What goes with what: nothing that something else needs, and nothing is left over."""

from hypothesis import given
from hypothesis import strategies as st

from ferryman.depot.consequences import Graph, removed_with, subject_of, untagged

DIGESTS = [f"sha256:{number:064x}" for number in range(8)]


@st.composite
def graphs(draw):
    there = draw(st.lists(st.sampled_from(DIGESTS), unique=True, min_size=1))
    places = {digest: place for place, digest in enumerate(there)}
    children, subjects = {}, {}
    for digest in there:  # what is named came before: digests make no circles
        before = [other for other in there if places[other] < places[digest]]
        if before and draw(st.booleans()):
            children[digest] = draw(st.lists(st.sampled_from(before), unique=True))
        if before and draw(st.booleans()):
            subjects[digest] = draw(st.sampled_from(before))
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True))
    tags = {name: draw(st.sampled_from(there)) for name in names}
    for digest in draw(st.lists(st.sampled_from(there), unique=True)):
        tags[digest.replace(":", "-") + ".sig"] = draw(st.sampled_from(there))
    return Graph(dict.fromkeys(there, 0.0), subjects, children, tags)


@given(graphs(), st.data())
def test_what_stays_is_whole(graph, data):
    chosen = data.draw(st.lists(st.sampled_from(sorted(graph.tags)), unique=True)) if graph.tags else []
    tags, manifests = removed_with(graph, chosen)
    assert set(chosen) <= set(tags)
    left_tags = {tag: digest for tag, digest in graph.tags.items() if tag not in tags}
    left = set(graph.manifests) - set(manifests)
    assert set(left_tags.values()) <= left
    for parent in left:
        assert set(graph.children.get(parent, ())) & set(graph.manifests) <= left
    for tag in set(tags) - set(chosen):  # other tags go only with what they are about or name
        assert subject_of(tag) in manifests


@given(graphs())
def test_removing_all_tags_leaves_only_what_never_had_one(graph):
    _, manifests = removed_with(graph, list(graph.tags))
    left = set(graph.manifests) - set(manifests)
    needed = set(graph.tags.values())
    assert not any(
        digest in left and digest in needed and digest not in graph.subjects and not graph.parents.get(digest)
        for digest in graph.manifests
    )


@given(graphs(), st.data())
def test_what_is_spared_stays(graph, data):
    spared = data.draw(st.lists(st.sampled_from([*graph.manifests, *graph.tags]), unique=True))
    tags, manifests = removed_with(graph, list(graph.tags), list(graph.manifests), spared=spared)
    assert not set(spared) & {*tags, *manifests}


@given(graphs())
def test_untagged_is_what_nothing_names(graph):
    found = untagged(graph, 1.0)
    assert not set(found) & set(graph.tags.values())
    tags, manifests = removed_with(graph, [], found)
    assert set(found) <= set(manifests)
    assert untagged(graph, -1.0) == []
    assert all(subject_of(tag) in manifests for tag in tags)

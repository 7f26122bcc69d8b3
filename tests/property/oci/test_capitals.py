"""Whatever a model is called, its repository is one by the grammar, and its own."""

from hypothesis import given
from hypothesis import strategies as st

from ferryman.oci.capitals import lowered, spelled
from ferryman.oci.reference import check_repository

PARTS = st.builds(
    "".join,
    st.tuples(
        st.text("aAbBzZ19", min_size=1, max_size=8),
        st.sampled_from(["", "-A", "_b", ".C9", "--cap-1", "--cap-0", "--CAP-3--cap-0", "--cap-01"]),
    ),
)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@given(NAMES)
def test_a_name_comes_back_and_its_repository_is_legal(name):
    repository = lowered(name)
    if len(repository) <= 255:
        assert check_repository(repository) == repository
    assert repository == repository.lower()
    assert spelled(repository) == name
    assert repository.count("/") == name.count("/")


@given(NAMES, NAMES)
def test_two_names_are_two_repositories(one, other):
    assert (lowered(one) == lowered(other)) == (one == other)


@given(NAMES.map(str.lower).filter(lambda name: "--cap-" not in name))
def test_names_without_capitals_stay(name):
    assert lowered(name) == spelled(name) == name


@given(st.text(max_size=80))
def test_anything_is_read_without_harm(text):
    spelled(text)
    lowered(text)
    spelled(f"{text}--cap-{'f' * 60}")

"""Whatever a client writes into its headers: a range lies inside of the content, and paths never break."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from ferryman.registry.ranges import Unsatisfiable, chunk, wanted
from ferryman.registry.routes import Query, route_of

NUMBER = st.one_of(st.just(""), st.integers(0, 1 << 40).map(str))


@given(first=NUMBER, last=NUMBER, size=st.integers(0, 1 << 40))
def test_a_range_lies_inside(first: str, last: str, size: int):
    try:
        found = wanted(f"bytes={first}-{last}", size)
    except Unsatisfiable:
        return
    if found is not None:
        begin, length = found
        assert 0 <= begin < begin + length <= size
        assert not first or begin == int(first)
        assert not (first and last) or length <= int(last) - int(first) + 1


@given(st.text(max_size=60), st.integers(0, 1000))
def test_any_header_is_a_range_or_none(header: str, size: int):
    for text in (header, f"bytes={header}"):
        with contextlib.suppress(Unsatisfiable):
            wanted(text, size)
    found = chunk(header)
    assert found is None or found[1] > 0


@given(st.integers(0, 1 << 60), st.integers(1, 1 << 60))
def test_a_chunk_is_read_as_it_was_written(first: int, length: int):
    text = f"{first}-{first + length - 1}"
    assert chunk(text) == ((first, length) if len(str(first + length - 1)) <= 19 else None)


@given(st.text(st.sampled_from("ab/:._%-v2?\u00e4"), max_size=40), st.binary(max_size=60))
def test_any_path_and_query_is_read(path: str, query: bytes):
    route = route_of(f"/v2/{path}")
    assert route is None or f"/v2/{route.repository}" in f"/v2/{path}"
    Query(query).one("n")

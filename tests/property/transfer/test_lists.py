"""Whatever is pasted, a list gives checked entries and named lines; what we write we can read."""

from itertools import pairwise
from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.digests import HEX_LENGTHS, Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.links import read_link
from ferryman.transfer.listing import Entry, read_list
from ferryman.transfer.patterns import MOST, read_pattern

hostile = st.text(st.characters(), max_size=120)
pieces = st.sampled_from([
    "http://h/", "https://u:p@h/x", "[1-3]", "[01-10:3]", "{a,b}", "[a-c]", "\\[", "\\", "[::1]", "{x}", " ", "\t", "\n", "\n  ",
    "out=n", "out=#1", "dir=d", "header=A:b", "checksum=md5:0", "sha256:" + "a" * 64, "b" * 64, "c" * 32, "base=http://b/",
    "ferry://add?url=http://l/x", "ferry:http://l/y", "magnet:?x", "#", "../", "\ufeff", "\x00", "[0-999999999]",
])  # fmt: skip
lists = st.lists(st.one_of(pieces, hostile), max_size=25).map("".join)


@given(lists, st.sampled_from([None, "https://base/d", "https://base/SHA256SUMS"]))
@settings(max_examples=200, deadline=None)
def test_a_list_never_breaks(text: str, base: str | None):
    reading = read_list(text, base, most=500)
    lines = len(text.lstrip("\ufeff").splitlines())
    assert len(reading.entries) <= 500
    for entry in reading.entries:
        assert 1 <= entry.line <= lines
        assert entry.sources
        assert all("@" not in source.url.split("/")[2] for source in entry.sources)
    for problem in reading.problems:
        assert 1 <= problem.line <= lines
        assert problem.error.message
        assert problem.error.advice
    assert all(2 <= one.count <= MOST for one in reading.patterns)


@given(st.lists(st.one_of(pieces, hostile), max_size=8).map("".join))
@settings(deadline=None)
def test_a_pattern_is_its_first_last_and_count(text: str):
    try:
        pattern = read_pattern(text, most=300)
    except Invalid:
        return
    every = [*pattern]
    assert len(every) == pattern.count
    assert (every[0], every[-1]) == (pattern.first, pattern.last)


@given(hostile)
def test_what_is_escaped_is_only_text(text: str):
    escaped = "".join(f"\\{char}" if char in "\\[]{}" else char for char in text)
    assert [*read_pattern(escaped)] == [text]


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 60), st.integers(1, 6))
def test_numbers_are_even_steps(low: int, high: int, step: int, width: int):
    found = [int(one) for one in read_pattern(f"[{low:0{width}d}-{high:0{width}d}:{step}]")]
    assert found[0] == low
    assert all(abs(right - left) == step for left, right in pairwise(found))
    assert abs(high - found[-1]) < step


@given(st.lists(hostile.filter(bool), min_size=1, max_size=4), hostile, hostile)
def test_links_carry_every_text(urls: list[str], checksum: str, out: str):
    try:
        query = urlencode([("url", url) for url in urls] + [("checksum", checksum), ("out", out)])
    except UnicodeEncodeError:  # a lone surrogate
        return
    try:
        link = read_link(f"ferry://add?{query}")
    except Invalid:
        assert any(url.lower().startswith(("ferry:", "web+ferry:")) for url in urls)
        return
    assert link.urls == tuple(urls)
    assert (link.checksum, link.out) == (checksum or None, out or None)


names = st.from_regex(r"[a-z][a-z0-9._-]{0,12}", fullmatch=True)
digests = st.sampled_from(sorted(HEX_LENGTHS)).flatmap(
    lambda name: st.text("0123456789abcdef", min_size=HEX_LENGTHS[name], max_size=HEX_LENGTHS[name]).map(
        lambda text: Digest(name, text)
    )
)
entries = st.tuples(
    st.lists(names, min_size=1, max_size=3), st.none() | digests, st.none() | names, st.none() | names
)


def said(entry: Entry) -> tuple[object, ...]:
    return [source.path[1:] for source in entry.sources], entry.checksum, entry.out, entry.folder


@given(st.lists(entries, max_size=8), st.booleans(), st.booleans())
def test_what_is_written_is_read(
    files: list[tuple[list[str], Digest | None, str | None, str | None]], below: bool, first: bool
):
    lines = []
    for paths, digest, out, folder in files:
        words = [f"http://h/{path}" for path in paths]
        words.insert(0 if first else len(words), str(digest)) if digest else None
        options = [f"{key}={value}" for key, value in (("out", out), ("dir", folder)) if value]
        lines.append(("\n  " if below else " ").join([" ".join(words), *options]))
    reading = read_list("\n\n# between\n".join(lines))
    assert not reading.problems
    assert [said(entry) for entry in reading.entries] == [tuple(file) for file in files]

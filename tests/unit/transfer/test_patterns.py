"""Addresses that stand for many, and links of other programs."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.transfer.links import Link, is_link, read_link
from ferryman.transfer.patterns import read_pattern


@pytest.mark.parametrize(("text", "count", "first", "last"), [
    ("http://h/f-[001-100].zip", 100, "http://h/f-001.zip", "http://h/f-100.zip"),
    ("http://h/[8-11]", 4, "http://h/8", "http://h/11"),
    ("http://h/[0-100:10]", 11, "http://h/0", "http://h/100"),
    ("http://h/[0-9:4]", 3, "http://h/0", "http://h/8"),
    ("http://h/[3-1]", 3, "http://h/3", "http://h/1"),
    ("http://h/[1-010]", 10, "http://h/001", "http://h/010"),
    ("http://h/[a-f]", 6, "http://h/a", "http://h/f"),
    ("http://h/[a-e:2]", 3, "http://h/a", "http://h/e"),
    ("http://{one,two}.h/x", 2, "http://one.h/x", "http://two.h/x"),
    ("http://h/x{,.sig}", 2, "http://h/x", "http://h/x.sig"),
    ("http://h/[1-2]{a,b}", 4, "http://h/1a", "http://h/2b"),
    ("http://[::1]/x", 1, "http://[::1]/x", "http://[::1]/x"),
    ("http://[fe80::1-2]:80/[1]", 1, "http://[fe80::1-2]:80/[1]", "http://[fe80::1-2]:80/[1]"),
    ("http://h/{alone}?q=[x]", 1, "http://h/{alone}?q=[x]", "http://h/{alone}?q=[x]"),
    (r"http://h/\[1-3\]\{a,b\}\\", 1, "http://h/[1-3]{a,b}\\", "http://h/[1-3]{a,b}\\"),
])  # fmt: skip
def test_patterns(text, count, first, last):
    pattern = read_pattern(text)
    assert (pattern.count, pattern.first, pattern.last) == (count, first, last)
    every = [*pattern]
    assert (every[0], every[-1]) == (first, last)
    assert len(set(every)) == count


def test_the_last_choice_changes_fastest():
    assert [*read_pattern("[1-2]{a,b}")] == ["1a", "1b", "2a", "2b"]


def test_too_many_says_how_many_and_which():
    with pytest.raises(Invalid) as caught:
        read_pattern("http://h/[0001-9999][0-9]")
    assert caught.value.code == "pattern_too_many"
    for said in ("99,990", "http://h/00010", "http://h/99999"):
        assert said in caught.value.message
    with pytest.raises(Invalid, match="very many"):
        read_pattern("[0-999999999]" * 500)
    with pytest.raises(Invalid) as caught:
        read_pattern("http://maria:hunter2@h/[0-99999]")
    assert "hunter2" not in caught.value.message


def test_a_step_of_nothing():
    with pytest.raises(Invalid) as caught:
        read_pattern("http://h/[1-5:0]")
    assert caught.value.code == "pattern_invalid"


@pytest.mark.parametrize(("text", "link"), [
    ("ferry:https://h/a%20b?c=d&e", Link(("https://h/a%20b?c=d&e",))),
    ("FERRY:https%3A%2F%2Fh%2Fx", Link(("https://h/x",))),
    ("web+ferry:http://h/x", Link(("http://h/x",))),
    ("ferry://add?url=https%3A%2F%2Fh%2Fx%3Fa%3Db", Link(("https://h/x?a=b",))),
    ("ferry://add/?url=http://a/x&url=http://b/x&checksum=sha256:00&out=n%20m", Link(("http://a/x", "http://b/x"), "sha256:00", "n m")),
])  # fmt: skip
def test_links(text, link):
    assert is_link(text)
    assert read_link(text) == link


@pytest.mark.parametrize("text", [
    "ferry:", "ferry://", "ferry://add", "ferry://add?url=", "ferry://start?url=http://h/x", "ferry://add/x?url=http://h/x",
    "ferry://add?url=http://h/x&headers=Cookie:%20a", "ferry://add?url=http://h/x&folder=..", "ferry://add?url=ferry:http://h/x",
    "http://h/x", "ferry:" + "x" * 20_000, "ferry://add?" + "url=x&" * 60, "ferry://[::1?url=x",
])  # fmt: skip
def test_links_that_are_none(text):
    with pytest.raises(Invalid) as caught:
        read_link(text)
    assert caught.value.code == "link_invalid"
    assert len(caught.value.message) < 300

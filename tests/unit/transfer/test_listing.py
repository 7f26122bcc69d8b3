"""Lists of things to fetch."""

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.listing import parse_list

SUM = "a" * 64


def test_our_form():
    text = f"# comment\n\nhttps://h/a.iso sha256:{SUM}\nhttps://one/b https://two/b out=c.iso\n"
    first, second = parse_list(text)
    assert (first.line, first.sources[0].url, first.checksum) == (3, "https://h/a.iso", Digest("sha256", SUM))
    assert [source.host for source in second.sources] == ["one", "two"]
    assert (second.out, second.checksum, second.folder) == ("c.iso", None, None)


def test_the_form_of_aria2():
    text = (
        f"https://one/a\thttps://two/a\r\n  out=x.iso\r\n  dir=sub\r\n  checksum=sha-256={SUM}\r\n"
        "  header=X-A: 1\n  header=X-B: 2\nhttp://h/b"
    )
    first, second = parse_list(text)
    assert len(first.sources) == 2
    assert (first.out, first.folder) == ("x.iso", "sub")
    assert first.checksum == Digest("sha256", SUM)
    assert first.headers == (("X-A", "1"), ("X-B", "2"))
    assert second.headers == ()


def test_names_with_spaces_stand_on_their_own_line():
    assert parse_list("https://h/a\n out=two words.iso")[0].out == "two words.iso"


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "list_empty", ""),
        ("# only\n\n", "list_empty", ""),
        ("https://h/a\nfoo\n", "list_line", "Line 2"),
        ("https://h/a sha256:12\n", "list_line", "Line 1"),
        (" out=x\nhttps://h/a", "list_line", "Line 1"),
        ("https://h/a\n  split=5\n", "list_line", "split=5"),
        ("https://h/a\n  out=\n", "list_line", "Line 2"),
        ("https://h/a\n  header=Range: bytes=0-\n", "list_line", "Range"),
        (f"sha256:{SUM}", "list_line", "no URL"),
        ("file:///etc/passwd", "list_line", "file"),
    ],
)
def test_bad_lines_are_named(text: str, code: str, says: str):
    with pytest.raises(Invalid) as refused:
        parse_list(text)
    assert refused.value.code == code
    assert says in refused.value.message
    assert refused.value.advice

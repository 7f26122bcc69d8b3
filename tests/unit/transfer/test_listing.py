"""Lists of things to fetch."""

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.listing import parse_list, read_list

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


BASE = "https://h/d/"


@pytest.mark.parametrize(("line", "url"), [
    (f"{SUM}  x y.iso", f"{BASE}x%20y.iso"),
    (f"{SUM} *x.iso", f"{BASE}x.iso"),
    (f"{SUM}  ./sub/x#1.iso", f"{BASE}sub/x%231.iso"),
    (f"SHA256 (x.iso) = {SUM}", f"{BASE}x.iso"),
    (f"{SUM} https://i/x", "https://i/x"),
    (f"https://i/x {SUM.upper()}", "https://i/x"),
    (f"sha256:{SUM} https://i/x", "https://i/x"),
    (f"https://i/x sha-256:{SUM}", "https://i/x"),
])  # fmt: skip
def test_checksums_beside_names_and_addresses(line, url):
    for base in ("https://h/d", "https://h/d/", "https://h/d/SHA256SUMS", "https://h/d/x.sha256"):
        (entry,) = parse_list(line, base)
        assert (entry.sources[0].url, entry.checksum) == (url, Digest("sha256", SUM))


def test_a_base_in_the_list_holds_until_the_next():
    one, two = parse_list(f"base=https://h/a\n{SUM}  x\nbase=https://h/b\n{SUM}  sub/x")
    assert [entry.sources[0].url for entry in (one, two)] == ["https://h/a/x", "https://h/b/sub/x"]
    assert (one.folder, two.folder) == (None, "sub")


def test_names_without_a_base_ask_for_it():
    (problem,) = read_list(f"{SUM}  x.iso").problems
    assert problem.error.code == "list_base"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/../../b"])
def test_names_stay_below_the_base(name):
    reading = read_list(f"{SUM}  {name}", BASE)
    assert not reading.entries
    assert reading.problems[0].error.code == "path_escapes"


def test_patterns_stand_for_many_and_mirrors_go_along():
    reading = read_list("https://one/f[1-3] https://two/f[1-3] out=part-#1.bin dir=d#1\n")
    assert [[source.url for source in entry.sources] for entry in reading.entries] == [
        [f"https://one/f{n}", f"https://two/f{n}"] for n in (1, 2, 3)
    ]
    assert [(entry.out, entry.folder) for entry in reading.entries][1] == ("part-2.bin", "d2")
    assert (reading.patterns[0].count, reading.patterns[0].last) == (3, "https://one/f3")


@pytest.mark.parametrize(("line", "code"), [
    ("https://h/[1-3] https://i/[1-4]", "pattern_mirrors"),
    ("https://h/[1-3] https://i/x", "pattern_mirrors"),
    (f"https://h/[1-3] sha256:{SUM}", "checksum_of_many"),
    ("https://h/[1-3] out=x", "name_of_many"),
    ("https://h/[1-99999]", "pattern_too_many"),
    ("https://h{,:bad}/x", "url_invalid"),
    ("magnet:?xt=urn:btih:0", "url_scheme"),
    ("javascript:alert(1)", "url_scheme"),
    ("ferry://add?nothing", "link_invalid"),
    ("https://h/x checksum=sha256:1", "checksum_invalid"),
    ("base=nonsense", "url_scheme"),
    ("base=https://u:p@h/", "url_credentials"),
])  # fmt: skip
def test_a_wrong_line_adds_nothing_and_stops_nothing(line, code):
    reading = read_list(f"https://h/before\n{line}\nhttps://h/after")
    assert [entry.sources[0].path for entry in reading.entries] == ["/before", "/after"]
    assert [(one.line, one.error.code) for one in reading.problems] == [(2, code)]


def test_an_option_below_is_named_by_its_own_line():
    reading = read_list("https://h/x\n  out=a\n  split=5\nhttps://h/y")
    assert [(one.line, one.error.code) for one in reading.problems] == [(3, "option_unknown")]
    assert len(reading.entries) == 1


def test_lists_are_bounded():
    reading = read_list("\n".join(f"https://h/[1-{n}]" for n in (60, 30, 20, 1)), most=100)
    assert len(reading.entries) == 90
    assert reading.problems[-1].error.code == "list_too_long"
    wrong = read_list("x\n" * 5000).problems
    assert (len(wrong), wrong[-1].line, wrong[-1].error.code) == (1001, 1001, "list_too_wrong")


def test_links_in_lists():
    (entry,) = parse_list(f"ferry://add?url=https://h/x&url=https://i/x&checksum=sha256:{SUM}&out=y")
    assert [source.host for source in entry.sources] == ["h", "i"]
    assert (entry.checksum, entry.out) == (Digest("sha256", SUM), "y")


def test_passwords_do_not_come_back():
    reading = read_list("https://maria:hunter2@h:bad/x\nfoo://maria:hunter2@h/\n")
    assert len(reading.problems) == 2
    assert "hunter2" not in str([(one.text, one.error.message) for one in reading.problems])

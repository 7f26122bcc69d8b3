"""Headers people type."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.transfer.headers import parse_header, parse_headers


def test_good_ones():
    assert parse_header("X-Team:  storage ") == ("X-Team", "storage")
    assert parse_header("X-Empty:") == ("X-Empty", "")
    assert parse_headers(["A: 1", "B: x: y"]) == (("A", "1"), ("B", "x: y"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "header_invalid"),
        ("NoColon", "header_invalid"),
        (": value", "header_invalid"),
        ("Two Words: x", "header_invalid"),
        ("X-A: one\r\nX-B: two", "header_invalid"),
        ("X-A: one\nX-B: two", "header_invalid"),
        ("X-A\r\nX-B: two", "header_invalid"),
        ("X-A: nul\0", "header_invalid"),
        ("X-A: \x7f", "header_invalid"),
        ("X-A: €", "header_invalid"),
        ("X-Ä: x", "header_invalid"),
        ("X-A: " + "y" * 20_000, "header_invalid"),
        ("Range: bytes=0-1", "header_reserved"),
        ("content-length: 5", "header_reserved"),
        ("Transfer-Encoding: chunked", "header_reserved"),
        ("Host: other", "header_reserved"),
    ],
)
def test_bad_ones(text: str, code: str):
    with pytest.raises(Invalid) as refused:
        parse_header(text)
    assert refused.value.code == code
    assert refused.value.advice


def test_a_refused_value_is_not_repeated():
    with pytest.raises(Invalid) as refused:
        parse_header("Authorization: Bearer hunter2\r\nX: y")
    assert "hunter2" not in refused.value.message
    assert "Authorization" in refused.value.message

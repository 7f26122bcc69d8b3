"""netrc and cookies files."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.transfer.credentials import cookie_header, netrc_login, parse_cookies, read_cookies

NOW = 1_000.0
COOKIES = "\n".join(
    [
        "# Netscape HTTP Cookie File",
        "",
        "example.org\tFALSE\t/\tFALSE\t0\town\t1",
        ".example.org\tTRUE\t/\tFALSE\t2000\twide\t2",
        "#HttpOnly_" + ".example.org\tTRUE\t/deep\tTRUE\t0\tdeep\t3",
        "example.org\tFALSE\t/\tFALSE\t999\told\t4",
        "other.org\tTRUE\t/\tFALSE\t0\tother\t5",
        "example.org\tFALSE\t/\tFALSE\t0\tempty",
    ]
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org/", "own=1; wide=2; empty="),
        ("https://example.org/deep/x", "deep=3; own=1; wide=2; empty="),
        ("https://example.org/deeper", "own=1; wide=2; empty="),
        ("http://example.org/deep/x", "own=1; wide=2; empty="),
        ("http://sub.example.org/", "wide=2"),
        ("http://notexample.org/", None),
        ("http://other.org.evil.example/", None),
        ("http://EXAMPLE.org:8080/", "own=1; wide=2; empty="),
    ],
)
def test_cookies_go_only_where_they_belong(url: str, expected: str | None):
    assert cookie_header(parse_cookies(COOKIES), url, NOW) == expected


def test_cookie_values_are_not_shown():
    assert "value" not in repr(parse_cookies(COOKIES)[0])


@pytest.mark.parametrize(
    "line",
    [
        "just text",
        "a\tb\tc",
        "h\tTRUE\t/\tFALSE\tsoon\tn\tv",
        "h\tTRUE\t/\tFALSE\t0\tn\tv;x",
        "h\tT\t/\tF\t0\tn\tü",
    ],
)
def test_broken_cookies_files_name_the_line(line: str):
    with pytest.raises(Invalid) as refused:
        parse_cookies(f"# x\n{line}\n", "c.txt")
    assert refused.value.code == "cookies_invalid"
    assert "Line 2 of 'c.txt'" in refused.value.message


def test_a_missing_cookies_file(tmp_path):
    with pytest.raises(Invalid, match="cannot be read"):
        read_cookies(tmp_path / "none")


def test_netrc(tmp_path):
    file = tmp_path / "netrc"
    file.write_text("machine one.example login user password secret\ndefault login any password other\n")
    assert netrc_login("one.example", file) == ("user", "secret")
    assert netrc_login("two.example", file) == ("any", "other")


def test_netrc_without_default_or_file(tmp_path, monkeypatch):
    file = tmp_path / ".netrc"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert netrc_login("one.example") is None
    file.write_text("machine one.example login user password secret\n")
    file.chmod(0o600)
    assert netrc_login("one.example") == ("user", "secret")
    assert netrc_login("two.example") is None


def test_broken_netrc_names_the_line_and_no_secret(tmp_path):
    file = tmp_path / "netrc"
    file.write_text("machine a login b password hunter2\nwhat hunter2\n")
    with pytest.raises(Invalid) as refused:
        netrc_login("a", file)
    assert refused.value.code == "netrc_invalid"
    assert "hunter2" not in refused.value.message
    with pytest.raises(Invalid, match="cannot be read"):
        netrc_login("a", tmp_path / "none")

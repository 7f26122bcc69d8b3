"""Addresses people type."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.transfer.source import parse_source, without_credentials


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HTTP://ExAmple.com:80/a%20b?x=ü#f", "http://example.com/a%20b?x=%C3%BC"),
        ("https://h:8443", "https://h:8443/"),
        (" https://h/x \n", "https://h/x"),
        ("ftp://h/ü", "ftp://h/%C3%BC"),
        ("http://[::1]:8/x", "http://[::1]:8/x"),
        ("http://müller.de/", "http://xn--mller-kva.de/"),
        ("http://2852039166/", "http://169.254.169.254/"),
        ("http://0x7f.1:81/", "http://127.0.0.1:81/"),
        ("https://h/a?sig=a%2Fb%3D&x=[1]", "https://h/a?sig=a%2Fb%3D&x=[1]"),
        ("https://h./", "https://h./"),
    ],
)
def test_good_ones_are_normalised(text: str, url: str):
    assert parse_source(text).url == url


def test_credentials_move_out_of_the_url():
    source = parse_source("ftp://us%40er:p%3Ass@host:2121/file")
    assert (source.username, source.password, source.url) == ("us@er", "p:ss", "ftp://host:2121/file")
    assert "p:ss" not in repr(source)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "url_scheme"),
        ("foo", "url_scheme"),
        ("example.com/x", "url_scheme"),
        ("localhost:80/x", "url_scheme"),
        ("file:///etc/passwd", "url_scheme"),
        ("gopher://h/", "url_scheme"),
        ("javascript:alert(1)", "url_scheme"),
        ("http:///x", "url_host"),
        ("http://:80/", "url_host"),
        ("http://?x", "url_host"),
        ("http:/x", "url_invalid"),
        ("http:x", "url_invalid"),
        ("http://a b/", "url_invalid"),
        ("http://h/a\r\nX: y", "url_invalid"),
        ("http://h/a\0", "url_invalid"),
        ("http://h:99999/", "url_invalid"),
        ("http://h:0/", "url_invalid"),
        ("http://h:x/", "url_invalid"),
        ("http://[::1", "url_invalid"),
        ("http://[zz]/", "url_invalid"),
        ("http://-a/", "url_invalid"),
        ("http://a..b/", "url_invalid"),
        ("http://" + "a" * 64 + "/", "url_invalid"),
        ("http://h/" + "a" * 9000, "url_invalid"),
        ("http://@h/", "url_credentials"),
        ("http://u:a%0Ab@h/", "url_credentials"),
    ],
)
def test_bad_ones_say_what_is_wrong(text: str, code: str):
    with pytest.raises(Invalid) as refused:
        parse_source(text)
    assert refused.value.code == code
    assert refused.value.advice
    assert len(refused.value.message) < 300


def test_an_unknown_scheme_names_the_supported_ones():
    with pytest.raises(Invalid) as refused:
        parse_source("sftp://host/x")
    assert "'sftp'" in refused.value.message
    for scheme in ("http://", "https://", "ftp://"):
        assert scheme in refused.value.advice


@pytest.mark.parametrize(
    "text",
    ["http://user:hunter2@h:0/", "x://user:hunter2@h/", "http://u:hunter2%0a@h/", "http://u:hunter2@/"],
)
def test_no_message_shows_a_password(text: str):
    with pytest.raises(Invalid) as refused:
        parse_source(text)
    assert "hunter2" not in refused.value.message + refused.value.advice


def test_without_credentials():
    assert without_credentials("http://u:p@h/x@y") == "http://h/x@y"

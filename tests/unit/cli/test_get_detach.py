import pytest

from ferryman.cli.get_detach import lines_of, order_of
from ferryman.cli.get_words import read_words
from ferryman.core.errors import Invalid


def order(line):
    return order_of(read_words(line.split("|")))


def test_only_what_was_said_is_sent():
    assert order("http://h/x") == {"urls": ["http://h/x"]}


def test_everything_that_can_be_handed_over():
    words = "http://h/x|-o|a/b/c|-c|4|--limit|2MB/s|--overwrite|skip|-k|-H|A: b|--checksum|md5:1|--proxy|http://p:1|-u|m:pw"
    assert order(words) == {
        "urls": ["http://h/x"], "folder": "a/b", "name": "c", "connections": 4, "rate_limit": "2MB/s",
        "overwrite": "skip", "insecure": True, "headers": ["A: b"], "checksum": "md5:1", "proxy": "http://p:1",
        "username": "m", "password": "pw",
    }  # fmt: skip


def test_mirrors_are_on_the_line_of_their_file():
    assert order("http://a/x|--mirror|http://b/x")["urls"] == ["http://a/x http://b/x"]
    with pytest.raises(Invalid, match="2 files"):
        order("http://a/x|http://a/y|--mirror|http://b/x")


def test_a_folder_alone():
    assert order("http://h/x|-o|only/") == {"urls": ["http://h/x"], "folder": "only"}


@pytest.mark.parametrize("place", ["/tmp/x", "~/x"])
def test_the_daemon_writes_below_its_own_folder(place):
    with pytest.raises(Invalid) as caught:
        order(f"http://h/x|-o|{place}")
    assert caught.value.code == "detach_target"


def test_lists_become_lines():
    text = "\ufeff# comment\nhttp://h/x\n  out=y\n\thash=z\n\nhttp://h/z out=q\n"
    assert lines_of(text) == ["http://h/x out=y hash=z", "http://h/z out=q"]

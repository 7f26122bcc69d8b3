import pytest

from ferryman.cli.get import get
from ferryman.cli.get_detach import order_of
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


def test_lists_go_as_they_are(tmp_path):
    text = "# comment\nhttp://h/x\n  out=y\n\nhttp://h/[1-3] out=#1\n"
    (tmp_path / "list").write_text(text)
    assert order(f"-i|{tmp_path}/list|--base|http://h/") == {"text": text, "base": "http://h/"}


def test_the_files_of_a_metalink_are_entries(tmp_path):
    (tmp_path / "x.meta4").write_text(
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a/b"><size>3</size>'
        "<url>http://h/b</url></file></metalink>"
    )
    assert order(f"{tmp_path}/x.meta4") == {
        "entries": [{"urls": ["http://h/b"], "name": "b", "folder": "a", "size": 3}]
    }


def test_certificates_and_cookies_go_as_text(tmp_path):
    names = {"cacert": "ca", "cert": "client_cert", "key": "client_key", "cookies": "cookies"}
    for option in names:
        (tmp_path / option).write_text(f"the {option}")
    words = "|".join(f"--{option}|{tmp_path}/{option}" for option in names)
    assert order(f"http://h/x|{words}") == {
        "urls": ["http://h/x"],
        **{field: f"the {option}" for option, field in names.items()},
    }
    with pytest.raises(Invalid) as caught:
        order(f"http://h/x|--key|{tmp_path}/missing")
    assert "--key" in caught.value.message


def test_its_place_in_the_queue_goes_along():
    words = "http://h/x|--priority|0|--category|music|--at|2099-01-02T03:04+00:00|--window|22:00-06:00"
    assert order(words) == {
        "urls": ["http://h/x"], "priority": 0, "category": "music", "not_before": "2099-01-02T03:04:00+00:00",
        "window": "22:00-06:00",
    }  # fmt: skip
    assert order("http://h/x|--category|") == {"urls": ["http://h/x"], "category": ""}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--priority|10", "priority_invalid"),
        ("--priority|-1", "priority_invalid"),
        ("--priority|", "priority_invalid"),
        ("--priority|\u0663", "priority_invalid"),
        ("--at|soon", "moment_invalid"),
    ],
)
def test_what_is_no_place_in_the_queue_is_refused(words, code):
    with pytest.raises(Invalid) as caught:
        order(f"http://h/x|{words}")
    assert caught.value.code == code


@pytest.mark.parametrize("option", ["--priority", "--category", "--at", "--window"])
def test_without_a_daemon_there_is_no_queue(option):
    with pytest.raises(Invalid) as caught:
        get(["http://h/x", option, "1"])
    assert caught.value.code == "usage"
    assert option in caught.value.message
    assert "--detach" in caught.value.advice
    assert option in caught.value.advice

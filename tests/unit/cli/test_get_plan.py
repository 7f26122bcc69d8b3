from pathlib import Path

import pytest

from ferryman.cli.get_plan import place_of, wishes_of
from ferryman.cli.get_words import Words
from ferryman.core.errors import Invalid
from ferryman.transfer.model import Options

HEX = "ab" * 32


def plan(*sources, fetch=None, options=None, **values):
    lists = {"mirror": list(values.pop("mirror", ()))}
    words = Words(tuple(sources), values, lists)
    return wishes_of(words, options or Options(), fetch or (lambda url, own: b""))


def test_the_server_names_the_file_unless_we_do(tmp_path):
    (unnamed,) = plan("http://h/x", output=f"{tmp_path}/")
    assert (unnamed.name, unnamed.folder) == (None, tmp_path)
    (named,) = plan("http://h/x", output=f"{tmp_path}/y")
    assert (named.name, named.folder) == ("y", tmp_path)


def test_places():
    assert place_of(None).folder == Path.cwd()
    assert place_of("a/b/").folder == Path.cwd() / "a/b"
    assert place_of("a/b").name == "b"
    assert place_of("/").name is None
    for wrong in ("", "-", "a\0b"):
        with pytest.raises(Invalid, match="cannot be written"):
            place_of(wrong)


def test_user_and_password_leave_the_address():
    (wish,) = plan("http://maria:p%40ss@h/x")
    assert wish.urls == ("http://h/x",)
    assert (wish.options.username, wish.options.password) == ("maria", "p@ss")
    assert "p@ss" not in wish.said + repr(wish.sources)


def test_user_and_password_do_not_go_to_other_mirrors():
    with pytest.raises(Invalid) as caught:
        plan("http://maria:secret@h/x", mirror=["http://other/x"])
    assert caught.value.code == "url_credentials"
    assert "secret" not in str(caught.value)
    (wish,) = plan("http://maria:secret@h/x", mirror=["http://h/y"])
    assert wish.urls == ("http://h/x", "http://h/y")


def test_a_metalink_elsewhere_gets_no_credentials_of_its_host(tmp_path):
    document = f"""<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a/b"><size>5</size>
<hash type="sha-256">{HEX}</hash><url>http://other/b</url></file></metalink>""".encode()
    asked = []

    def fetch(url, own):
        asked.append((url, own.username))
        return document

    options = Options(bearer="token", headers=(("Cookie", "a=b"), ("X-Team", "t")))
    (wish,) = plan("http://maria:secret@h/x.meta4", fetch=fetch, options=options, output=f"{tmp_path}/")
    assert asked == [("http://h/x.meta4", "maria")]
    assert (wish.options.username, wish.options.bearer) == (None, None)
    assert wish.options.headers == (("X-Team", "t"),)
    assert (wish.folder, wish.name, wish.size) == (tmp_path / "a", "b", 5)
    assert str(wish.checksum) == f"sha256:{HEX}"


def test_one_checksum_is_for_one_file():
    (wish,) = plan("http://h/x", checksum=f"sha256:{HEX}")
    assert str(wish.checksum) == f"sha256:{HEX}"
    with pytest.raises(Invalid, match="2 files"):
        plan("http://h/x", "http://h/y", checksum=f"sha256:{HEX}")
    assert all(wish.checksum is None for wish in plan("http://h/x", "http://h/y", checksum="http://h/sums"))

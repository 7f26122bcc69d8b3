"""`ferry link`: the entry of the desktop, and the page a link leads to."""

import configparser
import json

import pytest

from ferryman.cli.link import NAME
from ferryman.cli.start import run


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("FERRY_ADDRESS", "http://127.0.0.1:1")
    return tmp_path


def test_install_and_remove(home, capsys):
    assert run(["link", "install"]) == 0
    entry = configparser.RawConfigParser()
    entry.read(home / "applications" / NAME)
    said = dict(entry["Desktop Entry"])
    assert said["exec"].endswith(" link open %u")
    assert said["mimetype"] == "x-scheme-handler/ferry;x-scheme-handler/web+ferry;"
    capsys.readouterr()
    assert run(["link", "remove", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] is True
    assert not (home / "applications" / NAME).exists()


@pytest.mark.parametrize(("link", "query"), [
    ("ferry:https://h/a%20b?c=d", "url=https%3A%2F%2Fh%2Fa%2520b%3Fc%3Dd"),
    ("ferry://add?url=https://h/x&url=https://i/x&checksum=md5:1&out=a%20b",
     "url=https%3A%2F%2Fh%2Fx&url=https%3A%2F%2Fi%2Fx&checksum=md5%3A1&out=a+b"),
    ("web+ferry:https://h/x", "url=https%3A%2F%2Fh%2Fx"),
])  # fmt: skip
def test_a_link_opens_the_dialog(home, capsys, link, query):
    assert run(["link", "open", "--json", link]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == f"http://127.0.0.1:1/downloads/add?{query}"


@pytest.mark.parametrize(
    "link", ["https://h/x", "ferry:", "ferry://run?url=x", "ferry://add?url=", "ferry://add?url=x&bearer=y"]
)
def test_a_wrong_link_is_refused(home, capsys, link):
    assert run(["link", "open", link]) == 2
    assert "ferry:https://host/file" in capsys.readouterr().err


def test_a_place_that_cannot_be_written(home, capsys):
    (home / "applications").write_text("a file")
    assert run(["link", "install"]) == 4
    assert "applications" in capsys.readouterr().err

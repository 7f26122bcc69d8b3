import json
import os
import stat

import pytest

from ferryman.core.errors import Conflict, Denied
from ferryman.daemon.announced import find_running
from ferryman.daemon.home import Home


def test_one_holder_who_is_named(tmp_path):
    first, second = Home(tmp_path / "home"), Home(tmp_path / "home")
    first.take()
    with pytest.raises(Conflict, match=str(os.getpid())):
        second.take()
    first.leave()
    first.leave()
    second.take()
    second.leave()


def test_it_is_found_while_it_is_held(tmp_path):
    folder = tmp_path / "home"
    assert find_running(folder) is None
    home = Home(folder)
    home.take()
    assert find_running(folder) is None  # held, but not serving yet
    home.announce("http://127.0.0.1:1")
    found = find_running(folder)
    assert (found.address, found.pid, found.token) == ("http://127.0.0.1:1", os.getpid(), home.token)
    assert stat.S_IMODE((folder / "daemon.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "keys" / "local.token").stat().st_mode) == 0o600
    note = (folder / "daemon.json").read_text()
    home.leave()
    (folder / "daemon.json").write_text(note)  # as kill -9 leaves it
    (folder / "keys" / "local.token").write_text("old")
    assert find_running(folder) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"address": "x", "pid": "y"})])
def test_a_damaged_note_is_no_daemon(tmp_path, text):
    home = Home(tmp_path)
    home.take()
    (tmp_path / "daemon.json").write_text(text)
    assert find_running(tmp_path) is None
    home.leave()


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(Denied, match=str(tmp_path / "home")):
        Home(tmp_path / "home").take()

"""What is in force: default, file, console, environment; at once or at the next start."""

import logging
import threading
from pathlib import Path

import pytest

from ferryman.core.errors import Conflict, Invalid
from ferryman.core.layers import load_settings
from ferryman.core.live import Live
from ferryman.core.settings import Origin, Settings


@pytest.fixture
def live(home, monkeypatch) -> Live:
    home.mkdir()
    (home / "ferry.toml").write_text('connections = 4\nlog_level = "warning"\n')
    monkeypatch.setenv("FERRY_LOG_LEVEL", "debug")
    held = Live(load_settings({"port": 9000}))
    held.apply({})
    return held


def test_each_layer_gives_way_to_the_next(live):
    live.apply({"connections": 2, "log_level": "error", "session_hours": 3, "port": 1})
    now = live.now()
    assert (now.connections, now.log_level, now.session_hours, now.port) == (2, "debug", 3, 9000)
    origins = {
        name: live.origin(name) for name in ("connections", "log_level", "session_hours", "port", "host")
    }
    assert origins == {
        "connections": Origin.CONSOLE,
        "log_level": Origin.ENVIRONMENT,
        "session_hours": Origin.CONSOLE,
        "port": Origin.COMMAND_LINE,
        "host": Origin.DEFAULT,
    }


def test_what_is_taken_back_is_the_file_s_again(live):
    live.apply({"connections": 2})
    live.apply({})
    assert (live.now().connections, live.origin("connections")) == (4, Origin.FILE)


def test_what_is_fixed_says_by_what(live):
    assert "FERRY_LOG_LEVEL in the environment" in live.fixed_because("log_level")
    assert "command line" in live.fixed_because("port")
    assert "FERRY_HOST" in live.fixed_because("host")
    assert live.fixed_because("connections") == ""


def test_some_changes_wait_for_the_next_start(live):
    live.apply({"download_folder": "/srv/files", "connections": 2})
    assert (live.now().download_folder, live.next().download_folder) == (None, Path("/srv/files"))
    assert live.now().connections == 2
    started = Live(Settings(home=Path("/h")))
    started.apply({"download_folder": "/srv/files"})
    assert started.now().download_folder == Path("/srv/files")


@pytest.mark.parametrize(
    "stored",
    [
        {"connections": 99, "session_hours": 3},
        {"connections": "many", "session_hours": 3},
        {"connections": None, "session_hours": 3},
        {"connections": [1], "session_hours": 3},
        {"connections": {"a": 1}, "session_hours": 3},
        {"connections": True, "session_hours": 3},
    ],
)
def test_a_wrong_stored_value_is_left_out_and_told(live, stored):
    live.apply(stored)
    assert (live.now().connections, live.now().session_hours) == (4, 3)
    assert live.problems == {"connections": "Must be a whole number from 1 to 32."} or live.problems[
        "connections"
    ].startswith("The value is neither")
    assert live.origin("connections") is Origin.FILE


def test_a_setting_of_another_version_is_left_out_and_told(live):
    live.apply({"warp_factor": 9, "connections": 2})
    assert live.now().connections == 2
    assert "no such setting" in live.problems["warp_factor"]


def test_a_check_names_every_wrong_field_and_changes_nothing(live):
    with pytest.raises(Invalid) as caught:
        live.check(
            {"connections": 0, "rate_limit": "fast", "nonsense": 1}, ("connections", "rate_limit", "nonsense")
        )
    assert set(caught.value.fields) == {"connections", "rate_limit", "nonsense"}
    assert caught.value.fields["connections"] == "Must be a whole number from 1 to 32."
    assert live.now().connections == 4


def test_a_check_refuses_what_is_fixed(live):
    with pytest.raises(Conflict) as caught:
        live.check({"log_level": "info"}, ("log_level",))
    assert caught.value.code == "setting_fixed"
    assert set(caught.value.fields) == {"log_level"}


def test_an_old_wrong_value_does_not_hinder_a_new_right_one(live):
    assert live.check({"session_hours": -1, "connections": 2}, ("connections",)).connections == 2


def test_everybody_hears_of_a_change_even_when_one_fails(live, caplog):
    heard = []

    def broken(_settings):
        raise RuntimeError("broken")

    live.subscribe(broken)
    live.subscribe(heard.append)
    with caplog.at_level(logging.CRITICAL):
        live.apply({"connections": 2})
    assert [settings.connections for settings in heard] == [2]
    live.apply({"connections": 2})
    assert len(heard) == 1


def test_who_left_hears_no_more(live):
    heard = []
    leave = live.subscribe(heard.append)
    leave()
    leave()
    live.apply({"connections": 2})
    assert heard == []


def test_threads_see_whole_settings(live):
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            now = live.now()
            seen.add((now.connections, now.download_concurrency))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 33):
        live.apply({"connections": number, "download_concurrency": number})
    stop.set()
    for thread in threads:
        thread.join()
    assert {pair for pair in seen if pair[0] != pair[1]} <= {(4, 8)}

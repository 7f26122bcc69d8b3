"""Settings come from arguments, the environment and ferry.toml, and wrong ones are named."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.home import default_home
from ferryman.core.layers import load_settings


def test_defaults_are_safe(home):
    settings = load_settings()
    assert settings.home == home
    assert settings.host == "127.0.0.1"
    assert settings.downloads == home / "downloads"
    assert settings.database_url == ""


def test_the_environment_wins_over_the_file(home, monkeypatch):
    home.mkdir()
    (home / "ferry.toml").write_text('port = 9000\nconnections = 4\ndownload_folder = "/srv/files"\n')
    monkeypatch.setenv("FERRY_PORT", "9001")
    settings = load_settings()
    assert (settings.port, settings.connections) == (9001, 4)
    assert str(settings.downloads) == "/srv/files"


def test_wrong_values_are_all_named_with_what_was_given(home, monkeypatch):
    monkeypatch.setenv("FERRY_PORT", "70000")
    monkeypatch.setenv("FERRY_LOG_LEVEL", "loud")
    with pytest.raises(Invalid) as caught:
        load_settings()
    assert caught.value.code == "settings_invalid"
    assert set(caught.value.fields) == {"port", "log_level"}
    assert "70000" in caught.value.message
    assert "loud" in caught.value.message


@pytest.mark.parametrize("text", ["prot = 8470\n", "port = \n", "port = 'x'\n"])
def test_a_wrong_file_is_refused_as_a_setting_is(home, text):
    home.mkdir()
    (home / "ferry.toml").write_text(text)
    with pytest.raises(Invalid) as caught:
        load_settings()
    assert caught.value.code == "settings_invalid"


def test_settings_do_not_change(home):
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


def test_where_the_home_is(monkeypatch, tmp_path):
    monkeypatch.setenv("FERRY_HOME", str(tmp_path / "chosen"))
    assert default_home() == tmp_path / "chosen"
    monkeypatch.delenv("FERRY_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_home() == tmp_path / "data" / "ferryman"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_home() == tmp_path / ".local" / "share" / "ferryman"

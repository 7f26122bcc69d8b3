from pathlib import Path

import pytest

from ferryman.console.api_settings import Origin, origin_of, read_file, settings_view
from ferryman.core.settings import Settings


@pytest.mark.parametrize(
    ("environment", "file", "origin"),
    [
        ({"FERRY_PORT": "1"}, {"port": 2}, Origin.ENVIRONMENT),
        ({"ferry_port": "1"}, {}, Origin.ENVIRONMENT),
        ({}, {"port": 2}, Origin.FILE),
        ({"PORT": "1"}, {"host": "x"}, Origin.DEFAULT),
    ],
)
def test_the_environment_wins_over_the_file(environment, file, origin):
    assert origin_of("port", environment, file) is origin


def test_passwords_inside_addresses_are_hidden():
    settings = Settings(home=Path("/h"), database_url="postgresql://ferry:hunter2@db/ferry")
    shown = {item.name: item.value for item in settings_view(settings, {}, {})}
    assert shown["database_url"] == "postgresql://ferry:***@db/ferry"
    assert shown["port"] == "8470"


def test_every_setting_is_shown_with_its_meaning():
    items = settings_view(Settings(home=Path("/h")), {}, {})
    assert [item.name for item in items] == list(Settings.model_fields)
    assert all(item.description for item in items)


def test_a_file_that_is_not_there_says_nothing():
    assert read_file(Path("/nonexistent/ferry.toml")) == {}

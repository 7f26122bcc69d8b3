from pathlib import Path

import pytest

from ferryman.console.api_settings import settings_view
from ferryman.core.live import Live
from ferryman.core.settings import Origin, Settings


def view(settings=None, console=None):
    live = Live(settings or Settings(home=Path("/h")))
    live.apply(console or {})
    return {item.name: item for item in settings_view(live, {})}


def test_passwords_inside_addresses_are_hidden():
    items = view(Settings(home=Path("/h"), database_url="postgresql://ferry:hunter2@db/ferry"))
    assert items["database_url"].value == "postgresql://ferry:***@db/ferry"
    assert items["port"].value == 8470


def test_every_setting_is_shown_with_its_meaning():
    items = view()
    assert set(items) == set(Settings.model_fields)
    assert all(item.description for item in items.values())


def test_what_is_stored_is_shown_as_such():
    item = view(console={"connections": 3})["connections"]
    assert (item.value, item.in_force, item.default, item.origin) == (3, 3, 8, Origin.CONSOLE)
    assert (item.minimum, item.maximum, item.fixed_by, item.problem) == (1, 32, None, "")


def test_a_wrong_stored_value_is_shown_with_what_is_wrong():
    item = view(console={"connections": 99})["connections"]
    assert (item.value, item.origin) == (8, Origin.DEFAULT)
    assert item.problem == "Must be a whole number from 1 to 32."


@pytest.mark.parametrize("name", ["home", "host", "port", "database_url"])
def test_what_the_machine_decides_says_so(name):
    item = view()[name]
    assert item.fixed_by == "machine"
    assert item.variable in item.fixed_because

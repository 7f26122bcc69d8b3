"""Names of repositories, places to repair from, and rules of the clock."""

from datetime import datetime

import pytest

from ferryman.core.errors import Invalid
from ferryman.depot.names import check_names
from ferryman.depot.repair import is_hosted, place_of
from ferryman.images.upkeep import is_due


@pytest.mark.parametrize("name", ["a", "a/b", "quay.io/a/b", "localhost:5000/a", "10.0.0.1:5000/a/b"])
def test_names_of_repositories(name):
    check_names(name, "v1")


@pytest.mark.parametrize("name", ["a:1", "a@b", "/a", "a/", "A", "a b", "a/../b", "https://a/b", "a:5000/B"])
def test_what_is_no_name(name):
    with pytest.raises(Invalid):
        check_names(name, None)


@pytest.mark.parametrize(
    ("origin", "place"),
    [
        ("docker://quay.io/team/app", ("quay.io", "team/app")),
        ("docker://quay.io/team/app:1.2", ("quay.io", "team/app")),
        ("docker://localhost:5000/x", ("localhost:5000", "x")),
        ("push:ann", None),
        ("oci:/var/x", None),
        ("docker://", None),
        ("docker://QUAY/../x", None),
    ],
)
def test_places_to_repair_from(origin, place):
    assert place_of(origin) == place


def test_repositories_named_after_a_registry():
    assert is_hosted("quay.io/a")
    assert is_hosted("localhost/a")
    assert not is_hosted("team/a")
    assert not is_hosted("quay.io")


def test_the_hour_comes_once_a_day():
    night, before = local(2, 3, 0, 20), local(2, 2, 59, 20)
    assert is_due(before, night, 3)
    assert not is_due(night, night.replace(minute=1), 3)
    assert not is_due(before, night, 4)
    assert not is_due(before, night, 24)
    assert is_due(local(1, 23), local(2, 9), 3)
    assert is_due(local(1, 23, 59), local(2, 0, 1), 0)


def local(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, second)  # noqa: DTZ001 - the clock on the wall

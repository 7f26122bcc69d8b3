"""Names of repositories, places to repair from, and rules of the clock."""

from datetime import datetime

import pytest

from ferryman.core.errors import Invalid
from ferryman.depot.model import Origin
from ferryman.depot.names import check_names
from ferryman.depot.origins import is_hosted, locations_of, volumes_of, who_has_to_act
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
        ("docker://quay.io/team/app", ["docker://quay.io/team/app"]),
        ("docker://quay.io/team/app:1.2", ["docker://quay.io/team/app:1.2"]),
        ("docker://localhost:5000/x", ["docker://localhost:5000/x"]),
        ("oci:/var/x", ["oci:/var/x"]),
        ("oci-archive:/var/x.tar", ["oci-archive:/var/x.tar"]),
        ("docker-daemon:docker.io/library/x:1", ["docker-daemon:docker.io/library/x:1"]),
        ("containerd:k8s.io/quay.io/a/b:1", ["containerd:k8s.io/quay.io/a/b:1"]),
        ("ollama:tiny", ["docker://registry.ollama.ai/library/tiny:latest"]),
        ("depot:a/b", []),
        ("bundle:/x/y", []),
        ("push:ann", []),
        ("copy", []),
        ("docker://", []),
        ("docker://QUAY/../x", []),
    ],
)
def test_places_to_repair_from(origin, place):
    assert [str(one) for one in locations_of([Origin(origin, 0.0)], [])] == place


def test_places_are_tried_once_and_the_names_of_repositories_last():
    origins = [Origin("push:ann", 1.0), Origin("oci:/x", 2.0), Origin("docker://quay.io/a:1", 3.0)]
    found = locations_of(origins, ["quay.io/a", "team/b", "ghcr.io/c"])
    assert [str(one) for one in found] == ["oci:/x", "docker://quay.io/a:1", "docker://ghcr.io/c"]


def test_who_has_to_act():
    origins = [
        Origin(text, 0.0) for text in ("push:ann", "bundle:here/7", "bundle:/v/1", "import:x.zip", "rules")
    ]
    told = who_has_to_act(origins)
    assert [line.partition(" on ")[0] for line in told] == [
        "ann pushed it",
        "It came with the bundle here/7",
        "It was imported from x.zip",
    ]
    assert [str(path) for path in volumes_of(origins)] == ["/v/1"]


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

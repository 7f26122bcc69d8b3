import pytest

from ferryman.core.errors import Conflict, FerryError, Invalid
from ferryman.depot.copying.model import Place
from ferryman.depot.copying.places import Places

HEX = "a" * 64


def only(source: str, target: str) -> tuple[str, str | None]:
    places = Places()
    places.add([source], target)
    (wish,) = places.wishes
    assert set(places.locations) == {wish.source, wish.target}
    return str(wish.target), wish.tag


@pytest.mark.parametrize(
    ("source", "target", "place", "tag"),
    [
        ("docker://q.io/a/x:1", "docker://r.io/b/y:2", "docker://r.io/b/y", "2"),
        ("docker://q.io/a/x:1", "docker://r.io/b/y", "docker://r.io/b/y", "1"),
        ("docker://q.io/a/x", "docker://r.io/b/y", "docker://r.io/b/y", "latest"),
        (f"docker://q.io/a/x@sha256:{HEX}", "docker://r.io/b/y", "docker://r.io/b/y", None),
        ("docker://q.io/a/x:1", "docker://r.io/mirror/", "docker://r.io/mirror/x", "1"),
        ("docker://q.io/a/x:1", "docker://r.io/", "docker://r.io/x", "1"),
        ("docker://q.io:5000/a/x:1", "depot:", "depot:q.io:5000/a/x", "1"),
        ("docker://alpine", "depot:", "depot:docker.io/library/alpine", "latest"),
        ("docker://q.io/a/x:1", "depot:own/name:3", "depot:own/name", "3"),
        ("docker://q.io/a/x:1", "depot:own/", "depot:own/x", "1"),
        ("depot:q.io/a/x:1", "docker://r.io/m/", "docker://r.io/m/x", "1"),
        ("oci:/tmp/some:v1", "docker://r.io/m/x", "docker://r.io/m/x", "v1"),
        ("oci:/tmp/some:q.io/a/x:v1", "docker://r.io/m/x", "docker://r.io/m/x", "v1"),
        ("docker://q.io/a/x:1", "oci:/tmp/out", "oci:/tmp/out", "1"),
        ("docker://q.io/a/x:1", "oci:/tmp/out:name", "oci:/tmp/out", "name"),
        (
            "docker://q.io/a/x:1",
            "docker-daemon:x:2",
            "docker-daemon:docker.io/library/x:2",
            "docker.io/library/x:2",
        ),
    ],
)
def test_where_a_source_goes(source: str, target: str, place: str, tag: str | None) -> None:
    assert only(source, target) == (place, tag)


def test_several_go_below_one_target() -> None:
    places = Places()
    places.add(["docker://q.io/a/x:1", "docker://q.io/a/y:1", "docker://q.io/a/x:2"], "docker://r.io/b/team/")
    assert [(wish.target, wish.tag) for wish in places.wishes] == [
        (Place("docker://r.io", "b/team/x"), "1"),
        (Place("docker://r.io", "b/team/y"), "1"),
        (Place("docker://r.io", "b/team/x"), "2"),
    ]


def test_several_in_a_layout_keep_their_whole_names() -> None:
    places = Places()
    places.add(["docker://q.io/a/x:1", "docker://q.io/b/x:1"], "oci:/tmp/out")
    assert [wish.tag for wish in places.wishes] == ["q.io/a/x:1", "q.io/b/x:1"]


def test_the_same_twice_is_once() -> None:
    places = Places()
    places.add(["docker://q.io/a/x:1", "docker://q.io/a/x:1"], "docker://r.io/b/")
    assert len(places.wishes) == 1


@pytest.mark.parametrize(
    ("sources", "target", "error", "code"),
    [
        (["docker://q.io/a/x:1", "docker://q.io/b/x:1"], "docker://r.io/b/", Conflict, "target_twice"),
        (["docker://q.io/a/x:1", "docker://q.io/b/y:1"], "docker://r.io/b", Invalid, "target_single"),
        (["docker://q.io/a/x:1", "docker://q.io/b/y:1"], "oci:/tmp/x:name", Invalid, "target_single"),
        (["docker:q.io/a"], "docker://r.io/b", Invalid, "location_invalid"),
        (["docker://q.io/A/x"], "docker://r.io/b", Invalid, "reference_invalid"),
        (["docker://q.io/a:"], "docker://r.io/b", Invalid, "reference_invalid"),
        (["docker://q.io/a/x:1"], "http://r.io/b", Invalid, "location_invalid"),
        (["docker://q.io/a/x:1"], "http://r.io/", Invalid, "location_invalid"),
        (["docker://q.io/a/x@sha256:12"], "depot:", Invalid, "reference_invalid"),
    ],
)
def test_what_cannot_be_meant(sources: list[str], target: str, error: type[FerryError], code: str) -> None:
    with pytest.raises(error) as caught:
        Places().add(sources, target)
    assert caught.value.code == code
    assert caught.value.advice

"""Which resource a path names."""

import pytest

from ferryman.registry.routes import Kind, Query, Route, route_of


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2", Route(Kind.BASE)),
        ("/v2/", Route(Kind.BASE)),
        ("/v2/_catalog", Route(Kind.CATALOG)),
        ("/v2/a/tags/list", Route(Kind.TAGS, "a")),
        ("/v2/a/b/c/manifests/v1", Route(Kind.MANIFEST, "a/b/c", "v1")),
        ("/v2/manifests/manifests/manifests", Route(Kind.MANIFEST, "manifests", "manifests")),
        ("/v2/a/manifests/b/manifests/c", Route(Kind.MANIFEST, "a/manifests/b", "c")),
        ("/v2/a/blobs/sha256:1", Route(Kind.BLOB, "a", "sha256:1")),
        ("/v2/a/blobs/uploads", Route(Kind.UPLOADS, "a")),
        ("/v2/a/blobs/uploads/", Route(Kind.UPLOADS, "a")),
        ("/v2/a/blobs/uploads/1-2", Route(Kind.UPLOAD, "a", "1-2")),
        ("/v2/a/blobs/blobs/uploads/1", Route(Kind.UPLOAD, "a/blobs", "1")),
        ("/v2/a/referrers/sha256:1", Route(Kind.REFERRERS, "a", "sha256:1")),
    ],
)
def test_a_path_names_a_resource(path: str, expected: Route):
    assert route_of(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/",
        "/v2x",
        "/v2/a",
        "/v2/a/b",
        "/v2/tags/list",
        "/v2/a/tags/",
        "/v2/a/manifests/",
        "/v2/a/uploads/1",
    ],
)
def test_other_paths_name_nothing(path: str):
    assert route_of(path) is None


def test_a_query_has_fields_once_or_often():
    query = Query(b"tag=a&tag=b&n=&mount=sha256%3A1")
    assert query.all("tag") == ["a", "b"]
    assert (query.one("n"), query.one("mount"), query.one("none")) == ("", "sha256:1", None)
    assert Query(b"").one("n") is None

"""The list of a layout: names, replacement, and what is wrong with one."""

import json

import pytest

from ferryman.core.errors import Corrupt, Invalid
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports.entries import (
    IMAGE_NAME,
    REF_NAME,
    LayoutIndex,
    check_version,
    choose,
    parse_index,
)

A = Descriptor.of(media.OCI_MANIFEST, b"a")
B = Descriptor.of(media.OCI_INDEX, b"b")


def test_a_name_belongs_to_the_last_manifest_put():
    index = LayoutIndex().having(A, "x").having(A, "y").having(B, "x")
    assert index.find("x").descriptor.digest == B.digest
    assert index.find("y").descriptor.digest == A.digest
    assert index.find("z") is None
    assert len(index.entries) == 2


def test_what_has_no_name_is_listed_once_and_never_beside_its_name():
    index = LayoutIndex().having(A, None).having(A, None)
    assert len(index.entries) == 1
    assert [entry.name for entry in index.having(A, "x").entries] == ["x"]
    assert [entry.name for entry in index.having(A, "x").having(A, None).entries] == ["x"]


def test_what_others_wrote_stays_as_it_is():
    other = {
        "mediaType": "application/x-strange",
        "digest": str(A.digest),
        "size": 1,
        "annotations": {"k": "v", REF_NAME: "o"},
        "extra": [1],
    }
    raw = json.dumps({"schemaVersion": 2, "manifests": [other], "annotations": {"a": "b"}}).encode()
    again = json.loads(parse_index(raw, "here").having(B, "x").render())
    assert again["manifests"][0] == other
    assert again["annotations"] == {"a": "b"}


def test_full_references_are_names_too():
    index = (
        LayoutIndex()
        .having(A, "1", {IMAGE_NAME: "example.test/a:1"})
        .having(B, "1b", {IMAGE_NAME: "other.test/b:1"})
    )
    assert index.find("example.test/a:1").descriptor.digest == A.digest
    assert [one.name for one in index.of_repository("example.test/a").entries] == ["1"]
    assert index.of_repository("example.test/a").find("1b") is None


def test_what_is_meant_without_a_name():
    one = LayoutIndex().having(A, "x").having(A, "y")
    assert choose(one, "p", one.entries).descriptor.digest == A.digest
    two = one.having(B, "latest")
    assert choose(two, "p", two.entries).descriptor.digest == B.digest
    assert choose(LayoutIndex(), "p", ()) is None
    three = one.having(B, "z")
    with pytest.raises(Invalid, match="x, y, z"):
        choose(three, "p", three.entries)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"manifests": {}}',
        b'{"manifests": [1]}',
        b'{"manifests": [{"digest": "sha256:../../etc", "size": 1}]}',
        b'{"manifests": [{"digest": "sha256:' + b"a" * 64 + b'", "size": -1}]}',
    ],
)
def test_broken_lists_are_refused(raw):
    with pytest.raises(Corrupt) as error:
        parse_index(raw, "the place")
    assert error.value.code == "layout_damaged"
    assert "the place" in error.value.message


def test_versions():
    check_version(b'{"imageLayoutVersion":"1.0.0"}', "p")
    for raw in (b"{}", b'{"imageLayoutVersion":"2.0.0"}', b'{"imageLayoutVersion":1}', b"x"):
        with pytest.raises(Corrupt):
            check_version(raw, "p")

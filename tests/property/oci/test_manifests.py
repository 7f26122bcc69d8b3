"""Manifests: whatever comes, it is read or named as wrong; bytes and digests never change."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid, NotFound
from ferryman.oci import media
from ferryman.oci.manifest import (
    MOST_MANIFEST,
    Descriptor,
    Platform,
    choose_platforms,
    parse_descriptor,
    parse_manifest,
)

HEX = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["mediaType", "digest", "size", "config", "layers", "manifests", "platform", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
PLATFORMS = st.builds(
    Platform,
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64"]),
    st.sampled_from(["", "v8"]),
)
DESCRIPTORS = st.builds(
    Descriptor,
    st.sampled_from([media.OCI_LAYER, media.OCI_MANIFEST, "application/x"]),
    HEX.map(lambda value: Digest("sha256", value)),
    st.integers(0, 2**63 - 1),
    st.none() | PLATFORMS,
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    st.none() | st.just("application/y"),
    st.lists(st.text(max_size=5), max_size=2).map(tuple),
)


def raw(**document) -> bytes:
    return json.dumps({"schemaVersion": 2, **document}).encode()


def entry(content: bytes = b"x", **more) -> dict[str, object]:
    return Descriptor.of(media.OCI_LAYER, content).as_json() | more


@given(DESCRIPTORS)
def test_a_descriptor_is_read_as_it_is_written(descriptor):
    assert parse_descriptor(json.loads(json.dumps(descriptor.as_json()))) == descriptor


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from([
    "", "text/plain", media.OCI_MANIFEST, media.OCI_INDEX, media.DOCKER_LIST, media.OCI_ARTIFACT, "application/x",
]))  # fmt: skip
def test_whatever_comes_is_read_or_named_as_wrong(content, kind):
    try:
        found = parse_manifest(content, kind)
    except FerryError as error:
        refused = error
    else:
        refused = None
    if refused:
        assert refused.code in {"manifest_invalid", "manifest_unsupported"}
        assert refused.advice
    else:
        assert found.raw == content
        assert found.digest.hex == hashlib.sha256(content).hexdigest()
        for part in (*found.children, *found.blobs, *([found.subject] if found.subject else [])):
            assert part.size >= 0


@given(st.lists(DESCRIPTORS, max_size=5))
def test_the_children_of_an_index_are_in_order(children):
    found = parse_manifest(raw(manifests=[child.as_json() for child in children]), media.OCI_INDEX)
    assert found.is_index
    assert list(found.children) == children
    assert choose_platforms(found, None) == children


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "no JSON document"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON document"),
        (raw(config=entry(), layers=5), "'layers' that is no list"),
        (raw(config=entry(), layers=[5]), r"layers\[0\] no descriptor"),
        (raw(config=entry(), layers=[entry(size=-1)]), r"layers\[0\] no size"),
        (raw(config=entry(), layers=[entry(size=True)]), "no size"),
        (raw(config=entry(), layers=[entry(size=2**63)]), "no size"),
        (raw(config=entry(), layers=[entry(digest="sha256:../../etc/passwd")]), "no digest"),
        (raw(config=entry(), layers=[entry(digest="md5:" + "0" * 32)]), "no digest"),
        (raw(config=entry(), layers=[entry(urls="x")]), "urls"),
        (raw(config=entry(), annotations={"a": 1}), "annotations"),
        (raw(config=entry(), layers=[], manifests=[]), "both an index and an image"),
        (raw(layers=[]), "no config"),
        (raw(config=entry(), mediaType=media.OCI_INDEX), "was sent as"),
        (raw(config=entry(), mediaType=5), "no text"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said(document, why):
    with pytest.raises(Invalid, match=why) as caught:
        parse_manifest(document, media.OCI_MANIFEST)
    assert caught.value.code == "manifest_invalid"


def test_too_large_ones_and_wrong_digests():
    with pytest.raises(Invalid, match="4,194,305") as large:
        parse_manifest(b" " * (MOST_MANIFEST + 1), "application/x")
    assert large.value.code == "manifest_too_large"
    with pytest.raises(Corrupt, match="was expected") as other:
        parse_manifest(raw(config=entry()), media.OCI_MANIFEST, Digest("sha256", "0" * 64))
    assert other.value.code == "manifest_mismatch"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_digests_of_both_algorithms(algorithm):
    content = raw(config=entry())
    digest = Digest(algorithm, hashlib.new(algorithm, content).hexdigest())
    assert parse_manifest(content, media.OCI_MANIFEST, digest).digest == digest


def test_docker_schema_1_is_told_apart():
    with pytest.raises(Invalid, match="schema 1") as caught:
        parse_manifest(b'{"schemaVersion": 1, "fsLayers": []}', "application/json")
    assert caught.value.code == "manifest_unsupported"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (raw(manifests=[]), media.OCI_INDEX),
        (raw(config=entry()), media.OCI_MANIFEST),
        (raw(mediaType=media.DOCKER_LIST, manifests=[]), media.DOCKER_LIST),
        (raw(mediaType="application/x+json"), "application/x+json"),
    ],
)
def test_what_nobody_said_is_what_the_document_says(document, kind):
    for vague in ("", "application/json", "text/plain; charset=utf-8"):
        assert parse_manifest(document, vague).media_type == kind


def test_embedded_data_counts_only_when_it_is_the_content():
    assert parse_descriptor(entry(b"x", data="eA==")).data == b"x"
    assert parse_descriptor(entry(b"x", data="eQ==")).data is None
    with pytest.raises(Invalid, match="base64"):
        parse_descriptor(entry(b"x", data="?"))


def child(content: bytes, platform: str, **more) -> dict[str, object]:
    os, architecture, *variant = platform.split("/")
    part = {"os": os, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
    return Descriptor.of(media.OCI_MANIFEST, content).as_json() | {"platform": part, **more}


def test_platforms_and_their_attestations_are_chosen():
    arm = child(b"arm", "linux/arm64/v8")
    about = {"annotations": {"vnd.docker.reference.digest": arm["digest"]}}
    index = parse_manifest(
        raw(manifests=[child(b"amd", "linux/amd64"), arm, child(b"seven", "linux/arm/v7"), child(b"att", "unknown/unknown", **about)]),
        media.OCI_INDEX,
    )  # fmt: skip

    def chosen(*names):
        return [
            str(one.platform) for one in choose_platforms(index, [Platform.parse(name) for name in names])
        ]

    assert chosen("linux/aarch64") == ["linux/arm64/v8", "unknown/unknown"]
    assert chosen("linux/arm64/v8", "linux/x86_64") == ["linux/amd64", "linux/arm64/v8", "unknown/unknown"]
    assert chosen("linux/arm") == ["linux/arm/v7"]
    with pytest.raises(NotFound, match="linux/s390x; it has linux/amd64, linux/arm/v7, linux/arm64/v8"):
        chosen("linux/s390x")
    with pytest.raises(Invalid, match="no platform"):
        Platform.parse("linux")

"""A real containerd as source and target, with ctr as judge."""

import pytest

from ferryman.core.errors import NotFound, Unavailable
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports import TransportOptions, open_source, open_target
from tests.integration.oci.transports.carrying import carry, copy, everything, raw_by_skopeo, read, reading


@pytest.fixture
def options(ctrd):
    return TransportOptions(containerd_address=ctrd.address)


def digests(server, namespace: str = "default") -> dict[str, str]:
    lines = server.ctr("images", "ls", namespace=namespace).splitlines()[1:]
    return {line.split()[0]: line.split()[2] for line in lines}


def test_ctr_has_what_we_import(store, ctrd, options):
    copy(f"oci:{store.folder}:one", "containerd:example.test/team/one:v1", options)
    assert digests(ctrd)["example.test/team/one:v1"] == store.one.digest
    assert "is missing" not in ctrd.ctr("images", "check")


def test_all_platforms_signatures_and_referrers_stay(store, ctrd, options, tmp_path):
    copy(f"oci:{store.folder}:two", "containerd:example.test/team/two:v1", options)
    assert digests(ctrd)["example.test/team/two:v1"] == store.two.digest
    source = open_source(parse_location("containerd:example.test/team/two:v1"), options)
    here = open_source(parse_location(f"oci:{store.folder}"))
    digest = here.resolve("two").digest
    assert {one.digest for one in source.referrers(digest)} == {one.digest for one in here.referrers(digest)}
    copy("containerd:example.test/team/two:v1", f"oci:{tmp_path}/back:two", options)
    with reading(f"oci:{tmp_path}/back") as back:
        assert list(everything(back, back.resolve("two"))) == list(everything(here, here.resolve("two")))
        assert len(back.referrers(digest)) == 5
    assert raw_by_skopeo(f"oci:{tmp_path}/back:two") == store.two.raw


def test_what_ctr_exports_and_imports(store, ctrd, options, tmp_path):
    copy(f"oci:{store.folder}:two", "containerd:tools/example.test/team/two:v1", options)
    ctrd.ctr(
        "images",
        "export",
        "--all-platforms",
        str(tmp_path / "out.tar"),
        "example.test/team/two:v1",
        namespace="tools",
    )
    with reading(f"oci-archive:{tmp_path}/out.tar") as source:
        assert source.resolve("example.test/team/two:v1").raw == store.two.raw
        assert source.resolve(None).raw == store.two.raw
    copy(f"oci:{store.folder}:one", f"docker-archive:{tmp_path}/ours.tar:example.test/team/three:v1")
    ctrd.ctr("images", "import", str(tmp_path / "ours.tar"), namespace="tools")
    assert digests(ctrd, "tools")["example.test/team/three:v1"] == store.one.digest


def test_nothing_moves_twice(store, ctrd, options):
    here = open_source(parse_location(f"oci:{store.folder}"))
    manifest = here.resolve("one")
    for tag, expected in (("a", True), ("b", False)):
        target = open_target(parse_location(f"containerd:again/example.test/same:{tag}"), options)
        moved = carry(here, target, manifest, tag)
        target.close()
        assert (moved > 0) is expected
    assert digests(ctrd, "again") == dict.fromkeys(
        ("example.test/same:a", "example.test/same:b"), store.one.digest
    )
    target = open_target(parse_location("containerd:again/example.test/same:a"), options)
    assert str(target.tagged("a")) == store.one.digest
    assert target.has_manifest(manifest.digest)
    target.close()


def test_blobs_are_read_from_anywhere(store, ctrd, options):
    copy(f"oci:{store.folder}:one", "containerd:example.test/ranges:v1", options)
    source = open_source(parse_location("containerd:example.test/ranges:v1"), options)
    assert list(source.tags()) == ["v1"]
    blob = source.resolve("v1").layers[0]
    whole = read(source, blob)
    assert len(whole) == blob.size
    assert read(source, blob, 100_000) == whole[100_000:]
    stream = source.open_blob(blob)
    stream.readinto(memoryview(bytearray(10)))
    stream.close()
    stream.close()
    with pytest.raises(NotFound) as error:
        source.open_blob(Descriptor.of("text/plain", b"never"))
    assert error.value.code == "blob_unknown"
    for wanted in ("v2", str(Descriptor.of("text/plain", b"never").digest)):
        with pytest.raises(NotFound) as error:
            source.resolve(wanted)
        assert error.value.code == "manifest_unknown"


def test_a_copy_that_fails_leaves_no_image(store, ctrd, options):
    here = open_source(parse_location(f"oci:{store.folder}"))
    target = open_target(parse_location("containerd:half/example.test/half:v1"), options)
    carry(here, target, here.resolve("one"), "v1")
    target.abandon()
    target.close()
    assert digests(ctrd, "half") == {}


def test_an_image_with_some_platforms_left_out(store, ctrd, options):
    """A sparse index: containerd keeps it when the missing ones are not asked for."""
    here = open_source(parse_location(f"oci:{store.folder}"))
    index = here.resolve("two")
    target = open_target(parse_location("containerd:sparse/example.test/sparse:v1"), options)
    carry(here, target, here.manifest(index.children[0].digest), None)
    target.put_manifest(index, "v1")
    target.close()
    assert digests(ctrd, "sparse")["example.test/sparse:v1"] == str(index.digest)


def test_a_whole_reference_is_a_tag_too(store, ctrd, options):
    here = open_source(parse_location(f"oci:{store.folder}"))
    target = open_target(parse_location("containerd:whole/example.test/whole:v1"), options)
    carry(here, target, here.resolve("one"), "example.test/whole:v1")
    target.close()
    assert digests(ctrd, "whole") == {"example.test/whole:v1": store.one.digest}


def test_containerd_that_is_not_there(tmp_path):
    place = parse_location("containerd:x")
    nowhere = TransportOptions(containerd_address=f"{tmp_path}/none.sock", connect_timeout=0.2)
    for opening in (open_source, open_target):
        with pytest.raises(Unavailable) as error:
            opening(place, nowhere)
        assert error.value.code == "containerd_unreachable"
        with pytest.raises(NotFound) as missing:
            opening(place, TransportOptions(ctr=f"{tmp_path}/ctr"))
        assert missing.value.code == "ctr_missing"

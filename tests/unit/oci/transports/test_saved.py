"""What `docker save` writes, read and made; pure."""

import json

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports.saved import diff_ids, make_manifest, parse_saved, render_saved

LAYER = Descriptor.of(media.OCI_LAYER, b"layer")
CONFIG = Descriptor.of(media.OCI_CONFIG, b"{}")


def test_images_and_their_names():
    raw = json.dumps(
        [
            {"Config": "./c.json", "RepoTags": ["alpine:3", "Not A Name"], "Layers": ["x/layer.tar"]},
            {"Config": "d.json", "RepoTags": None, "Layers": []},
        ]
    ).encode()
    first, second = parse_saved(raw, "p")
    assert (first.config, first.layers) == ("c.json", ("x/layer.tar",))
    assert [str(name) for name in first.names] == ["docker.io/library/alpine:3"]
    assert second.names == ()


@pytest.mark.parametrize(
    "document",
    [{}, [1], [{}], [{"Config": 1, "Layers": []}], [{"Config": "c", "Layers": [1]}], [{"Config": "c", "Layers": None}],
     [{"Config": "c", "Layers": [], "RepoTags": "x"}]],
)  # fmt: skip
def test_what_is_none(document):
    with pytest.raises(Corrupt) as error:
        parse_saved(json.dumps(document).encode(), "the place")
    assert error.value.code == "archive_damaged"
    assert "the place" in error.value.message


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{}",
        b'{"rootfs": []}',
        b'{"rootfs": {"diff_ids": []}}',
        b'{"rootfs": {"diff_ids": ["sha256:x"]}}',
    ],
)
def test_configurations_that_do_not_fit(config):
    with pytest.raises(Corrupt):
        diff_ids(config, 1, "p")


def test_the_same_archive_gives_the_same_manifest():
    one, two = (make_manifest(CONFIG, [LAYER]) for _ in range(2))
    assert one == two
    assert one.layers == (LAYER,)
    assert one.media_type == media.OCI_MANIFEST


def test_what_is_written_is_read():
    manifest = make_manifest(CONFIG, [LAYER])
    (image,) = parse_saved(render_saved([(manifest, ["example.test/a:1"])]), "p")
    assert image.config == f"blobs/sha256/{CONFIG.digest.hex}"
    assert image.layers == (f"blobs/sha256/{LAYER.digest.hex}",)
    assert [str(name) for name in image.names] == ["example.test/a:1"]


def test_digests_of_layers():
    digest = Digest("sha256", "a" * 64)
    assert diff_ids(json.dumps({"rootfs": {"diff_ids": [str(digest)]}}).encode(), 1, "p") == (digest,)

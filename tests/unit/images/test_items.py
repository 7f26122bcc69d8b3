"""What a page shows of the blobs of a copy, and how manifests and blobs are called."""

import json

import pytest

from ferryman.depot.copying.meter import ItemState, ItemView
from ferryman.images.items import items_of, percent
from ferryman.images.view import kind_called, kind_shown
from ferryman.oci.manifest import Manifest, parse_manifest

DIGEST = f"sha256:{'a' * 64}"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def item(state: ItemState, size: int = 100, moved: int = 0, name: str = "one") -> ItemView:
    return ItemView(name, "depot:", size, moved, state)


def manifest(config: str, *layers: str) -> Manifest:
    def of(media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": DIGEST, "size": 1}

    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": of(config), "layers": [*map(of, layers)]}
    return parse_manifest(json.dumps(body).encode(), MANIFEST)


def test_few_keep_the_order_of_the_plan_whatever_happens() -> None:
    found = [
        item(ItemState.DONE, name="a"),
        item(ItemState.FAILED, name="b"),
        item(ItemState.MOVING, name="c"),
    ]
    shown = items_of(found)
    assert [one.name for one in shown.shown] == ["a", "b", "c"]
    assert (shown.total, shown.there, shown.hidden) == (3, 1, 0)


def test_of_many_those_come_first_that_say_the_most() -> None:
    found = [item(ItemState.THERE) for _ in range(5)]
    found += [item(ItemState.WAITING), item(ItemState.MOVING), item(ItemState.FAILED)]
    shown = items_of(found, 4)
    assert [one.state for one in shown.shown] == ["failed", "moving", "waiting", "there"]
    assert (shown.total, shown.there, shown.hidden) == (8, 5, 4)


@pytest.mark.parametrize(
    ("state", "size", "moved", "said"),
    [
        (ItemState.MOVING, 1000, 1000, 99),
        (ItemState.MOVING, 1000, 555, 55),
        (ItemState.WAITING, 0, 0, 0),
        (ItemState.DONE, 0, 0, 100),
        (ItemState.MOUNTED, 10, 0, 100),
    ],
)
def test_only_what_is_there_is_whole(state: ItemState, size: int, moved: int, said: int) -> None:
    assert percent(item(state, size, moved)) == said


@pytest.mark.parametrize(
    ("media_type", "called"),
    [
        ("application/vnd.oci.image.layer.v1.tar+zstd", "zstd layer"),
        ("application/vnd.oci.image.layer.v1.tar", "layer"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip layer"),
        ("application/vnd.ollama.image.license", "license"),
        (CONFIG, "config"),
        ("application/vnd.example.thing", "example.thing"),
        ("", "content"),
    ],
)
def test_blobs_are_called_what_people_call_them(media_type: str, called: str) -> None:
    assert kind_called(media_type) == called


@pytest.mark.parametrize(
    ("config", "layer", "shown"),
    [
        (CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip", "image"),
        (CONFIG, "application/vnd.ollama.image.model", "model"),
        (CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json", "signature"),
        ("application/vnd.oci.empty.v1+json", "application/vnd.dsse.envelope.v1+json", "attestation"),
        ("application/vnd.example.chart", "application/vnd.example.chart.content", "artifact"),
    ],
)
def test_manifests_are_called_what_people_call_them(config: str, layer: str, shown: str) -> None:
    assert kind_shown(manifest(config, layer)) == shown


def test_an_index_says_its_platforms() -> None:
    one = {"mediaType": MANIFEST, "digest": DIGEST, "size": 1}
    for names, shown in (
        (("amd64", "arm64"), "2 platforms"),
        (("amd64", "unknown"), "1 platform"),
        ((None, None), "2 images"),
    ):
        children = [
            one
            | (
                {"platform": {"os": "unknown" if name == "unknown" else "linux", "architecture": name}}
                if name
                else {}
            )
            for name in names
        ]
        body = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
        assert kind_shown(parse_manifest(json.dumps(body).encode(), INDEX)) == shown

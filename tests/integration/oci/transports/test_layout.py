"""OCI layouts in folders, with skopeo and umoci as writers and judges; killed, shared, damaged."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from ferryman.core.errors import Conflict, Corrupt, Exhausted, FerryError, Invalid, NotFound
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports import open_source, open_target
from ferryman.oci.transports.layout import PARTIAL, LayoutTarget, open_layout, replace_file
from ferryman.testing.images import Images
from tests.integration.oci.transports.carrying import (
    carry,
    copy,
    everything,
    index_of,
    raw_by_skopeo,
    read,
    reading,
    run,
)


def test_skopeo_and_umoci_read_what_we_write(store, tmp_path):
    copy(f"oci:{store.folder}:one", f"oci:{tmp_path}/out:x")
    copy(f"oci:{store.folder}:two", f"oci:{tmp_path}/out:y")
    assert raw_by_skopeo(f"oci:{tmp_path}/out:x") == store.one.raw
    assert raw_by_skopeo(f"oci:{tmp_path}/out:y") == store.two.raw
    assert set(run("umoci", "list", "--layout", tmp_path / "out").split()) >= {"x", "y"}
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/out:x", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/etc/greeting").read_text() == "hello\n"
    run("skopeo", "copy", "--all", f"oci:{tmp_path}/out:y", f"dir:{tmp_path}/dir")
    assert not (tmp_path / "out" / PARTIAL).exists()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"blobs", "index.json", "oci-layout"}


def test_we_read_what_skopeo_and_umoci_write(store, tmp_path):
    run("skopeo", "copy", "--all", f"oci:{store.folder}:two", f"oci:{tmp_path}/out:x")
    run("skopeo", "copy", f"oci:{store.folder}:one", f"oci:{tmp_path}/out:y")
    run("umoci", "tag", "--image", f"{tmp_path}/out:y", "again")
    with reading(f"oci:{tmp_path}/out") as source, reading(f"oci:{store.folder}") as here:
        for tag, mine in (("x", "two"), ("again", "one")):
            found, wanted = source.resolve(tag), here.resolve(mine)
            assert list(everything(source, found)) == list(everything(here, wanted))
        assert set(source.tags()) == {"x", "y", "again"}


def test_a_name_is_moved_and_others_stay(store, tmp_path):
    for tag in ("a", "b"):
        copy(f"oci:{store.folder}:one", f"oci:{tmp_path}/out:{tag}")
    copy(f"oci:{store.folder}:two", f"oci:{tmp_path}/out:a")
    assert raw_by_skopeo(f"oci:{tmp_path}/out:a") == store.two.raw
    assert raw_by_skopeo(f"oci:{tmp_path}/out:b") == store.one.raw
    target = open_target(parse_location(f"oci:{tmp_path}/out"))
    assert str(target.tagged("a")) == store.two.digest
    assert target.tagged("c") is None


def test_nothing_moves_twice(store, tmp_path):
    source = open_layout(store.folder)
    manifest = source.resolve("two")
    moved = []
    for _ in range(2):
        target = LayoutTarget(tmp_path / "out")
        moved.append(carry(source, target, manifest, "x"))
        target.close()
    assert moved[0] > 0
    assert moved[1] == 0
    assert len(index_of(tmp_path / "out")["manifests"]) == 6  # the image, two tags of cosign, three referrers


def test_without_a_name_the_image_is_listed_when_all_is_there(store, tmp_path):
    copy(f"oci:{store.folder}:two", f"oci:{tmp_path}/out")
    with reading(f"oci:{tmp_path}/out") as source:
        assert source.resolve(None).raw == store.two.raw
    target = LayoutTarget(tmp_path / "failed")
    source = open_layout(store.folder)
    carry(source, target, source.manifest(source.resolve("two").children[0].digest), None)
    target.abandon()
    assert index_of(tmp_path / "failed")["manifests"] == []


def test_many_threads_write_each_blob_once(tmp_path):
    images = Images(tmp_path / "made", 3)
    family = images.family(8, 400_000, 50_000)
    source, target = open_layout(tmp_path / "made"), LayoutTarget(tmp_path / "out")
    moved: list[int] = []
    work = [
        threading.Thread(
            target=lambda tag=made.tag: moved.append(carry(source, target, source.resolve(tag), tag))
        )
        for made in family
    ]
    for one in work:
        one.start()
    for one in work:
        one.join()
    target.close()
    assert sum(moved) == sum(dict(size for made in family for size in made.sizes().items()).values())
    for made in family:
        assert raw_by_skopeo(f"oci:{tmp_path}/out:{made.tag}") == made.raw


VICTIM = """
import sys, time
from pathlib import Path
from ferryman.oci.transports.layout import LayoutTarget, open_layout
source, target = open_layout(Path(sys.argv[1])), LayoutTarget(Path(sys.argv[2]))
blob = source.resolve("big").layers[0]
def tell(count):
    print(count, flush=True)
    sys.stdin.read(1)
target.put_blob(blob, lambda offset: source.open_blob(blob, offset), tell, None)
"""


def test_it_goes_on_after_kill_9(tmp_path):
    images = Images(tmp_path / "made", 5)
    images.image([images.noise(6_000_000)], tag="big")
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM, tmp_path / "made", tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    first = 0
    for _ in range(3):
        first += int(process.stdout.readline())
        process.stdin.write("x")
        process.stdin.flush()
    first += int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    source, target = open_layout(tmp_path / "made"), LayoutTarget(tmp_path / "out")
    manifest = source.resolve("big")
    assert not target.has_blob(manifest.layers[0])
    second = carry(source, target, manifest, "big")
    target.close()
    rest = sum(blob.size for blob in manifest.blobs)
    assert first > 0
    assert first + second == rest  # not one byte is read twice
    assert raw_by_skopeo(f"oci:{tmp_path}/out:big") == manifest.raw


def test_a_partial_file_with_other_bytes_is_begun_anew(store, tmp_path):
    source, target = open_layout(store.folder), LayoutTarget(tmp_path / "out")
    manifest = source.resolve("one")
    blob = manifest.layers[0]
    target.put_manifest(manifest, None)
    (tmp_path / "out" / PARTIAL / f"sha256-{blob.digest.hex}").write_bytes(b"rubbish")
    carry(source, target, manifest, "x")
    target.close()
    assert raw_by_skopeo(f"oci:{tmp_path}/out:x") == store.one.raw
    assert read(open_layout(tmp_path / "out"), blob) == read(source, blob)


def test_two_processes_write_into_one_folder(store, tmp_path):
    code = (
        "import sys\n"
        "from tests.integration.oci.transports.carrying import copy\n"
        "for n in range(10): copy(f'oci:{sys.argv[1]}:two', f'oci:{sys.argv[2]}:{sys.argv[3]}-{n}')\n"
    )
    work = [
        subprocess.Popen([sys.executable, "-c", code, store.folder, tmp_path / "out", name]) for name in "abc"
    ]
    assert [one.wait() for one in work] == [0, 0, 0]
    names = {f"{name}-{n}" for name in "abc" for n in range(10)}
    assert names <= set(open_layout(tmp_path / "out").tags())


@pytest.mark.parametrize("last", ["index.json", "oci-layout"])
def test_a_layout_whose_beginning_was_cut_off_goes_on(store, tmp_path, monkeypatch, last):
    out = tmp_path / "out"

    def cut(path, data):
        if path.name == last:
            raise KeyboardInterrupt
        replace_file(path, data)

    source = open_layout(store.folder)
    manifest = source.resolve("two")
    with monkeypatch.context() as patch:
        patch.setattr("ferryman.oci.transports.layout.replace_file", cut)
        with pytest.raises(KeyboardInterrupt):
            LayoutTarget(out).put_manifest(manifest, "two")
    assert not (out / "oci-layout").exists()
    other = LayoutTarget(out)
    other.abandon()  # tidies nothing that says whose folder it is
    target = LayoutTarget(out)
    carry(source, target, manifest, "two")
    target.close()
    assert open_layout(out).resolve("two").raw == manifest.raw
    assert not (out / PARTIAL).exists()


def test_wrong_bytes_are_never_visible(store, tmp_path):
    source, target = open_layout(store.folder), LayoutTarget(tmp_path / "out")
    real = source.resolve("one").layers[0]
    for wrong in (
        Descriptor("", real.digest, real.size - 1),
        Descriptor("", Descriptor.of("", b"other").digest, real.size),
    ):
        with pytest.raises(Corrupt):
            target.put_blob(wrong, lambda offset: source.open_blob(real, offset), lambda count: None, None)
        assert not target.has_blob(wrong)
        assert list((tmp_path / "out/blobs/sha256").iterdir()) == []


def test_a_full_disk(store, tmp_path, monkeypatch):
    source, target = open_layout(store.folder), LayoutTarget(tmp_path / "out")
    blob = source.resolve("one").layers[0]

    def full(descriptor: int, data: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ferryman.oci.transports.layout.os.write", full)
    with pytest.raises(Exhausted) as error:
        target.put_blob(blob, lambda offset: source.open_blob(blob, offset), lambda count: None, None)
    assert error.value.code == "disk_full"


def damage(folder, how: str) -> None:
    if how == "no version":
        (folder / "oci-layout").unlink()
    elif how == "other version":
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"9"}')
    elif how == "no index":
        (folder / "index.json").unlink()
    elif how == "index is no JSON":
        (folder / "index.json").write_text('{"manifests": [')
    elif how == "index is a pipe":
        (folder / "index.json").unlink()
        os.mkfifo(folder / "index.json")
    elif how == "index too large":
        with (folder / "index.json").open("ab") as file:
            file.truncate(40 << 20)
    elif how == "digest leads out":
        document = index_of(folder)
        document["manifests"][0]["digest"] = "sha256:../../../../etc/passwd"
        (folder / "index.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "how",
    [
        "no version",
        "other version",
        "no index",
        "index is no JSON",
        "index is a pipe",
        "index too large",
        "digest leads out",
    ],
)
def test_damaged_layouts_are_refused(store, tmp_path, how):
    folder = tmp_path / "layout"
    shutil.copytree(store.folder, folder)
    damage(folder, how)
    with pytest.raises(Corrupt) as error:
        open_source(parse_location(f"oci:{folder}"))
    assert error.value.code == "layout_damaged"
    assert str(folder) in error.value.message


def test_damaged_blobs_are_told(store, tmp_path):
    folder = tmp_path / "layout"
    shutil.copytree(store.folder, folder)
    source = open_layout(folder)
    manifest = source.resolve("one")
    first, second = manifest.layers
    blobs = folder / "blobs" / "sha256"
    (blobs / first.digest.hex).write_bytes(b"short")
    with pytest.raises(Corrupt) as error:
        source.open_blob(first)
    assert error.value.code == "blob_length"
    (blobs / second.digest.hex).unlink()
    with pytest.raises(NotFound) as missing:
        source.open_blob(second)
    assert missing.value.code == "blob_unknown"
    os.mkfifo(blobs / second.digest.hex)
    with pytest.raises(NotFound):
        source.open_blob(second)
    (blobs / manifest.digest.hex).write_bytes(b" " + manifest.raw)
    with pytest.raises(Corrupt) as mismatch:
        source.resolve("one")
    assert mismatch.value.code == "manifest_mismatch"
    (blobs / manifest.digest.hex).write_bytes(b" " * (5 << 20))
    with pytest.raises(Invalid) as large:
        source.resolve("one")
    assert large.value.code == "manifest_too_large"
    assert source.resolve("two").raw == store.two.raw


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    for place in (tmp_path / "mine", tmp_path / "mine" / "file"):
        with pytest.raises(Conflict) as error:
            LayoutTarget(place)
        assert error.value.code == "folder_in_use"
    with pytest.raises(FerryError) as missing:
        open_layout(tmp_path / "none")
    assert missing.value.code == "place_missing"
    LayoutTarget(tmp_path / "new").close()
    assert not (tmp_path / "new").exists()

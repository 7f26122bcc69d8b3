"""Images made for tests are the same for everyone, and what they say of themselves."""

import hashlib
import json
import os
import tarfile
import zlib
from pathlib import Path

from ferryman.testing.images import Images, Made


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def build(folder: Path, seed: int = 1) -> Made:
    images = Images(folder, seed)
    both = images.two_platforms()
    for form in ("tag", "referrer"):
        images.signed(both, form)
        images.attested(both, form)
        images.listed(both, form)
    images.family(3, 4096, 1024)
    images.image([images.layer({"a": b"x"}, "zstd"), images.layer({"b": b"y"}, "none")], tag="odd")
    return both


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    build(tmp_path / "a")
    build(tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    build(tmp_path / "c", seed=2)
    assert everything(tmp_path / "a").keys() != everything(tmp_path / "c").keys()


def test_every_blob_has_its_digest(tmp_path):
    build(tmp_path)
    for path in (tmp_path / "blobs" / "sha256").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_a_layer_is_a_tar_with_its_diff_id(tmp_path):
    layer = Images(tmp_path).layer({"etc/x/y": b"z"})
    plain = zlib.decompress(Images(tmp_path).blob_path(layer.digest).read_bytes(), 31)
    assert f"sha256:{hashlib.sha256(plain).hexdigest()}" == layer.diff_id
    (tmp_path / "t.tar").write_bytes(plain)
    with tarfile.open(tmp_path / "t.tar") as tar:
        assert tar.getnames() == ["etc", "etc/x", "etc/x/y"]


def test_a_family_shares_its_base_and_has_its_own(tmp_path):
    family = Images(tmp_path).family(3, 100_000, 10_000)
    bases = {json.loads(made.raw)["layers"][0]["digest"] for made in family}
    owns = {json.loads(made.raw)["layers"][1]["digest"] for made in family}
    assert len(bases) == 1
    assert len(owns) == 3
    assert [made.tag for made in family] == ["image-00", "image-01", "image-02"]
    assert all(size >= 10_000 for made in family for size in [json.loads(made.raw)["layers"][1]["size"]])


def test_a_folder_becomes_a_layer_that_does_not_depend_on_when_it_was_made(tmp_path):
    digests = []
    for name in ("a", "b"):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/passwd").write_text("root\n")
        (root / "etc/passwd").chmod(0o640)
        (root / "etc/link").symlink_to("passwd")
        (root / "hard").hardlink_to(root / "etc/passwd")
        os.utime(root / "etc/passwd", (1, len(digests) + 5))
        os.mkfifo(root / "pipe")
        digests.append(Images(tmp_path / "made").tree(root, "none").digest)
    assert digests[0] == digests[1]
    with tarfile.open(Images(tmp_path / "made").blob_path(digests[0])) as tar:
        assert tar.getnames() == ["etc", "etc/link", "etc/passwd", "hard"]
        assert tar.getmember("hard").linkname == "etc/passwd"
        assert tar.getmember("etc/passwd").mode & 0o777 == 0o640

"""OCI and docker archives, with skopeo, podman and umoci as writers and judges."""

import gzip
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ferryman.core.errors import Conflict, Corrupt, Invalid, NotFound
from ferryman.oci.location import parse_location
from ferryman.oci.transports import TransportOptions, open_source, open_target
from tests.integration.oci.transports.carrying import (
    carry,
    copy,
    everything,
    raw_by_skopeo,
    read,
    reading,
    run,
)


def all_of(location: str) -> list[bytes]:
    with reading(location) as source:
        return list(everything(source, source.resolve(parse_location(location).wanted)))


class TestOciArchive:
    def test_skopeo_reads_what_we_write(self, store, tmp_path):
        copy(f"oci:{store.folder}:two", f"oci-archive:{tmp_path}/a.tar:two")
        assert raw_by_skopeo(f"oci-archive:{tmp_path}/a.tar:two") == store.two.raw
        run("skopeo", "copy", "--all", f"oci-archive:{tmp_path}/a.tar:two", f"oci:{tmp_path}/back:two")
        assert all_of(f"oci:{tmp_path}/back:two") == all_of(f"oci:{store.folder}:two")

    def test_we_read_what_skopeo_writes(self, store, tmp_path):
        run("skopeo", "copy", "--all", f"oci:{store.folder}:two", f"oci-archive:{tmp_path}/a.tar:two")
        assert all_of(f"oci-archive:{tmp_path}/a.tar:two") == all_of(f"oci:{store.folder}:two")
        assert all_of(f"oci-archive:{tmp_path}/a.tar") == all_of(f"oci:{store.folder}:two")

    def test_signatures_and_referrers_come_along(self, store, tmp_path):
        copy(f"oci:{store.folder}:two", f"oci-archive:{tmp_path}/a.tar:two")
        here = open_source(parse_location(f"oci:{store.folder}"))
        digest = here.resolve("two").digest
        with reading(f"oci-archive:{tmp_path}/a.tar") as there:
            assert {one.digest for one in there.referrers(digest)} == {
                one.digest for one in here.referrers(digest)
            }
            assert len(there.referrers(digest)) == 5
            types = {one.artifact_type for one in there.referrers(digest)}
            assert {"application/vnd.in-toto+json", "text/spdx+json"} <= types
            assert there.resolve(None).digest == digest  # what is attached is not mistaken for an image

    def test_podman_reads_what_we_write_and_we_what_it_writes(self, store, tmp_path, podman):
        copy(f"oci:{store.folder}:one", f"oci-archive:{tmp_path}/a.tar:one")
        number = podman("pull", "-q", f"oci-archive:{tmp_path}/a.tar").strip()
        digest = json.loads(podman("inspect", number))[0]["Digest"]
        assert digest == store.one.digest
        podman("save", "-q", "--format", "oci-archive", "-o", tmp_path / "b.tar", number)
        with reading(f"oci-archive:{tmp_path}/b.tar") as source:
            assert str(source.resolve(None).config.digest) == json.loads(store.one.raw)["config"]["digest"]

    def test_a_compressed_archive_is_read_too(self, store, tmp_path):
        copy(f"oci:{store.folder}:one", f"oci-archive:{tmp_path}/a.tar:one")
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress((tmp_path / "a.tar").read_bytes(), 1))
        assert all_of(f"oci-archive:{tmp_path}/a.tar.gz:one") == all_of(f"oci:{store.folder}:one")

    def test_a_bomb_is_refused_before_the_disk_is_full(self, tmp_path):
        (tmp_path / "b.tar.gz").write_bytes(gzip.compress(bytes(80 << 20), 9))
        with pytest.raises(Invalid) as error:
            open_source(
                parse_location(f"oci-archive:{tmp_path}/b.tar.gz"), TransportOptions(temporary=tmp_path)
            )
        assert error.value.code == "archive_limit"
        assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]

    def test_the_archive_is_there_whole_or_not_at_all(self, store, tmp_path):
        source = open_source(parse_location(f"oci:{store.folder}"))
        target = open_target(parse_location(f"oci-archive:{tmp_path}/a.tar"))
        carry(source, target, source.resolve("one"), "one")
        assert list(tmp_path.iterdir()) == []
        target.abandon()
        target.close()
        assert list(tmp_path.iterdir()) == []

    def test_an_archive_that_is_there_is_kept(self, store, tmp_path):
        (tmp_path / "a.tar").write_bytes(b"mine")
        with pytest.raises(Conflict) as error:
            copy(f"oci:{store.folder}:one", f"oci-archive:{tmp_path}/a.tar:one")
        assert error.value.code == "archive_exists"
        assert (tmp_path / "a.tar").read_bytes() == b"mine"
        copy(f"oci:{store.folder}:one", f"oci-archive:{tmp_path}/a.tar:one", TransportOptions(replace=True))
        assert raw_by_skopeo(f"oci-archive:{tmp_path}/a.tar:one") == store.one.raw

    def test_a_blob_that_does_not_match_leaves_the_archive_sound(self, store, tmp_path):
        broken = tmp_path / "broken"
        shutil.copytree(store.folder, broken)
        source = open_source(parse_location(f"oci:{broken}"))
        manifest = source.resolve("one")
        path = broken / "blobs" / "sha256" / manifest.layers[1].digest.hex
        data = bytearray(path.read_bytes())
        data[20] ^= 1
        path.write_bytes(data)
        target = open_target(parse_location(f"oci-archive:{tmp_path}/a.tar"))
        with pytest.raises(Corrupt) as error:
            carry(source, target, manifest, "one")
        assert error.value.code == "blob_mismatch"
        carry(open_source(parse_location(f"oci:{store.folder}")), target, manifest, "one")
        target.close()
        assert all_of(f"oci-archive:{tmp_path}/a.tar:one") == all_of(f"oci:{store.folder}:one")

    def test_names_that_are_missing_or_many_are_told(self, store, tmp_path):
        run("tar", "-cf", tmp_path / "all.tar", "-C", store.folder, ".")
        with reading(f"oci-archive:{tmp_path}/all.tar") as source:
            assert {"one", "two"} <= set(source.tags())
            with pytest.raises(NotFound, match="'three'"):
                source.resolve("three")
            with pytest.raises(Invalid) as error:
                source.resolve(None)
            assert error.value.code == "image_ambiguous"
            assert source.resolve(store.two.digest).raw == store.two.raw
        with pytest.raises(NotFound, match="There is no file"):
            open_source(parse_location(f"oci-archive:{tmp_path}/none.tar"))


class TestDockerArchive:
    def test_skopeo_and_podman_read_what_we_write(self, store, tmp_path, podman):
        copy(f"oci:{store.folder}:one", f"docker-archive:{tmp_path}/a.tar:example.test/team/one:v1")
        config = json.loads(raw_by_skopeo(f"docker-archive:{tmp_path}/a.tar"))["config"]["digest"]
        assert config == json.loads(store.one.raw)["config"]["digest"]
        assert "example.test/team/one:v1" in podman("load", "-q", "-i", tmp_path / "a.tar")

    def test_we_read_our_own_unchanged(self, store, tmp_path):
        copy(f"oci:{store.folder}:two", f"docker-archive:{tmp_path}/a.tar:example.test/team/two:v1")
        assert all_of(f"docker-archive:{tmp_path}/a.tar:example.test/team/two:v1") == all_of(
            f"oci:{store.folder}:two"
        )
        with pytest.raises(NotFound):
            all_of(f"docker-archive:{tmp_path}/a.tar:example.test/other:v1")

    @pytest.mark.parametrize("writer", ["skopeo", "podman"])
    def test_we_read_what_others_write_without_manifest(self, store, tmp_path, podman, writer):
        file = tmp_path / "a.tar"
        if writer == "skopeo":
            run(
                "skopeo", "copy", f"oci:{store.folder}:one", f"docker-archive:{file}:example.test/team/one:v1"
            )
        else:
            number = podman("pull", "-q", f"oci:{store.folder}:one").strip()
            podman("tag", number, "example.test/team/one:v1")
            podman("save", "-q", "-o", file, "example.test/team/one:v1")
        with reading(f"docker-archive:{file}:example.test/team/one:v1") as source:
            manifest = source.resolve("v1")
            assert str(manifest.config.digest) == json.loads(store.one.raw)["config"]["digest"]
            assert "its digest is not that of" in source.notes[0].lower()
            assert list(source.tags()) == ["v1"]
        copy(f"docker-archive:{file}", f"oci:{tmp_path}/out:x")
        assert raw_by_skopeo(f"oci:{tmp_path}/out:x") == manifest.raw
        run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/out:x", tmp_path / "bundle")
        assert (tmp_path / "bundle/rootfs/etc/greeting").read_text() == "hello\n"

    def test_several_images_need_a_name(self, store, tmp_path):
        file = tmp_path / "a.tar"
        for tag, name in (("one", "example.test/a:1"), ("two", "example.test/b:2")):
            run(
                "skopeo", "copy", "--override-arch", "amd64", f"oci:{store.folder}:{tag}",
                f"docker-archive:{tmp_path}/{tag}.tar:{name}",
            )  # fmt: skip
        merge(file, tmp_path / "one.tar", tmp_path / "two.tar")
        with pytest.raises(Invalid) as error:
            all_of(f"docker-archive:{file}")
        assert error.value.code == "image_ambiguous"
        assert "example.test/a:1" in error.value.message
        assert (
            all_of(f"docker-archive:{file}:example.test/b:2")[0]
            != all_of(f"docker-archive:{file}:example.test/a:1")[0]
        )

    def test_whole_references_are_tags_too(self, store, tmp_path):
        """Copying several images into one archive names each in full; the same tag of two repositories is two names."""
        source = open_source(parse_location(f"oci:{store.folder}"))
        names = {"example.test/a:1": source.resolve("one"), "example.test/b:1": source.resolve("two")}
        for scheme, options in (
            ("docker-archive", TransportOptions(platform="linux/amd64")),
            ("oci-archive", None),
        ):
            target = open_target(parse_location(f"{scheme}:{tmp_path}/{scheme}.tar"), options)
            for name, manifest in names.items():
                carry(source, target, manifest, name)
            target.close()
            for name, manifest in names.items():
                assert all_of(f"{scheme}:{tmp_path}/{scheme}.tar:{name}")[0] == manifest.raw
        assert raw_by_skopeo(f"oci-archive:{tmp_path}/oci-archive.tar:example.test/a:1") == store.one.raw
        config = json.loads(raw_by_skopeo(f"docker-archive:{tmp_path}/docker-archive.tar:example.test/b:1"))[
            "config"
        ]
        assert config["digest"] == json.loads(store.two.children[0].raw)["config"]["digest"]


def merge(target: Path, *files: Path) -> None:
    """Join docker archives: members of all, and one list."""
    listed = []
    with tarfile.open(target, "w") as out:
        for file in files:
            with tarfile.open(file) as tar:
                for member in tar:
                    content = tar.extractfile(member)
                    if member.name == "manifest.json":
                        listed += json.load(content)
                    elif member.name != "repositories":
                        out.addfile(member, content)
        data = json.dumps(listed).encode()
        (target.parent / "manifest.json").write_bytes(data)
        out.add(target.parent / "manifest.json", "manifest.json")


def test_blobs_are_read_from_anywhere(store, tmp_path):
    copy(f"oci:{store.folder}:one", f"oci-archive:{tmp_path}/a.tar:one")
    for location in (f"oci:{store.folder}", f"oci-archive:{tmp_path}/a.tar"):
        with reading(location) as source:
            blob = source.resolve("one").layers[0]
            whole = read(source, blob)
            assert read(source, blob, 1000) == whole[1000:]
            assert read(source, blob, blob.size) == b""
            with pytest.raises(Invalid):
                source.open_blob(blob, blob.size + 1)
            with source.open_blob(blob, 7) as stream:
                assert stream.offset == 7
                assert stream.size == blob.size

"""A real Docker Engine as source and target, with docker and skopeo as judges."""

import json
import threading

import pytest

from ferryman.core.errors import Corrupt, Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.transports import TransportOptions, open_source, open_target
from ferryman.testing.images import Images
from tests.integration.oci.transports.carrying import carry, copy, raw_by_skopeo, read, reading


@pytest.fixture
def options(engine):
    return TransportOptions(docker_host=engine.host, platform="linux/amd64")


def config_of(made) -> str:
    digest: str = json.loads(made.raw)["config"]["digest"]
    return digest


def test_docker_runs_what_we_load(store, engine, options):
    copy(f"oci:{store.folder}:one", "docker-daemon:example.test/team/one:v1", options)
    image = json.loads(engine.docker("image", "inspect", "example.test/team/one:v1"))[0]
    assert image["Id"] == config_of(store.one)
    said = engine.docker("run", "--rm", "--network", "none", "example.test/team/one:v1")
    assert said == "hello\n"


def test_of_several_platforms_the_engine_gets_its_own(store, engine, options):
    copy(f"oci:{store.folder}:two", "docker-daemon:two:v1", options)
    image = json.loads(engine.docker("image", "inspect", "two:v1"))[0]
    assert image["Architecture"] == "amd64"
    assert image["Id"] == config_of(store.two.children[0])


def test_what_the_engine_has_is_read_with_made_manifests(store, engine, options, tmp_path):
    raw_config = raw_by_skopeo(f"oci:{store.folder}:one", "--config")
    copy(f"oci:{store.folder}:one", "docker-daemon:example.test/team/back:v1", options)
    manifest = copy("docker-daemon:example.test/team/back:v1", f"oci:{tmp_path}/out:x", options)
    assert str(manifest.config.digest) == config_of(store.one)
    assert raw_by_skopeo(f"oci:{tmp_path}/out:x", "--config") == raw_config
    assert raw_by_skopeo(f"oci:{tmp_path}/out:x") == manifest.raw
    by_id = copy(f"docker-daemon:{config_of(store.one)}", f"oci:{tmp_path}/out:y", options)
    assert by_id.digest == manifest.digest


def test_tags_notes_and_what_is_missing(store, engine, options):
    copy(f"oci:{store.folder}:one", "docker-daemon:example.test/tags:a", options)
    copy(f"oci:{store.folder}:one", "docker-daemon:example.test/tags:b", options)
    source = open_source(parse_location("docker-daemon:example.test/tags"), options)
    assert sorted(source.tags()) == ["a", "b"]
    manifest = source.resolve("a")
    assert source.notes
    assert source.manifest(manifest.digest).raw == manifest.raw
    assert len(read(source, manifest.layers[0])) == manifest.layers[0].size
    with pytest.raises(NotFound) as error:
        source.resolve("c")
    assert error.value.code == "manifest_unknown"
    with pytest.raises(NotFound):
        source.open_blob(Descriptor.of("text/plain", b"never"))
    source.close()
    target = open_target(parse_location("docker-daemon:example.test/x:1"), options)
    assert target.notes
    target.close()


def test_a_copy_that_fails_leaves_nothing_in_the_engine(store, engine, options):
    source = open_source(parse_location(f"oci:{store.folder}"))
    target = open_target(parse_location("docker-daemon:example.test/half:1"), options)
    manifest = source.resolve("one")

    def fail(count: int) -> None:
        raise Unavailable("cut", "the link is down")

    with pytest.raises(Unavailable):
        target.put_blob(
            manifest.layers[0], lambda offset: source.open_blob(manifest.layers[0], offset), fail, None
        )
    with pytest.raises(Unavailable):  # a tar that went out in part is lost as a whole
        carry(source, target, manifest, "1")
    target.abandon()
    assert "example.test/half" not in engine.docker("images")


def test_what_the_engine_refuses_is_told(store, engine, options, tmp_path):
    images = Images(tmp_path / "odd")
    images.image([images.layer({"a": b"x"}, "zstd")], tag="zstd")
    with pytest.raises(FerryError) as error:
        copy(f"oci:{tmp_path}/odd:zstd", "docker-daemon:example.test/odd:1", options)
    assert error.value.code == "engine_refused"
    assert isinstance(error.value, Corrupt | Invalid)


def test_blobs_of_many_threads_go_one_after_another(store, engine, options):
    source = open_source(parse_location(f"oci:{store.folder}"))
    target = open_target(parse_location("docker-daemon:example.test/threads:1"), options)
    manifest = source.resolve("one")
    work = [
        threading.Thread(
            target=target.put_blob,
            args=(blob, lambda offset, blob=blob: source.open_blob(blob, offset), lambda count: None, None),
        )
        for blob in manifest.blobs * 3
    ]
    for one in work:
        one.start()
    for one in work:
        one.join()
    target.put_manifest(manifest, "1")
    target.close()
    assert json.loads(engine.docker("image", "inspect", "example.test/threads:1"))[0]["Id"] == config_of(
        store.one
    )


def test_an_engine_that_is_not_there(tmp_path):
    options = TransportOptions(docker_host=f"unix://{tmp_path}/none.sock")
    for opening in (open_source, open_target):
        with pytest.raises(Unavailable) as error:
            opening(parse_location("docker-daemon:x"), options)
        assert error.value.code == "engine_unreachable"
        with pytest.raises(Invalid) as invalid:
            opening(parse_location("docker-daemon:x"), TransportOptions(docker_host="tcp://127.0.0.1:2375"))
        assert invalid.value.code == "docker_host_unsupported"


def test_docker_saves_and_we_read(store, engine, options, tmp_path):
    copy(f"oci:{store.folder}:one", "docker-daemon:example.test/save:1", options)
    engine.docker("save", "-o", str(tmp_path / "saved.tar"), "example.test/save:1")
    with reading(f"docker-archive:{tmp_path}/saved.tar:example.test/save:1") as source:
        assert str(source.resolve("1").config.digest) == config_of(store.one)
    copy(f"oci:{store.folder}:one", f"docker-archive:{tmp_path}/ours.tar:example.test/load:1")
    engine.docker("load", "-i", str(tmp_path / "ours.tar"))
    assert json.loads(engine.docker("image", "inspect", "example.test/load:1"))[0]["Id"] == config_of(
        store.one
    )


def test_a_whole_reference_is_a_tag_too(store, engine, options):
    source = open_source(parse_location(f"oci:{store.folder}"))
    target = open_target(parse_location("docker-daemon:example.test/whole:1"), options)
    carry(source, target, source.resolve("one"), "example.test/whole:1")
    target.close()
    assert json.loads(engine.docker("image", "inspect", "example.test/whole:1"))[0]["Id"] == config_of(
        store.one
    )


def test_doors_that_are_closed(monkeypatch):
    def refuse(self: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ferryman.oci.transports.engine._Connection.connect", refuse)
    with pytest.raises(Denied) as error:
        open_source(parse_location("docker-daemon:x"), TransportOptions(docker_host="unix:///run/none"))
    assert error.value.code == "engine_denied"

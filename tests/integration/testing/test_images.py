"""Images made for tests are what other tools take them for."""

import json
from pathlib import Path

from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images
from tests.integration.oci.transports.carrying import raw_by_skopeo, run


def test_a_registry_takes_all_kinds_and_skopeo_reads_them(tmp_path):
    images = Images(tmp_path / "made", 31)
    two = images.two_platforms("two")
    docker = images.two_platforms("docker", docker=True)
    family = images.family(3, 200_000, 20_000)
    odd = images.image([images.layer({"a": b"x"}, "zstd"), images.layer({"b": b"y"}, "none")], tag="odd")
    attached = [
        images.signed(two),
        images.signed(two, "referrer"),
        images.attested(two),
        images.listed(two, "tag"),
    ]
    with DockerRegistry(tmp_path / "registry") as registry:
        for made in (two, docker, odd, *attached):
            images.push(registry.host, "team/tools", made)
        for made in family:
            images.push(registry.host, f"family/{made.tag}", made, "v1")
        for made in (two, docker, odd):
            address = f"docker://{registry.host}/team/tools:{made.tag}"
            assert raw_by_skopeo(address, "--tls-verify=false") == made.raw
        tags = json.loads(
            run("skopeo", "list-tags", "--tls-verify=false", f"docker://{registry.host}/team/tools")
        )
        assert f"{two.digest.replace(':', '-')}.sig" in tags["Tags"]
        run(
            "skopeo", "copy", "--all", "--src-tls-verify=false",
            f"docker://{registry.host}/family/image-02:v1", f"dir:{tmp_path}/dir",
        )  # fmt: skip
    assert (tmp_path / "dir/manifest.json").read_bytes() == family[2].raw


def test_umoci_unpacks_them(tmp_path):
    images = Images(tmp_path / "made", 32)
    images.image(tag="one")
    run("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/made:one", tmp_path / "bundle")
    root = Path(tmp_path / "bundle/rootfs")
    assert (root / "etc/greeting").read_text() == "hello from linux/amd64, seed 32\n"
    assert run(root / "bin/busybox", "echo", "it runs") == "it runs\n"

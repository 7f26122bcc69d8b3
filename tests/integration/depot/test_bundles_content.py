"""What bundles carry: sha512 throughout, sparse indexes, artifacts, models, and what refers to all of these."""

import json
import random

import pytest

from ferryman.oci.manifest import parse_manifest
from ferryman.oci.media import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.conformance.depot.making import (
    ORIGIN,
    described,
    digest_of,
    image,
    index,
    put_image,
    store,
    subject,
)
from tests.integration.depot.test_bundles import Site, digests, everything


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    yield site
    site.close()


@pytest.fixture
def there(tmp_path, here):
    site = Site(tmp_path / "there")
    site.keys.trust("here", str(here.keys.own()))
    yield site
    site.close()


def carried(here, there, *refs):
    """Carry `refs`, split and compressed in every way; each time into what the time before left out."""
    for options in ({"volume_size": 150_000}, {"volume_size": 150_000, "zstd": True}, {"zstd": True}, {}):
        made = here.create(*refs, **options)
        here.verify(*made.files)
        assert there.load(*reversed(made.files)).complete
        assert everything(there.depot) == everything(here.depot)
        assert digests(there.depot) == digests(here.depot)
        assert not list(there.depot.fsck())
        for name in refs:
            repository, _, tag = name.rpartition(":")
            there.depot.untag(repository, tag, ORIGIN)
        there.depot.gc(grace=0)
    assert there.load(*made.files).complete


def test_sha512(here, there):
    layers = [random.Random(at).randbytes(200_000) for at in range(2)]
    for content in (b"{}", *layers):
        store(here.depot, content, algorithm="sha512")
    one = image(*layers, algorithm="sha512")
    here.depot.put_manifest("team/app", one, None, ORIGIN)
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [
                {"mediaType": OCI_MANIFEST, "digest": str(one.digest), "size": len(one.raw)},
            ],
        }
    ).encode()
    both = parse_manifest(raw, OCI_INDEX, digest_of(raw, "sha512"))
    here.depot.put_manifest("team/app", both, "512", ORIGIN)
    store(here.depot, b"a signature", algorithm="sha512")
    signed = image(b"a signature", algorithm="sha512", subject=subject(both))
    here.depot.put_manifest("team/app", signed, None, ORIGIN)
    carried(here, there, "team/app:512")
    found = there.depot.manifest("team/app", "512")
    assert (found.digest, found.raw) == (both.digest, both.raw)
    assert {one.digest.algorithm for one in there.depot.find_blobs(limit=100)[0]} == {"sha512"}
    assert [one.digest for one in there.depot.referrers("team/app", both.digest)] == [signed.digest]


def test_sparse_indexes_and_artifacts(here, there):
    one = put_image(here.depot, "team/app", None, random.Random(1).randbytes(180_000))
    absent = image(b"of another platform", config=b'{"os":"plan9"}')
    here.depot.put_manifest("team/app", index(one, absent), "sparse", ORIGIN, sparse=True)
    store(here.depot, b"list of parts")
    kind = "application/vnd.example.sbom"
    parts = image(b"list of parts", artifactType=kind, subject=subject(one))
    here.depot.put_manifest("team/app", parts, None, ORIGIN)
    lonely = put_image(
        here.depot, "team/chart", "1", b"a chart", artifactType="application/vnd.example.chart"
    )
    about = image(b"list of parts", artifactType=kind, subject=subject(absent))
    here.depot.put_manifest("team/app", about, "about-absent", ORIGIN)
    carried(here, there, "team/app:sparse", "team/chart:1", "team/app:about-absent")
    found = there.depot.referrers("team/app", one.digest)
    assert [(entry.digest, entry.artifact_type) for entry in found] == [(parts.digest, kind)]
    assert there.depot.manifest("team/chart", "1").raw == lonely.raw


def test_models(here, there):
    weights, licence = random.Random(2).randbytes(400_000), b"You may use it."
    config = b'{"model_format":"gguf"}'
    for content in (weights, licence, config):
        store(here.depot, content)
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": described(config, "application/vnd.docker.container.image.v1+json"),
            "layers": [
                described(weights, "application/vnd.ollama.image.model"),
                described(licence, "application/vnd.ollama.image.license"),
            ],
        }
    ).encode()
    name = "registry.ollama.ai/library/tiny"
    here.depot.put_manifest(name, parse_manifest(raw, DOCKER_MANIFEST), "1b", ORIGIN)
    carried(here, there, f"{name}:1b")
    assert there.depot.manifest(name, "1b").raw == raw

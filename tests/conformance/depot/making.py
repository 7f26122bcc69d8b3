"""Small manifests and blobs for tests of the depot."""

import hashlib
import json

from ferryman.core.digests import Digest
from ferryman.depot.model import Origin
from ferryman.oci.manifest import parse_manifest
from ferryman.oci.media import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

ORIGIN = Origin("docker://quay.io/team/app", 1000.0, "job-1")


def digest_of(content: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, content).hexdigest())


def store(depot, content: bytes, *, hold=None, algorithm: str = "sha256", origin=ORIGIN) -> Digest:
    digest = digest_of(content, algorithm)
    with depot.writer(origin, digest, hold=hold) as writer:
        writer.write(content)
        return writer.commit().digest


def described(content: bytes, kind: str = OCI_LAYER, algorithm: str = "sha256") -> dict:
    return {"mediaType": kind, "digest": str(digest_of(content, algorithm)), "size": len(content)}


def image(*layers: bytes, config: bytes = b"{}", algorithm="sha256", **more):
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described(config, OCI_CONFIG, algorithm),
        "layers": [described(layer, algorithm=algorithm) for layer in layers],
        **more,
    }
    raw = json.dumps(document).encode()
    return parse_manifest(raw, OCI_MANIFEST, digest_of(raw, algorithm))


def index(*children, **more):
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {"mediaType": child.media_type, "digest": str(child.digest), "size": len(child.raw)}
            for child in children
        ],
        **more,
    }
    return parse_manifest(json.dumps(document).encode(), OCI_INDEX)


def subject(manifest) -> dict:
    return {
        "mediaType": manifest.media_type,
        "digest": str(manifest.digest),
        "size": len(manifest.raw),
    }


def put_image(depot, repository, tag, *layers: bytes, config=b"{}", hold=None, **more):
    """An image with its blobs."""
    for content in (config, *layers):
        store(depot, content, hold=hold)
    made = image(*layers, config=config, **more)
    depot.put_manifest(repository, made, tag, ORIGIN, hold)
    return made


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

"""What the tests of the registry client share: content, and how it is pushed and read."""

import hashlib
import json

from ferryman.oci import media
from ferryman.oci.client import RegistryClient
from ferryman.oci.manifest import Descriptor, Manifest, parse_manifest
from ferryman.oci.options import RegistryOptions
from ferryman.oci.ports import BlobStream, Target
from ferryman.oci.streams import BytesStream

CONFIG = b"{}"


def options(**more) -> RegistryOptions:
    return RegistryOptions(plain_http=True, **({"backoff": 0.001, "sleep": lambda _: None} | more))


def made_up(size: int, seed: str = "ferry") -> bytes:
    return hashlib.shake_256(seed.encode()).digest(size)


def layer(content: bytes) -> Descriptor:
    return Descriptor.of(media.OCI_LAYER, content)


def image(*layers: bytes, **more) -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": media.OCI_MANIFEST,
        "config": Descriptor.of(media.OCI_CONFIG, CONFIG).as_json(),
        "layers": [layer(content).as_json() for content in layers],
        **more,
    }
    return parse_manifest(json.dumps(document).encode(), media.OCI_MANIFEST)


def put(target: Target, content: bytes, resume=None, tell=lambda _: None) -> None:
    target.put_blob(layer(content), lambda at: BytesStream(content, at), tell, resume)


def push(client: RegistryClient, tag: str | None, *layers: bytes, **more) -> Manifest:
    manifest, target = image(*layers, **more), client.target()
    for content in (*layers, CONFIG):
        put(target, content)
    target.put_manifest(manifest, tag)
    return manifest


def everything(stream: BlobStream) -> bytes:
    found, view = bytearray(), memoryview(bytearray(100_000))
    with stream:
        while count := stream.readinto(view):
            found += view[:count]
    return bytes(found)

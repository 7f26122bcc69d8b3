"""Carries an image from a source to a target as a copy does: children, what refers to them, blobs, then the manifest."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Manifest
from ferryman.oci.ports import Source, Target
from ferryman.oci.transports import TransportOptions, open_source, open_target
from ferryman.oci.transports.entries import REF_NAME


def carry(source: Source, target: Target, manifest: Manifest, tag: str | None) -> int:
    """Returns how many bytes of blobs moved."""
    moved = 0

    def tell(count: int) -> None:
        nonlocal moved
        moved += count

    for child in manifest.children:
        moved += carry(source, target, source.manifest(child.digest), None)
    for blob in manifest.blobs:
        if not target.has_blob(blob):
            target.put_blob(blob, lambda offset, blob=blob: source.open_blob(blob, offset), tell, None)
    for one in source.referrers(manifest.digest):
        name = one.annotations.get(REF_NAME)
        moved += carry(source, target, source.manifest(one.digest), name)
    if not target.has_manifest(manifest.digest) or tag is not None:
        target.put_manifest(manifest, tag)
    return moved


def copy(here: str, there: str, options: TransportOptions | None = None) -> Manifest:
    """Copy between two locations and return the manifest."""
    first, second = parse_location(here), parse_location(there)
    source = open_source(first, options)
    try:
        target = open_target(second, options)
        try:
            manifest = source.resolve(first.wanted)
            carry(source, target, manifest, second.wanted)
        except BaseException:
            target.abandon()  # type: ignore[attr-defined]
            raise
        target.close()
    finally:
        source.close()
    return manifest


@contextmanager
def reading(location: str) -> Iterator[Source]:
    source = open_source(parse_location(location))
    try:
        yield source
    finally:
        source.close()


def everything(source: Source, manifest: Manifest) -> Iterator[bytes]:
    """All bytes that belong to a manifest, itself first, in order."""
    yield manifest.raw
    for child in manifest.children:
        yield from everything(source, source.manifest(child.digest))
    for blob in manifest.blobs:
        yield read(source, blob)


def read(source: Source, blob: Any, offset: int = 0) -> bytes:
    data = bytearray()
    view = memoryview(bytearray(65536))
    with source.open_blob(blob, offset) as stream:
        while count := stream.readinto(view):
            data += view[:count]
    return bytes(data)


def run(*words: str | Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def raw_by_skopeo(location: str, *more: str) -> bytes:
    done = subprocess.run(["skopeo", "inspect", "--raw", *more, location], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def index_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return document

"""Carrying models between the depot, the folder that Ollama reads, and a zip of that folder. Blocking.

A stock yields blobs and manifests in any order; a store takes them. Blobs are checked while they pass, a manifest becomes
visible only when all its blobs are there and only after them, and what was there before stays. Whatever is interrupted
is repeated: blobs that arrived are not moved again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Invalid
from ferryman.oci.manifest import Manifest, parse_manifest
from ferryman.oci.ollama import model_name
from ferryman.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Item:
    """A blob (`digest`) or a manifest (`model`) of a stock. `pieces` is its content; it may be left unread."""

    size: int
    pieces: Iterator[bytes]
    digest: Digest | None = None
    model: Reference | None = None


class Stock(Protocol):
    """Where models come from."""

    def items(self) -> Iterator[Item]:
        """Yield everything once. Raises `Invalid`, `Corrupt` for what is not the folder of models."""
        ...


class Store(Protocol):
    """Where models go to."""

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is there and right."""
        ...

    def put(self, digest: Digest, size: int, pieces: Iterator[bytes]) -> None:
        """Take a blob; it is visible only when it matches. Raises `Corrupt` (`blob_mismatch`), `Exhausted`."""
        ...

    def name(self, model: Reference, manifest: Manifest) -> bool:
        """Make a model visible, durably; False when it is there already. Raises `Conflict` (`model_exists`)."""
        ...


@dataclass(frozen=True, slots=True)
class Carried:
    """What came over. Sizes are bytes; `kept` is what was there before."""

    models: tuple[str, ...]
    there: tuple[str, ...]
    moved: int
    kept: int


class Stopped(Exception):
    """Carrying was stopped because its caller wanted so; what arrived is not moved again."""


def carry(
    stock: Stock, store: Store, tell: Callable[[int], None], stopped: Callable[[], bool] = lambda: False
) -> Carried:
    """Carry all of `stock` to `store`; `tell` hears of bytes. Raises `Stopped`, and what the two raise.

    Raises `Corrupt` (`model_incomplete`) that names the model whose blob is missing; models before it are there then.
    """
    manifests: list[tuple[Reference, bytes]] = []
    moved = 0

    def passed(count: int) -> None:
        nonlocal moved
        moved += count
        tell(count)

    for item in stock.items():
        if stopped():
            raise Stopped
        if item.model is not None:
            manifests.append((item.model, b"".join(item.pieces)))
        elif item.digest is not None and store.has(item.digest):
            tell(item.size)
        elif item.digest is not None:
            store.put(item.digest, item.size, _passing(item.pieces, passed, stopped))
    if not manifests:
        raise Invalid(
            "models_none",
            "There is no model in it.",
            advice="Give what 'ferry models export' writes: a folder or zip with blobs/ and manifests/.",
        )
    names: dict[bool, list[str]] = {True: [], False: []}
    sizes: dict[Digest, int] = {}
    for model, raw in sorted(manifests, key=lambda one: str(one[0])):
        manifest = _checked(model, raw, store)
        sizes.update((blob.digest, blob.size) for blob in manifest.blobs)
        names[store.name(model, manifest)].append(model_name(model))
    return Carried(tuple(names[True]), tuple(names[False]), moved, max(0, sum(sizes.values()) - moved))


def _checked(model: Reference, raw: bytes, store: Store) -> Manifest:
    manifest = parse_manifest(raw, "")
    missing = next((blob for blob in manifest.blobs if not store.has(blob.digest)), None)
    if missing is not None:
        raise Corrupt(
            "model_incomplete",
            f"The blob {missing.digest} of '{model_name(model)}' is missing.",
            advice="Export the model again where it came from; what arrived is kept.",
        )
    return manifest


def _passing(
    pieces: Iterator[bytes], tell: Callable[[int], None], stopped: Callable[[], bool]
) -> Iterator[bytes]:
    for piece in pieces:
        if stopped():
            raise Stopped
        yield piece
        tell(len(piece))

"""A model at its registry, looked at before anything of it is fetched. Blocking and thread-safe."""

import contextlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError, Invalid
from ferryman.depot.service import Depot
from ferryman.downloads.models.library import LONGEST_TEXT, is_model, read_text
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ollama import HOST, TEXTS, kind_of, model_name, named_at, parse_model
from ferryman.oci.ports import BlobStream
from ferryman.oci.reference import Reference

THREADS: Final = 4
"""Texts of one model that are read at once."""
_CONFIG: Final = 64 * 1024
"""Most bytes of a configuration that are read."""
_FACTS: Final = (
    ("Family", "model_family"),
    ("Parameters", "model_type"),
    ("Quantization", "file_type"),
    ("Format", "model_format"),
)


class Shelf(Protocol):
    """One repository of a registry, as far as looking needs it."""

    def resolve(self, tag_or_digest: str | None) -> Manifest:
        """Return the manifest of a tag."""
        ...

    def open_blob(self, blob: Descriptor, offset: int = 0) -> BlobStream:
        """Open a blob."""
        ...


Open = Callable[[Reference, bool, bool], AbstractContextManager[Shelf]]
"""Opens the repository of a reference: over HTTP without TLS or not, with private addresses allowed or not."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A model as its registry has it. `there` are the digests that the depot has, `same` whether it has just this model."""

    reference: Reference
    manifest: Manifest
    texts: dict[str, list[str]]
    facts: list[tuple[str, str]]
    there: frozenset[Digest]
    same: bool

    @property
    def name(self) -> str:
        """The name as people write it."""
        return model_name(self.reference)

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        return sum(blob.size for blob in self.manifest.blobs)

    @property
    def here(self) -> int:
        """Bytes of it that the depot has already."""
        return sum(blob.size for blob in self.manifest.blobs if blob.digest in self.there)

    @property
    def source(self) -> str:
        """The location to copy it from."""
        return named_at(self.name, HOST)


class Looks:
    """Looks at models."""

    def __init__(self, depot: Depot, open_: Open) -> None:
        """Compare with `depot`; `open_` reaches registries."""
        self._depot, self._open = depot, open_

    def look(self, text: str, *, plain_http: bool, private: bool) -> Looked:
        """Return a model with its texts. Fetches the manifest and what people can read, never the weights.

        Raises `Invalid` (`model_invalid`, `model_expected`), `NotFound`, `Denied`, `Unavailable`.
        """
        reference = named(text)
        with self._open(reference, plain_http, private) as shelf:
            manifest = shelf.resolve(reference.wanted)
            if not is_model(manifest):
                raise Invalid(
                    "model_expected",
                    f"'{model_name(reference)}' is no Ollama model: none of its layers says so.",
                    advice=f"Fetch it as an image: docker://{reference}",
                )
            texts, facts = self._read(shelf, manifest)
        there = self._depot.blobs(blob.digest for blob in manifest.blobs)
        ref = self._depot.ref(reference.name, reference.wanted)
        same = ref is not None and ref.digest == manifest.digest
        return Looked(reference, manifest, texts, facts, frozenset(there), same)

    def _read(self, shelf: Shelf, manifest: Manifest) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
        layers = [layer for layer in manifest.layers if kind_of(layer) in TEXTS]
        config = manifest.config
        with ThreadPoolExecutor(THREADS, "look") as pool:
            reading = [pool.submit(_text, shelf, layer, LONGEST_TEXT) for layer in layers]
            about = pool.submit(_text, shelf, config, _CONFIG) if config else None
        found: dict[str, list[str]] = {}
        for layer, text in zip(layers, reading, strict=True):
            found.setdefault(kind_of(layer), []).append(text.result())
        return found, facts_of(about.result()) if about else []


def named(text: str) -> Reference:
    """Read what people write or paste: `MODEL:TAG`, `ollama:MODEL:TAG`, `ollama pull MODEL:TAG`. Raises `Invalid`."""
    words = text.split()
    said = words[-1] if words[:1] == ["ollama"] and len(words) > 1 else text.strip()
    return parse_model(said.removeprefix("ollama:").removeprefix("docker://"))


def facts_of(text: str) -> list[tuple[str, str]]:
    """Return what the configuration of a model says about it, as label and text; nothing when it cannot be read."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(document, dict):
        return []
    said = [(label, document.get(name)) for label, name in _FACTS]
    return [(label, value[:100]) for label, value in said if isinstance(value, str) and value]


def _text(shelf: Shelf, blob: Descriptor, most: int) -> str:
    """Return the text of a blob; one that cannot be read does not hide the others."""
    with contextlib.suppress(FerryError), shelf.open_blob(blob) as stream:
        return read_text(stream, min(blob.size, most))
    return ""

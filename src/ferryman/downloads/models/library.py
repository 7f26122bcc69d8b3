"""Which models the depot has. Blocking and thread-safe, as the depot."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Corrupt, NotFound
from ferryman.depot.model import Ref
from ferryman.depot.service import Depot
from ferryman.oci import media
from ferryman.oci.capitals import spelled
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ollama import PREFIX, TEXTS, kind_of, model_name, parse_model, same_for_ollama
from ferryman.oci.reference import Reference, parse_reference

LONGEST_TEXT: Final = 256 * 1024
"""Most bytes of a licence or template that are shown."""
KNOWN: Final = 4_000
"""Manifests whose meaning is remembered: a few kilobytes each where they are models, next to nothing where they are images."""
_PAGE: Final = 500


class Readable(Protocol):
    """What bytes come from."""

    def readinto(self, view: memoryview, /) -> int | None:
        """Fill `view` from its beginning and say how many bytes that were; 0 at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the depot: its place there, the manifest, and the name in Ollama's words."""

    ref: Ref
    reference: Reference
    manifest: Manifest

    @property
    def name(self) -> str:
        """The name as people write it."""
        return model_name(self.reference)

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        return sum(blob.size for blob in self.manifest.blobs)

    def to_dict(self) -> dict[str, Any]:
        """Return the model as plain values; times stay UNIX seconds."""
        return {
            "name": self.name,
            "repository": self.ref.repository,
            "tag": self.ref.tag,
            "digest": str(self.ref.digest),
            "size": self.size,
            "updated_at": self.ref.updated_at,
            "layers": [
                {"kind": kind_of(layer), "digest": str(layer.digest), "size": layer.size}
                for layer in self.manifest.layers
            ],
        }


class Library:
    """Looks models up."""

    def __init__(self, depot: Depot, most: int = KNOWN) -> None:
        """Read `depot`; remember what the `most` manifests that were used last are."""
        self._depot, self._most = depot, most
        self._known: OrderedDict[Digest, Manifest | None] = OrderedDict()
        self._lock = threading.Lock()

    def all(self, prefix: str = "", after: str = "") -> Iterator[Model]:
        """Yield every model whose repository begins with `prefix`, in the order of their names, behind `after` (`REPOSITORY:TAG`).

        A model whose manifest is damaged is passed over: `ferry depot fsck` tells of it.
        """
        for ref in self._refs(prefix, after):
            with contextlib.suppress(Corrupt):
                if (model := self._model(ref)) is not None:
                    yield model

    def page(self, cursor: str = "", limit: int = 500) -> tuple[list[Model], str | None]:
        """Return at most `limit` models behind `cursor`, and the cursor of the next page. Reads no more than it returns, and one."""
        found = list(islice(self.all(after=cursor), limit + 1))
        more = str(found[limit - 1].ref) if len(found) > limit else None
        return found[:limit], more

    def _refs(self, prefix: str, after: str = "") -> Iterator[Ref]:
        while page := self._depot.refs(prefix, after, _PAGE):
            after = str(page[-1])
            yield from page

    def find(self, text: str) -> Model:
        """Return a model by its name; other capitals do when nothing else is meant by them.

        Raises `Invalid` (`model_invalid`), `NotFound` (`model_unknown`), `Conflict` (`model_ambiguous`).
        """
        reference = parse_model(text)
        ref = self._depot.ref(reference.name, reference.wanted) or self._with_other_capitals(reference)
        found = self._model(ref) if ref else None
        if found is None:
            raise NotFound(
                "model_unknown",
                f"The depot has no model '{model_name(reference)}'.",
                advice=f"Fetch it first: ferry get ollama:{model_name(reference)}",
            )
        return found

    def _with_other_capitals(self, reference: Reference) -> Ref | None:
        base = f"{reference.host}/{spelled(reference.repository).lower().partition('/')[0]}"
        found = [
            ref
            for ref in self._refs(base)
            if same_for_ollama(parse_reference(str(ref)), reference) and self._model(ref)
        ]
        if len(found) > 1:
            names = ", ".join(model_name(parse_reference(str(ref))) for ref in found[:5])
            raise Conflict(
                "model_ambiguous",
                f"'{model_name(reference)}' may be {names}.",
                advice="Write it with the capitals it has.",
            )
        return found[0] if found else None

    def texts(self, model: Model) -> dict[str, list[str]]:
        """Return what people can read of a model, by kind: licence, template, parameters and the like."""
        found: dict[str, list[str]] = {}
        for layer in model.manifest.layers:
            if kind_of(layer) in TEXTS:
                found.setdefault(kind_of(layer), []).append(self._text(layer))
        return found

    def _text(self, layer: Descriptor) -> str:
        with self._depot.open(layer.digest) as stream:
            return read_text(stream, min(layer.size, LONGEST_TEXT))

    def _model(self, ref: Ref) -> Model | None:
        if ref.media_type not in {media.DOCKER_MANIFEST, media.OCI_MANIFEST}:
            return None
        try:
            manifest = self._manifest(ref)
        except NotFound:  # removed meanwhile
            return None
        return None if manifest is None else Model(ref, parse_reference(str(ref)), manifest)

    def _manifest(self, ref: Ref) -> Manifest | None:
        """Return a manifest that is one of a model, else None; read once, since what a digest names never changes."""
        with self._lock:
            if ref.digest in self._known:
                self._known.move_to_end(ref.digest)
                return self._known[ref.digest]
        read = self._depot.manifest(ref.repository, ref.digest)
        manifest = read if is_model(read) else None
        with self._lock:
            self._known[ref.digest] = manifest
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return manifest


def read_text(stream: Readable, most: int) -> str:
    """Return the beginning of a stream, at most so many bytes, as text; what is no UTF-8 is shown as such."""
    buffer = bytearray(most)
    view, at = memoryview(buffer), 0
    while at < len(buffer) and (count := stream.readinto(view[at:])):
        at += count
    return bytes(view[:at]).decode("utf-8", "replace")


def is_model(manifest: Manifest) -> bool:
    """Tell whether a manifest is that of an Ollama model."""
    return any(layer.media_type.startswith(PREFIX) for layer in manifest.layers)

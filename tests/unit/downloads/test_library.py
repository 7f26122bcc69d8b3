"""Listing models reads each manifest once, and no more of them than a page shows."""

import json
from collections import Counter

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Corrupt, NotFound
from ferryman.depot.model import Ref
from ferryman.downloads.models.library import Library
from ferryman.oci import media
from ferryman.oci.manifest import Descriptor, Manifest, parse_manifest

HOST = "registry.ollama.ai"


class Shelf:
    """As much of a depot as a library asks for."""

    def __init__(self) -> None:
        self.refs_of: dict[str, Ref] = {}
        self.manifests: dict[Digest, Manifest] = {}
        self.lost: set[Digest] = set()
        self.read: Counter[Digest] = Counter()

    def put(
        self, repository: str, tag: str = "latest", *, kind: str = "ollama.image.model", seed: str = ""
    ) -> Ref:
        layer = Descriptor.of(f"application/vnd.{kind}", f"{repository}{seed}".encode())
        raw = json.dumps(
            {"schemaVersion": 2, "config": Descriptor.of("a/b", b"{}").as_json(), "layers": [layer.as_json()]}
        )
        manifest = parse_manifest(raw.encode(), media.DOCKER_MANIFEST)
        ref = Ref(f"{HOST}/{repository}", tag, manifest.digest, media.DOCKER_MANIFEST, 1.0)
        self.refs_of[str(ref)], self.manifests[manifest.digest] = ref, manifest
        return ref

    def refs(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Ref]:
        names = sorted(name for name in self.refs_of if name.startswith(prefix) and name > after)
        return [self.refs_of[name] for name in names[:limit]]

    def ref(self, repository: str, tag: str) -> Ref | None:
        return self.refs_of.get(f"{repository}:{tag}")

    def manifest(self, _repository: str, digest: Digest) -> Manifest:
        self.read[digest] += 1
        if digest in self.lost:
            raise Corrupt("blob_lost", "Its content is gone.", advice="Look.")
        return self.manifests[digest]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_a_thousand_models_are_read_once(shelf: Shelf) -> None:
    for number in range(1000):
        shelf.put(f"library/m{number:04}")
        shelf.put(f"team/image{number:04}", kind="oci.image.layer.v1.tar")
    library = Library(shelf)  # type: ignore[arg-type]  # as much of a depot as it asks for
    names = [model.name for model in library.all()]
    assert len(names) == 1000
    assert [model.name for model in library.all()] == names
    assert set(shelf.read.values()) == {1}, "images are not read again either"


def test_a_page_reads_what_it_shows(shelf: Shelf) -> None:
    for number in range(100):
        shelf.put(f"library/m{number:02}")
    library = Library(shelf)  # type: ignore[arg-type]  # see above
    first, cursor = library.page("", 10)
    assert [model.name for model in first] == [f"m{number:02}:latest" for number in range(10)]
    assert sum(shelf.read.values()) == 11
    seen = [*first]
    while cursor:
        page, cursor = library.page(cursor, 33)
        seen += page
    assert [model.name for model in seen] == [f"m{number:02}:latest" for number in range(100)]


def test_what_is_remembered_has_a_bound(shelf: Shelf) -> None:
    for number in range(20):
        shelf.put(f"library/m{number:02}")
    library = Library(shelf, most=5)  # type: ignore[arg-type]  # see above
    list(library.all())
    assert len(library._known) == 5


def test_a_damaged_manifest_does_not_hide_the_others(shelf: Shelf) -> None:
    bad, _ = shelf.put("library/bad"), shelf.put("library/good")
    shelf.lost.add(bad.digest)
    library = Library(shelf)  # type: ignore[arg-type]  # see above
    assert [model.name for model in library.all()] == ["good:latest"]
    with pytest.raises(Corrupt):
        library.find("bad")


def test_other_capitals_do_when_one_is_meant(shelf: Shelf) -> None:
    shelf.put("org--cap-1/x--cap-1")
    library = Library(shelf)  # type: ignore[arg-type]  # see above
    assert library.find("org/x").name == "Org/X:latest"
    assert library.find("ORG/X").name == "Org/X:latest"
    with pytest.raises(NotFound):
        library.find("org/y")
    shelf.put("org/x")
    assert library.find("org/x").name == "org/x:latest"
    with pytest.raises(Conflict) as caught:
        library.find("ORG/x")
    assert caught.value.code == "model_ambiguous"
    assert "Org/X:latest, org/x:latest" in caught.value.message

"""Names without a host lead to models, unless the depot has them itself."""

from ferryman.depot.model import Origin
from ferryman.oci.manifest import parse_manifest
from ferryman.oci.ollama import parse_model
from ferryman.registry.ollama import Models, is_short
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of

RAW = b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}' % digest_of(b"{}").encode()
MODEL = "registry.ollama.ai/library/tiny"


def put(depot, repository: str, raw: bytes = RAW) -> None:
    origin = Origin("test", 1.0)
    depot.put_manifest(repository, parse_manifest(raw, MANIFEST), "latest", origin, incomplete=True)


def test_which_names_are_short():
    for name, short in (
        ("library/x", True),
        ("x", False),
        ("a/b/c", False),
        ("quay.io/a", False),
        ("h:1/a", False),
    ):
        assert is_short(name) == short


def test_own_repositories_go_first_and_changes_are_seen(depot):
    models = Models(depot)
    assert models.place("library/tiny", None) == "library/tiny"
    put(depot, MODEL)
    assert models.place("library/tiny", None) == MODEL
    assert models.place("library/tiny", "registry.ollama.ai") == MODEL
    assert models.place("library/tiny", "../other") == "library/tiny"
    put(depot, "library/tiny")
    assert models.place("library/tiny", None) == "library/tiny"
    assert models.place("library/tiny", "registry.ollama.ai") == MODEL


async def test_capitals_are_served_as_they_are_asked_for(made, depot):
    ask = made(OpenAccess(), upstreams=Models(depot))
    kept = str(parse_model("hf.co/Org/Model-GGUF").name)
    await ask("POST", f"/v2/{kept}/blobs/uploads/?digest={digest_of(b'{}')}", b"{}")
    put(depot, kept)
    found = await ask("GET", "/v2/Org/Model-GGUF/manifests/latest")
    assert (found.status, found.body) == (200, RAW)
    assert (await ask("GET", f"/v2/{kept}/manifests/latest")).body == RAW
    blob = await ask("GET", f"/v2/Org/Model-GGUF/blobs/{digest_of(b'{}')}")
    assert (blob.status, blob.body) == (200, b"{}")
    assert (await ask("GET", blob.headers["location"])).body == b"{}"
    assert (await ask("GET", "/v2/org/model-gguf/manifests/latest")).status == 404
    assert (await ask("POST", "/v2/Org/Model-GGUF/blobs/uploads/")).status == 400


async def test_blobs_say_where_they_are(made, depot):
    ask = made(OpenAccess(), upstreams=Models(depot))
    await ask("POST", f"/v2/{MODEL}/blobs/uploads/?digest={digest_of(b'{}')}", b"{}")
    put(depot, MODEL)
    assert (await ask("GET", "/v2/library/tiny/manifests/latest")).body == RAW
    path = f"/v2/library/tiny/blobs/{digest_of(b'{}')}"
    whole = await ask("GET", path)
    assert (whole.status, whole.headers["location"]) == (200, path)
    part = await ask("GET", path, b"", {"range": "bytes=0-0"})
    assert (part.status, part.body) == (206, b"{")

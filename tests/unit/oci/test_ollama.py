"""Names of models."""

import pytest

from ferryman.core.errors import Conflict, Invalid
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ollama import (
    blob_path,
    check_apart,
    kind_of,
    manifest_path,
    model_name,
    named_at,
    named_by,
    parse_model,
    parse_registry,
    same_for_ollama,
)
from ferryman.oci.reference import parse_digest


@pytest.mark.parametrize(
    ("text", "name", "short"),
    [
        ("llama3.2", "registry.ollama.ai/library/llama3.2:latest", "llama3.2:latest"),
        ("llama3.2:1b", "registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("me/tiny:q4_K_M", "registry.ollama.ai/me/tiny:q4_K_M", "me/tiny:q4_K_M"),
        ("localhost:5000/me/tiny", "localhost:5000/me/tiny:latest", "localhost:5000/me/tiny:latest"),
        ("me/odd--cap-1", "registry.ollama.ai/me/odd--cap-1--cap-0:latest", "me/odd--cap-1:latest"),
    ],
)
def test_a_name_says_registry_namespace_model_and_tag(text: str, name: str, short: str) -> None:
    model = parse_model(text)
    assert str(model) == name
    assert model_name(model) == short
    location = parse_location(f"ollama:{text}")
    assert location.reference == model
    assert parse_location(str(location)) == location


def test_capitals_are_kept_in_a_repository_without_any() -> None:
    model = parse_model("hf.co/Org/Model-GGUF:Q4_K_M")
    assert str(model) == "hf.co/org--cap-1/model-gguf--cap-1e1:Q4_K_M"
    assert model_name(model) == "hf.co/Org/Model-GGUF:Q4_K_M"
    assert str(manifest_path(model)) == "manifests/hf.co/Org/Model-GGUF/Q4_K_M"
    assert named_by(("hf.co", "Org", "Model-GGUF", "Q4_K_M")) == model
    location = parse_location("ollama:hf.co/Org/Model-GGUF:Q4_K_M")
    assert (location.reference, location.spelled) == (model, "Org/Model-GGUF")
    assert str(location) == "ollama:hf.co/Org/Model-GGUF:Q4_K_M"
    assert parse_location(str(location)) == location
    assert named_at("Me/X", "localhost:5000") == "ollama:localhost:5000/Me/X:latest"
    assert named_at("x:1", "localhost:5000") == "docker://localhost:5000/library/x:1"


def test_names_that_differ_in_capitals_only_do_not_go_into_one_folder() -> None:
    one, other = parse_model("Org/X"), parse_model("org/x")
    assert same_for_ollama(one, other)
    assert not same_for_ollama(one, parse_model("org/y"))
    check_apart([one, one, parse_model("org/y")])
    with pytest.raises(Conflict) as caught:
        check_apart([one, other])
    assert caught.value.code == "model_names_collide"
    assert "Org/X" in caught.value.message


@pytest.mark.parametrize(
    "text", ["", "/a", "a//b", "a/b/c/d", "..", "a/..", "x:../../y", "x y", "a\0b", ":tag"]
)
def test_what_is_no_name_is_refused_with_the_text_and_a_remedy(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_model(text)
    assert caught.value.code == "model_invalid"
    assert text.strip()[:200] in caught.value.message
    assert "llama3.2:1b" in caught.value.advice


def test_another_registry_may_be_without_tls() -> None:
    assert parse_registry("http://127.0.0.1:5000/") == ("127.0.0.1:5000", True)
    assert parse_registry("models.example.org") == ("models.example.org", False)
    for wrong in ("ftp://x", "http://x/y", "http://a:b@x", "", "http://x:99999"):
        with pytest.raises(Invalid) as caught:
            parse_registry(wrong)
        assert caught.value.code == "registry_invalid"


def test_paths_and_kinds_are_those_of_ollama() -> None:
    digest = parse_digest("sha256:" + "ab" * 32)
    assert str(blob_path(digest)) == "blobs/sha256-" + "ab" * 32
    model = parse_model("me/tiny:1")
    assert str(manifest_path(model)) == "manifests/registry.ollama.ai/me/tiny/1"
    layer = Descriptor("application/vnd.ollama.image.license", digest, 3)
    assert kind_of(layer) == "license"
    assert kind_of(Descriptor("text/odd", digest, 3)) == "text/odd"

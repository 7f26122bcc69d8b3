"""The commands that people copy from the page of an image."""

from ferryman.images.commands import Door, commands_of

PLAIN, SAFE = Door("127.0.0.1:8470"), Door("depot.example", plain=False)


def words(kind: str, name: str, door: Door) -> dict[str, str]:
    return {one.tool: one.words for one in commands_of(kind, name, door)}


def test_an_image_is_pulled_by_all_tools_each_in_its_own_words() -> None:
    found = words("image", "quay.io/team/app:1", PLAIN)
    assert found["Docker"] == "docker pull 127.0.0.1:8470/quay.io/team/app:1"
    assert found["Podman"] == "podman pull --tls-verify=false 127.0.0.1:8470/quay.io/team/app:1"
    assert found["containerd"] == "ctr images pull --plain-http 127.0.0.1:8470/quay.io/team/app:1"
    assert found["Another registry"] == "ferry push quay.io/team/app:1 docker://REGISTRY/NAME:TAG"


def test_with_tls_nothing_is_said_about_its_absence() -> None:
    found = words("2 platforms", "quay.io/team/app:1", SAFE)
    assert found["Podman"] == "podman pull depot.example/quay.io/team/app:1"
    assert found["containerd"] == "ctr images pull depot.example/quay.io/team/app:1"


def test_ollama_pulls_models_of_its_library_without_their_host() -> None:
    name = "registry.ollama.ai/library/tiny:latest"
    assert (
        words("model", name, PLAIN)["Ollama"]
        == "ollama pull --insecure http://127.0.0.1:8470/library/tiny:latest"
    )
    assert words("model", name, SAFE)["Ollama"] == "ollama pull https://depot.example/library/tiny:latest"
    other = words("model", "models.example:5000/me/tiny:q4", PLAIN)
    assert "Ollama" not in other
    assert other["Without a network"] == "ferry models export models.example:5000/me/tiny:q4 -o models.zip"


def test_a_loopback_address_is_known() -> None:
    assert PLAIN.local
    assert not SAFE.local

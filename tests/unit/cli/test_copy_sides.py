"""What is said about places on this machine reaches them, and never the daemon."""

import pytest

from ferryman.cli.copy_detach import hand_over
from ferryman.cli.copy_sides import local_options
from ferryman.cli.copy_words import COPY, GET, INSPECT, PUSH, TAGS, Command
from ferryman.cli.get_words import read_words
from ferryman.core.errors import Invalid
from ferryman.oci.options import RegistryOptions
from ferryman.oci.transports.ctr import Ctr

SAID = (
    "--containerd-address",
    "/run/k3s/containerd.sock",
    "--containerd-namespace",
    "k8s.io",
    "--docker-host",
    "unix:///d",
)


@pytest.mark.parametrize("command", [COPY, PUSH, GET, INSPECT, TAGS], ids=lambda one: one.name)
def test_sockets_and_namespace_are_taken(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    words = read_words(["containerd:a/b:1", *SAID], command.options, f"ferry {command.name}")
    found = local_options(words, RegistryOptions())
    assert (found.containerd_address, found.docker_host) == ("/run/k3s/containerd.sock", "unix:///d")
    assert not found.replace
    assert Ctr("", found)._words[:4] == ["--address", "/run/k3s/containerd.sock", "--namespace", "k8s.io"]
    assert "own" in Ctr("own", found)._words, "a namespace in the address goes first"
    assert (
        local_options(read_words(["a"], command.options, "x"), RegistryOptions()).docker_host
        == "unix:///elsewhere"
    )


@pytest.mark.parametrize(
    "word", ["--containerd-address", "--containerd-namespace", "--docker-host", "--replace"]
)
def test_the_daemon_has_no_places_of_this_machine(word: str) -> None:
    value = [] if word == "--replace" else ["x"]
    words = read_words(["oci:a", "depot:", word, *value, "--detach"], COPY.options, "ferry copy")
    with pytest.raises(Invalid) as caught:
        hand_over(words, [(["oci:a"], "depot:")])
    assert caught.value.code == "options_clash"
    assert word in caught.value.message


def test_replace_is_for_archives() -> None:
    words = read_words(["oci:a", "oci-archive:b.tar", "--replace"], COPY.options, "ferry copy")
    assert local_options(words, RegistryOptions()).replace

"""One suite for our registry and for Debian's docker-registry, which says that the suite itself is right."""

from collections.abc import Iterator

import pytest

from tests.conformance.registry.peers import Peer, docker_registry, have_docker_registry, ours


@pytest.fixture(scope="session")
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    peer = ours(tmp_path_factory.mktemp("own") / "home")
    yield peer
    peer.stop()


@pytest.fixture(scope="session")
def their_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    if not have_docker_registry():
        pytest.skip("docker-registry is not installed")
    peer = docker_registry(tmp_path_factory.mktemp("theirs"))
    yield peer
    peer.stop()


@pytest.fixture(params=["ours", "docker-registry"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """A registry; tests with it walk through what both do the same."""
    name = "own_registry" if request.param == "ours" else "their_registry"
    found: Peer = request.getfixturevalue(name)
    return found


@pytest.fixture
def own(own_registry: Peer) -> Peer:
    """Our registry, for what the other one does not do, or does wrong."""
    return own_registry

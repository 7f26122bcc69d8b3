"""Tokens of a real docker-registry that end in the middle of a copy, before we know it: one new token, and on at the offset."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry, TokenServer
from ferryman.testing.images import Images, Made
from tests.integration.depot.relay import Relay
from tests.integration.depot.test_copying import Ferry, needs_registry

MIB = 1 << 20
LIFETIME = 2
pytestmark = needs_registry


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """Nobody is told how long they live: clients believe in 60 seconds."""
    folder = tmp_path_factory.mktemp("tokens")
    with TokenServer(folder, lifetime=LIFETIME, say_lifetime=False, strict=True) as server:
        yield server


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("open")) as registry:
        yield registry


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, tokens: TokenServer, opened: DockerRegistry
) -> Iterator[DockerRegistry]:
    """It serves what the open one has."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "content").symlink_to(opened.content)
    with DockerRegistry(folder, tokens=tokens) as registry:
        yield registry


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, opened: DockerRegistry) -> Made:
    """One layer of 96 MiB: it goes up in two parts, and comes down over several connections."""
    images = Images(tmp_path_factory.mktemp("made"), seed=11)
    made = images.image([images.noise(96 * MIB, seed=11)], tag="1")
    images.push(f"127.0.0.1:{opened.port}", "team/big", made, "1")
    return made


@pytest.fixture
def ferry(tmp_path: Path) -> Ferry:
    found = Ferry(tmp_path / "home")
    found.environment["ME"] = f"{USER}:{PASSWORD}"
    return found


def all_expired(tokens: TokenServer) -> None:
    """Wait until no token that was given out is good any more."""
    assert tokens.seen
    time.sleep(LIFETIME + 1)


def test_a_push_in_parts_goes_on_with_a_new_token(
    tokens: TokenServer, opened: DockerRegistry, guarded: DockerRegistry, big: Made, ferry: Ferry
) -> None:
    size = sum(big.sizes().values())
    with Relay(guarded.port, hold_up=60 * MIB) as relay:
        process = ferry.begin(
            "copy", f"docker://127.0.0.1:{opened.port}/team/big:1", f"docker://{relay.host}/pushed/big:1",
            "--plain-http", "--no-store", "--dst-creds", "env:ME", "--json",
        )  # fmt: skip
        assert relay.held.wait(60)
        all_expired(tokens)
        before = len(tokens.seen)
        relay.release()
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert '"copied": 1' in out
        assert 1 <= len(tokens.seen) - before < 6
        assert relay.up < size + 16 * MIB, "the first part is not sent again"


@pytest.mark.parametrize("connections", ["1", "4"])
def test_a_pull_goes_on_with_a_new_token(
    tokens: TokenServer, guarded: DockerRegistry, big: Made, ferry: Ferry, connections: str
) -> None:
    size = sum(big.sizes().values())
    with Relay(guarded.port, hold_down=60 * MIB) as relay:
        process = ferry.begin(
            "get", f"docker://{relay.host}/team/big:1", "-c", connections,
            "--plain-http", "--src-creds", "env:ME", "--json",
        )  # fmt: skip
        assert relay.held.wait(60)
        all_expired(tokens)
        before = len(tokens.seen)
        relay.cut()
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert '"copied": 1' in out
        assert 1 <= len(tokens.seen) - before < 6
        assert relay.down < size + 40 * MIB, (
            "what was on its way in each connection is fetched again, and no more"
        )


def test_a_copy_straight_through_goes_on_with_new_tokens(
    tokens: TokenServer, guarded: DockerRegistry, big: Made, ferry: Ferry
) -> None:
    size = sum(big.sizes().values())
    with Relay(guarded.port, hold_down=70 * MIB) as source, Relay(guarded.port) as target:
        process = ferry.begin(
            "copy", f"docker://{source.host}/team/big:1", f"docker://{target.host}/straight/big:1",
            "--plain-http", "--no-store", "--src-creds", "env:ME", "--dst-creds", "env:ME", "--json",
        )  # fmt: skip
        assert source.held.wait(60)
        all_expired(tokens)
        before = len(tokens.seen)
        source.cut()
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err
        assert '"copied": 1' in out
        assert len(tokens.seen) - before >= 2
        assert source.down < size + 24 * MIB
        assert target.up < size + 24 * MIB

"""Upstreams and daemons for functional tests."""

from collections.abc import Iterator

import pytest

from ferryman.testing.upstream import Upstream
from tests.functional.running import RunningDaemon


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """A daemon that the tests of one file share."""
    running = RunningDaemon(tmp_path_factory.mktemp("daemon") / "home", download_concurrency=4)
    running.start()
    yield running
    assert running.process is None or running.process.poll() is None, running.output.read_text()
    running.kill()

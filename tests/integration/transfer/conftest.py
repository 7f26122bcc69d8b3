"""An engine, the misbehaving server, and a way to fetch from one with the other."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ferryman.testing.upstream import Upstream
from ferryman.transfer.carrier import Ask, Carrier
from ferryman.transfer.curl import Curl
from ferryman.transfer.engine import Core
from ferryman.transfer.model import Limits, Options, Request, Result
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine, Transfer

LIMIT = 40.0
"""Seconds after which a transfer that should have ended is a fault, on a busy machine too."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Limits(backoff=0.05)) as running:
        yield running


@pytest.fixture(params=["wire", "curl"])
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test once with each carrier; the engine's own choice is only by what a request needs."""
    if request.param == "curl":

        def choose(core: Core, ask: Ask) -> Carrier:
            if core._curl is None:
                core._curl = Curl(core.pump)
            return core._curl

        monkeypatch.setattr(Core, "carrier", choose)
    return str(request.param)


@dataclass
class Fetcher:
    """Starts transfers of one engine into one folder and keeps what they said."""

    engine: Engine
    folder: Path
    said: list[str] = field(default_factory=list)

    def start(self, *urls: str, name: str = "file", target: Path | None = None, **more: Any) -> Transfer:
        """Start one; what is not a field of `Request` is one of `Options`."""
        fields = set(Request.__dataclass_fields__)
        options = Options(**{key: value for key, value in more.items() if key not in fields})
        given = {key: value for key, value in more.items() if key in fields}
        given.setdefault("allow", AddressPolicy(private=True))
        request = Request(urls, target or self.folder / name, options, **given)
        return self.engine.submit(request, log=lambda level, text: self.said.append(f"{level}: {text}"))

    def __call__(self, *urls: str, **more: Any) -> Result:
        """Fetch and wait for the end."""
        return self.start(*urls, **more).wait(LIMIT)

    def part_of(self, size: int, *urls: str, **more: Any) -> Transfer:
        """Fetch until `size` bytes are on disk, then stop and keep them."""
        transfer = self.start(*urls, **more)
        wait_for(lambda: transfer.done() or transfer.snapshot().disk >= size)
        transfer.stop()
        wait_for(transfer.done)
        return transfer


@pytest.fixture
def fetch(engine: Engine, tmp_path: Path) -> Fetcher:
    folder = tmp_path / "in"
    folder.mkdir()
    return Fetcher(engine, folder)


def wait_for(condition: Callable[[], bool], seconds: float = LIMIT) -> None:
    """Return when a condition holds; a fault when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("what was waited for did not happen")
        time.sleep(0.01)

"""A daemon that programs made for aria2 talk to, and such programs."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import aria2p
import pytest

from tests.functional.running import RunningDaemon, wait

SCOPES = ("downloads:read", "downloads:write", "jobs:read", "jobs:write")


def address(daemon: RunningDaemon) -> str:
    return json.loads((daemon.home / "daemon.json").read_text())["address"]


class Heard:
    """What a listener of the library was told."""

    def __init__(self, client: aria2p.Client) -> None:
        self.all: list[tuple[str, str]] = []
        self._client = client
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        self._client.listen_to_notifications(
            on_download_start=self._note("start"),
            on_download_pause=self._note("pause"),
            on_download_stop=self._note("stop"),
            on_download_complete=self._note("complete"),
            on_download_error=self._note("error"),
            timeout=1,
            handle_signals=False,
        )

    def _note(self, what: str) -> Callable[[str], None]:
        return lambda gid: self.all.append((what, gid))

    def of(self, gid: str) -> list[str]:
        return [what for what, other in list(self.all) if other == gid]

    def until(self, gid: str, *story: str) -> None:
        wait(lambda: self.of(gid) == list(story), f"{story} of {gid}, heard were {self.all}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_listening()
        self._thread.join(10)


@pytest.fixture(scope="module")
def client(daemon: RunningDaemon) -> aria2p.Client:
    place = urlsplit(address(daemon))
    secret = token(daemon, "front-end", "admin", *SCOPES, "jobs:all", "settings:write")
    return aria2p.Client(host=f"http://{place.hostname}", port=place.port, secret=secret)


@pytest.fixture(scope="module")
def aria2(client: aria2p.Client) -> aria2p.API:
    return aria2p.API(client)


@pytest.fixture
def heard(client: aria2p.Client) -> Iterator[Heard]:
    with Heard(client) as listener:
        yield listener


PASSWORD = "four plain words here"


def token(daemon: RunningDaemon, name: str, role: str, *scopes: str) -> str:
    """Make a user and return a token."""
    daemon.api("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "role": role})
    order = {"name": "t", "user": name, "scopes": list(scopes)}
    return daemon.api("POST", "/api/v1/tokens", order)["secret"]


def disable(daemon: RunningDaemon, name: str) -> None:
    """Let nobody in by this name any more."""
    users = {user["name"]: user["id"] for user in daemon.api("GET", "/api/v1/users")["items"]}
    daemon.api("PATCH", f"/api/v1/users/{users[name]}", {"disabled": True})


def gid_of(job: dict[str, Any]) -> str:
    return job["id"][19:].replace("-", "")

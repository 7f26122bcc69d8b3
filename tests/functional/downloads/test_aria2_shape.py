"""What Ferryman answers has the keys and types of what a real aria2 answers to the same calls."""

import itertools
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from ferryman.testing.upstream import File, made_up
from tests.functional.downloads.conftest import address
from tests.functional.running import wait

SECRET = "only-here"


class Server:
    """Something that answers aria2's calls."""

    def __init__(self, address: str, secret: str) -> None:
        self.address, self.secret = address, secret

    def call(self, method: str, *params: Any) -> dict[str, Any]:
        call = {"jsonrpc": "2.0", "id": "x", "method": method, "params": [f"token:{self.secret}", *params]}
        return self.send(json.dumps(call).encode())[1]

    def send(self, body: bytes) -> tuple[int, Any]:
        request = urllib.request.Request(f"{self.address}/jsonrpc", body)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def result(self, method: str, *params: Any) -> Any:
        found = self.call(method, *params)
        assert "result" in found, found
        return found["result"]

    def status(self, gid: str) -> str:
        return self.result("aria2.tellStatus", gid, ["status"])["status"]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A real aria2 of this machine."""
    assert shutil.which("aria2c"), "aria2 is missing: scripts/system-packages installs it"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("aria2")
    options = (
        "--no-conf",
        "--quiet",
        f"--rpc-listen-port={port}",
        f"--rpc-secret={SECRET}",
        f"--dir={folder}",
    )
    process = subprocess.Popen(["aria2c", "--enable-rpc", *options, "--enable-dht=false"])
    server = Server(f"http://127.0.0.1:{port}", SECRET)

    def answers() -> bool:
        try:
            return "result" in server.call("aria2.getVersion")
        except OSError:
            return False

    try:
        wait(answers, "aria2")
        yield server
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def ours(client, daemon):
    return Server(address(daemon), client.secret)


@pytest.fixture(scope="module")
def both(real, ours, shared_upstream):
    """Both, and the GIDs of an active, a paused, a complete, a failed and a removed download of each."""
    slow = shared_upstream.serve("/slow.bin", File(made_up(8 << 20), rate=200_000))
    small = shared_upstream.serve("/tiny.bin", File(b"x" * 3000))
    found = []
    for server in (real, ours):
        gids = {
            "active": server.result("aria2.addUri", [slow], {"max-download-limit": "100K"}),
            "paused": server.result("aria2.addUri", [slow], {"pause": "true", "out": "paused.bin"}),
            "complete": server.result("aria2.addUri", [small]),
            "error": server.result("aria2.addUri", [shared_upstream.url("/missing.bin")]),
            "removed": server.result("aria2.addUri", [slow], {"out": "removed.bin"}),
        }
        wait(lambda s=server, g=gids: s.status(g["removed"]) == "active", "the start")
        server.result("aria2.remove", gids["removed"])
        for state in ("active", "paused", "complete", "error", "removed"):
            wait(lambda s=server, g=gids, state=state: s.status(g[state]) == state, state)
        wait(
            lambda s=server, g=gids: s.result("aria2.tellStatus", g["active"])["completedLength"] != "0",
            "the first bytes",
        )
        found.append((server, gids))
    return found


def shape(value: Any) -> Any:
    """The keys and types of a value; of a list those of its first item, numbers in text told from words."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, str):
        return "number" if value.isdigit() else "words"
    return type(value).__name__


LOOKS = [
    *itertools.product(
        ("aria2.tellStatus", "aria2.getFiles"), ("active", "paused", "complete", "error", "removed")
    ),
    *itertools.product(("aria2.getUris", "aria2.getPeers"), ("active", "paused")),  # the others are refused
]


@pytest.mark.parametrize(("method", "state"), LOOKS)
def test_downloads_look_the_same(both, method, state):
    theirs, mine = [server.result(method, gids[state]) for server, gids in both]
    if method == "aria2.tellStatus":
        optional = {"bitfield"} if state == "removed" else set()  # by how much had arrived
        for one in (theirs, mine):
            for key in optional:
                one.pop(key, None)
        lengths = [len(one.pop("bitfield", "")) for one in (theirs, mine)]
        assert lengths[0] == lengths[1]
        if state == "error":  # the words differ, aria2 does not say where
            theirs.pop("errorMessage"), mine.pop("errorMessage")
    assert shape(mine) == shape(theirs)


def test_servers_numbers_and_versions_look_the_same(both):
    theirs, mine = [server.result("aria2.getServers", gids["active"]) for server, gids in both]
    assert shape(mine) == shape(theirs)
    for method in (
        "aria2.getGlobalStat",
        "aria2.getVersion",
        "aria2.getSessionInfo",
        "system.listNotifications",
    ):
        theirs, mine = [server.result(method) for server, _ in both]
        if method == "aria2.getVersion":
            assert tuple(theirs["version"].split("."))[:1] == tuple(mine["version"].split("."))[:1]
        assert [type(mine), set(mine) if isinstance(mine, dict) else mine] == [
            type(theirs),
            set(theirs) if isinstance(theirs, dict) else theirs,
        ]


def test_lists_come_in_the_same_order(both):
    seen = []
    for server, gids in both:
        names = {gid: state for state, gid in gids.items()}
        asked = [
            server.result("aria2.tellActive", ["gid"]),
            server.result("aria2.tellWaiting", 0, 10, ["gid"]),
            server.result("aria2.tellWaiting", -1, 10, ["gid"]),
            sorted(server.result("aria2.tellStopped", 0, 10, ["gid"]), key=str),
            server.result("aria2.tellStopped", 5, 10, ["gid"]),
            server.result("aria2.tellStopped", -9, 10, ["gid"]),
        ]
        seen.append([{names[one["gid"]] for one in found} for found in asked])
        assert (
            server.result("aria2.tellStopped", -1, 9, ["gid"])
            == server.result("aria2.tellStopped", 0, 9, ["gid"])[::-1]
        )
    assert seen[0] == seen[1]


def test_our_options_are_among_theirs_and_of_the_same_kind(both):
    for method, state in (("aria2.getOption", "active"), ("aria2.getGlobalOption", None)):
        theirs, mine = [server.result(method, *([gids[state]] if state else [])) for server, gids in both]
        known = set(theirs) | {"pause", "max-overall-upload-limit"}
        assert set(mine) <= known
        assert all(isinstance(value, str) for value in mine.values())


def test_methods_are_the_same(both):
    theirs, mine = [set(server.result("system.listMethods")) for server, _ in both]
    assert mine == theirs


REFUSED = [
    ("aria2.tellStatus", ["0000000000000000"]),
    ("aria2.tellStatus", ["zz"]),
    ("aria2.tellStatus", []),
    ("aria2.tellStatus", [5]),
    ("aria2.getUris", ["complete"]),
    ("aria2.getPeers", ["error"]),
    ("aria2.pause", ["complete"]),
    ("aria2.pause", ["paused"]),
    ("aria2.unpause", ["active"]),
    ("aria2.getServers", ["paused"]),
    ("aria2.changePosition", ["active", 0, "POS_SET"]),
    ("aria2.changePosition", ["paused", 0, "POS_ELSE"]),
    ("aria2.removeDownloadResult", ["active"]),
    ("aria2.addUri", [[]]),
    ("aria2.addUri", ["x"]),
    ("aria2.nothing", []),
]


@pytest.mark.parametrize(("method", "params"), REFUSED)
def test_refusals_are_the_same_word_for_word(both, method, params):
    said = []
    for server, gids in both:
        found = server.call(method, *[gids.get(one, one) if isinstance(one, str) else one for one in params])
        error = found["error"]
        for state, gid in gids.items():
            error["message"] = error["message"].replace(gid, state)
        said.append(error)
    assert said[0] == said[1]


def test_the_frame_is_the_same(both):
    bodies = [
        b'{"id":1}', b'{"id":1,"method":5}', b'{"jsonrpc":"2.0","method":"aria2.getVersion"}',
        b'{"id":{"a":[1,null]},"method":"aria2.getVersion","params":{}}', b"{", b"", b"[]", b'"x"',
        b'{"id":1,"method":"aria2.getVersion"}',
        b'{"id":1,"method":"system.multicall","params":[]}',
    ]  # fmt: skip
    entries = (
        '5,{},{"methodName":"system.multicall","params":[]},{"methodName":"aria2.getVersion","params":[]}'
    )
    bodies.append(f'{{"id":1,"method":"system.multicall","params":[[{entries}]]}}'.encode())
    for body in bodies:
        (theirs_status, theirs), (mine_status, mine) = [server.send(body) for server, _ in both]
        assert mine == theirs, body
        assert (mine_status < 300) == (theirs_status < 300)
        assert mine_status < 500

"""Who reaches what over `/jsonrpc`, and what the endpoint refuses: tokens, owners, other sites, sizes, the switch."""

import base64
import contextlib
import json
import os
import socket
import time
import urllib.error
import urllib.request
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import websocket

from ferryman.testing.upstream import File
from tests.functional.downloads.conftest import PASSWORD, SCOPES, address, disable, gid_of, token
from tests.functional.running import RunningDaemon, wait


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        return json.loads(self.body)


def ask(daemon, body=None, *, method="POST", query="", **headers) -> Answer:
    data = json.dumps(body).encode() if isinstance(body, dict | list) else body
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{address(daemon)}/jsonrpc{query}", data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def called(daemon, secret, method, *params, **headers) -> Any:
    """Call a method and return its result, or its error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [f"token:{secret}", *params]}
    found = ask(daemon, body, **headers).json()
    return found.get("result", found.get("error"))


@contextlib.contextmanager
def listening(daemon, query="", **options):
    place = address(daemon).replace("http://", "ws://")
    connection = websocket.create_connection(f"{place}/jsonrpc{query}", timeout=10, **options)
    try:
        yield connection
    finally:
        connection.close()
        connection.shutdown()  # also when the other side closed first


def upgraded(daemon, **headers) -> int:
    """Ask for a WebSocket and return the status of the answer."""
    place = urlsplit(address(daemon))
    sent = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    connection = HTTPConnection(place.hostname, place.port, timeout=10)
    try:
        connection.request(
            "GET", "/jsonrpc", headers={**sent, "Sec-WebSocket-Key": "A" * 22 + "==", **headers}
        )
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


def told(connection, method: str, gid: str) -> None:
    """Read until this notification comes."""
    while True:
        found = json.loads(connection.recv())
        if found.get("method") == method and found["params"] == [{"gid": gid}]:
            return


def nothing_told(connection, seconds: float = 1.0) -> None:
    connection.settimeout(seconds)
    with pytest.raises(websocket.WebSocketTimeoutException):
        connection.recv()


@pytest.fixture(scope="module")
def ann(daemon):
    return token(daemon, "ann", "operator", *SCOPES, "jobs:all")


@pytest.fixture(scope="module")
def bob(daemon):
    return token(daemon, "bob", "member", *SCOPES)


@pytest.fixture(scope="module")
def reader(daemon):
    return token(daemon, "vic", "viewer", "downloads:read", "jobs:read")


@pytest.fixture(scope="module")
def url(shared_upstream):
    return shared_upstream.serve("/access.bin", File(os.urandom(4 << 20), rate=100_000))


def test_members_see_and_change_only_their_own(daemon, ann, bob, url):
    added = called(daemon, ann, "aria2.addUri", [url], {"pause": "true", "out": "of-ann.bin"})
    assert len(added) == 16
    for method in ("tellStatus", "pause", "unpause", "remove", "getFiles", "getOption", "getUris"):
        assert called(daemon, bob, f"aria2.{method}", added) == {
            "code": 1,
            "message": f"GID {added} is not found",
        }
    assert called(daemon, bob, "aria2.tellStatus", added[:6])["message"] == f"GID {added[:6]} is not found"
    assert called(daemon, bob, "aria2.changeOption", added, {"max-download-limit": "1K"})["code"] == 1
    assert called(daemon, bob, "aria2.tellWaiting", 0, 100) == []
    assert called(daemon, bob, "aria2.getGlobalStat")["numWaiting"] == "0"
    called(daemon, bob, "aria2.pauseAll"), called(daemon, bob, "aria2.unpauseAll")
    assert called(daemon, ann, "aria2.tellStatus", added, ["status"]) == {"status": "paused"}
    assert called(daemon, ann, "aria2.remove", added) == added


def test_a_member_may_not_reach_private_addresses_this_way_either(daemon, bob, url):
    refused = called(daemon, bob, "aria2.addUri", [url])
    assert "refused" in refused["message"]
    refused = called(daemon, bob, "aria2.addUri", ["http://example.org/a"], {"all-proxy": "127.0.0.1:1"})
    assert "proxy" in refused["message"].lower()


def test_scopes_hold(daemon, reader, ann, url):
    assert called(daemon, reader, "aria2.getGlobalStat")["numActive"]
    for method, params in (
        ("addUri", [[url]]), ("pauseAll", []), ("purgeDownloadResult", []), ("saveSession", []), ("shutdown", []),
    ):  # fmt: skip
        assert "lacks the right" in called(daemon, reader, f"aria2.{method}", *params)["message"]
    change = {"max-overall-download-limit": "1K"}
    assert "settings:write" in called(daemon, ann, "aria2.changeGlobalOption", change)["message"]
    assert daemon.api("GET", "/api/v1/downloads/speed")["rate_limit"] == 0


def test_addresses_of_others_are_shown_without_their_secrets(daemon, ann):
    cyd = token(daemon, "cyd", "member", *SCOPES)
    signed = "https://example.org/a.bin?token=sesame-opens"
    gid = called(daemon, cyd, "aria2.addUri", [signed], {"pause": "true"})
    assert called(daemon, cyd, "aria2.getUris", gid)[0]["uri"] == signed, "front ends add it again"
    assert "sesame" not in json.dumps(called(daemon, ann, "aria2.tellStatus", gid))
    called(daemon, cyd, "aria2.remove", gid)


def test_headers_and_passwords_are_kept_sealed_and_never_shown(daemon, ann, url):
    options = {"pause": "true", "header": ["Cookie: sesame"], "http-user": "u", "http-passwd": "sesame"}
    gid = called(daemon, ann, "aria2.addUri", [url], options)
    shown = [called(daemon, ann, f"aria2.{method}", gid) for method in ("tellStatus", "getOption")]
    assert "sesame" not in json.dumps(shown)
    (job,) = [job for job in daemon.api("GET", "/api/v1/downloads?tab=active")["items"] if gid_of(job) == gid]
    assert "sesame" not in json.dumps(daemon.job(job["id"]))
    other = called(daemon, ann, "aria2.changeUri", gid, 1, [], ["http://127.0.0.2/other"])
    assert "would get the password or the headers" in other["message"]
    called(daemon, ann, "aria2.remove", gid)


def test_wrong_missing_and_revoked_tokens_are_unauthorized(daemon, bob):
    body = {"jsonrpc": "2.0", "id": 1, "method": "aria2.getVersion"}
    for answer in (ask(daemon, body), ask(daemon, body, authorization="Basic eDp5")):
        assert answer.status == 400
        assert answer.json()["error"] == {"code": 1, "message": "Unauthorized"}
    assert called(daemon, "ferry_nobody", "aria2.getVersion") == {"code": 1, "message": "Unauthorized"}
    assert ask(daemon, body, authorization=f"Bearer {bob}").json()["result"]["version"]
    body["params"] = ["token:ferry_nobody"]
    wrong = ask(daemon, body, authorization=f"Bearer {bob}").json()
    assert wrong["error"]["message"] == "Unauthorized", "the token of the call counts"
    fresh = token(daemon, "eve", "member", *SCOPES)
    assert called(daemon, fresh, "aria2.getVersion")["version"]
    disable(daemon, "eve")
    assert called(daemon, fresh, "aria2.getVersion")["message"] == "Unauthorized"


def test_guessing_is_slowed_down_and_locks_nobody_out_who_knew_the_token(tmp_path):
    running = RunningDaemon(tmp_path / "home")
    running.start()
    try:
        known = token(running, "ann", "member", *SCOPES)
        late = token(running, "bob", "member", *SCOPES)
        assert called(running, known, "aria2.getVersion")["version"]
        said = [
            called(running, f"ferry_guess{number}", "aria2.getVersion")["message"] for number in range(30)
        ]
        assert said[0] == "Unauthorized"
        assert said[-1].startswith("Too many wrong tokens. Try again in")
        assert "Unauthorized" not in said[17:], said
        assert called(running, known, "aria2.getVersion")["version"]
        assert "Too many" in called(running, late, "aria2.getVersion")["message"]
        wait(lambda: "version" in called(running, late, "aria2.getVersion"), "the end of the wait")
    finally:
        running.kill(15)


def test_the_session_of_a_browser_counts_for_nothing(daemon):
    token(daemon, "web", "admin", *SCOPES)
    request = urllib.request.Request(
        f"{address(daemon)}/api/v1/session",
        json.dumps({"name": "web", "password": PASSWORD}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        cookie = answer.headers["set-cookie"].partition(";")[0]
        csrf = json.loads(answer.read())["csrf"]
    body = {"jsonrpc": "2.0", "id": 1, "method": "aria2.getVersion"}
    unauthorized = {"code": 1, "message": "Unauthorized"}
    home = address(daemon)
    assert ask(daemon, body, cookie=cookie).json()["error"] == unauthorized
    for origin, site in ((home, "same-origin"), ("http://front.example", "cross-site"), ("null", "none")):
        sent = {"cookie": cookie, "origin": origin, "sec-fetch-site": site}
        for headers in (sent, {**sent, "x-csrf-token": csrf}):
            refused = ask(daemon, body, **headers)
            assert (refused.status, refused.json()["error"]) == (400, unauthorized)
            refused = ask(daemon, method="GET", query="?method=aria2.getVersion&id=1", **headers)
            assert (refused.status, refused.json()["error"]) == (400, unauthorized)
        with listening(daemon, cookie=cookie, origin=origin) as connection:
            connection.send(json.dumps(body))
            assert json.loads(connection.recv())["error"] == unauthorized
    request = urllib.request.Request(f"{home}/api/v1/session", headers={"Cookie": cookie})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200, "the session itself is good"


def test_pages_of_other_sites_may_call_with_a_token_only(daemon, bob):
    origin = {"origin": "http://front.example"}
    asked = ask(daemon, method="OPTIONS", access_control_request_method="POST", **origin)
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in asked.headers
    assert called(daemon, bob, "aria2.getVersion", **origin)["version"]
    assert called(daemon, "none", "aria2.getVersion", **origin)["message"] == "Unauthorized"
    elsewhere = urllib.request.Request(
        f"{address(daemon)}/api/v1/downloads", b"{}", {"Origin": "http://x.example"}
    )
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(elsewhere)
    assert error.value.code == 403, "nowhere else"
    error.value.close()


def test_another_host_name_is_refused_on_both_ways(daemon, bob):
    assert ask(daemon, b"{}", host="rebound.example").status == 421
    assert upgraded(daemon, Host="rebound.example") == 403
    assert upgraded(daemon) == 101


def test_get_carries_calls_and_jsonp_is_refused(daemon, bob):
    params = base64.b64encode(json.dumps([f"token:{bob}"]).encode()).decode()
    query = "?" + urlencode({"method": "aria2.getVersion", "id": "7", "params": params})
    found = ask(daemon, method="GET", query=query)
    assert (found.status, found.json()["id"]) == (200, "7")
    assert found.json()["result"]["version"]
    batch = json.dumps([{"id": 1, "method": "system.listMethods"}]).encode()
    query = "?" + urlencode({"params": base64.b64encode(batch).decode()})
    assert "aria2.addUri" in ask(daemon, method="GET", query=query).json()[0]["result"]
    refused = ask(daemon, method="GET", query=f"{query}&jsoncallback=alert")
    assert (refused.status, refused.json()["error"]["code"]) == (400, -32600)
    assert b"alert" not in refused.body
    for query in ("", "?params=%2A", "?method=x&params=e30=", "?method=x&params=TmFO"):
        assert ask(daemon, method="GET", query=query).json()["error"]["code"] in {-32600, -32700, -32602}
    assert ask(daemon, method="PUT").status == 405


def test_size_number_and_depth_are_bounded(daemon, bob):
    assert ask(daemon, b"", content_length="30000000").status == 413
    assert ask(daemon, b"[" * 500_000).json()["error"]["code"] == -32700
    one = {"id": 1, "method": "system.listNotifications"}
    assert len(ask(daemon, [one] * 1000).json()) == 1000
    assert ask(daemon, [one] * 1001).json()["error"]["code"] == -32600
    inner = {"methodName": "system.listNotifications"}
    many = {"id": 1, "method": "system.multicall", "params": [[inner] * 1000]}
    assert "At most 1000" in ask(daemon, many).json()["error"]["message"]
    some = {"id": 1, "method": "system.multicall", "params": [[inner] * 300]}
    assert len(ask(daemon, some).json()["result"]) == 300
    assert "At most 1000" in ask(daemon, [some] * 4).json()["error"]["message"]


def test_notifications_reach_whom_they_concern(daemon, ann, reader, shared_upstream):
    url = shared_upstream.serve("/notify.bin", File(b"x" * 5000))
    page = {"origin": "http://front.example"}
    with (
        listening(daemon, f"?token={ann}") as hers,
        listening(daemon, **page) as nobody,
        listening(daemon) as other,
    ):
        call = {"id": "a", "method": "aria2.getVersion", "params": [f"token:{reader}"]}
        other.send(json.dumps(call))
        assert json.loads(other.recv())["id"] == "a"
        gid = called(daemon, ann, "aria2.addUri", [url])
        told(hers, "aria2.onDownloadStart", gid)
        told(hers, "aria2.onDownloadComplete", gid)
        nothing_told(other)
        nothing_told(nobody)


def test_a_program_that_only_listens_is_taken_for_the_one_that_calls_from_its_address(
    daemon, ann, shared_upstream
):
    url = shared_upstream.serve("/neighbour.bin", File(b"x" * 5000))
    called(daemon, ann, "aria2.getVersion")
    with listening(daemon) as program, listening(daemon, origin="null") as page:
        gid = called(daemon, ann, "aria2.addUri", [url])
        told(program, "aria2.onDownloadStart", gid)
        told(program, "aria2.onDownloadComplete", gid)
        nothing_told(page)
        program.send(json.dumps({"id": 1, "method": "aria2.tellStatus", "params": [gid]}))
        assert json.loads(program.recv())["error"]["message"] == "Unauthorized", "it may listen, not ask"


def test_calls_and_notifications_share_a_connection(daemon, ann, url):
    with listening(daemon, origin="chrome-extension://abc") as connection:
        add = {"id": 1, "method": "aria2.addUri", "params": [f"token:{ann}", [url], {"out": "shared.bin"}]}
        connection.send(json.dumps(add))
        found = json.loads(connection.recv())
        gid = found["result"]
        told(connection, "aria2.onDownloadStart", gid)
        connection.send(json.dumps({"id": 2, "method": "aria2.remove", "params": [f"token:{ann}", gid]}))
        seen = [json.loads(connection.recv()) for _ in range(2)]
        assert {"id": 2, "jsonrpc": "2.0", "result": gid} in seen
        assert {"jsonrpc": "2.0", "method": "aria2.onDownloadStop", "params": [{"gid": gid}]} in seen
        connection.send_binary(b"\xff\x00{")
        assert json.loads(connection.recv())["error"]["code"] == -32700
        connection.ping()
        connection.send("x" * (3 << 20))
        while (found := connection.recv_data())[0] != websocket.ABNF.OPCODE_CLOSE:
            pass
        assert int.from_bytes(found[1][:2], "big") == 1009, "too large"


def test_a_raw_handshake_by_hand(daemon, bob):
    """What the wire looks like, without any library."""
    place = urlsplit(address(daemon))
    where = (place.hostname, place.port)
    with socket.create_connection(where, 10) as wire, wire.makefile("rb") as stream:
        key = base64.b64encode(os.urandom(16)).decode()
        wire.sendall(
            f"GET /jsonrpc HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {bob}\r\n\r\n".encode()
        )
        assert stream.readline().startswith(b"HTTP/1.1 101")
        while stream.readline() != b"\r\n":
            pass
        text = b'{"id":1,"method":"aria2.getSessionInfo"}'
        mask = os.urandom(4)
        wire.sendall(
            bytes([0x81, 0x80 | len(text)]) + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(text))
        )
        first, length = stream.read(2)
        assert first == 0x81
        answer = json.loads(stream.read(length))
        assert len(answer["result"]["sessionId"]) == 40


def test_a_disabled_user_is_told_so_on_an_open_connection(daemon):
    fay = token(daemon, "fay", "operator", *SCOPES, "jobs:all")
    with listening(daemon, f"?token={fay}") as connection:
        disable(daemon, "fay")
        body = {"id": 1, "method": "aria2.getVersion", "params": [f"token:{fay}"]}
        connection.send(json.dumps(body))
        assert json.loads(connection.recv())["error"]["message"] == "Unauthorized"


def test_the_endpoint_is_switched_off_and_on_while_it_runs(daemon, bob):
    assert called(daemon, bob, "aria2.getVersion")["version"]
    daemon.ferry("settings", "set", "rpc=false")
    try:
        off = ask(daemon, b"{}")
        assert off.status == 404
        assert off.headers["content-type"].startswith("application/problem+json")
        assert upgraded(daemon) == 403
    finally:
        daemon.ferry("settings", "set", "rpc=true")
    assert called(daemon, bob, "aria2.getVersion")["version"]


def test_it_is_not_part_of_the_described_api(daemon):
    paths = daemon.api("GET", "/api/v1/openapi.json")["paths"]
    assert not [path for path in paths if "jsonrpc" in path]
    began = time.monotonic()
    assert ask(daemon, b"{}").json()["error"]["code"] == -32600
    assert time.monotonic() - began < 2

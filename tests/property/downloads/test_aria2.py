"""Whatever is sent to `/jsonrpc`, the answer is one of JSON-RPC, never a fault of ours; the same for every method."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ferryman.core.settings import Settings
from ferryman.daemon.compose import compose
from ferryman.downloads.aria2.protocol import INTERNAL
from tests.unit.web.client import call

TOKEN = "local-secret"
METHODS = [
    "addUri",
    "addMetalink",
    "addTorrent",
    "remove",
    "forceRemove",
    "pause",
    "pauseAll",
    "unpause",
    "unpauseAll",
    "tellStatus",
    "tellActive",
    "tellWaiting",
    "tellStopped",
    "getUris",
    "getFiles",
    "getServers",
    "getPeers",
    "changePosition",
    "changeUri",
    "changeOption",
    "getOption",
    "getGlobalOption",
    "changeGlobalOption",
    "getGlobalStat",
    "purgeDownloadResult",
    "removeDownloadResult",
    "getVersion",
    "getSessionInfo",
    "saveSession",
    "shutdown",
    "nothing",
]
OPTIONS = [
    "dir",
    "out",
    "header",
    "user-agent",
    "referer",
    "http-user",
    "http-passwd",
    "all-proxy",
    "checksum",
    "split",
    "max-download-limit",
    "pause",
    "gid",
    "allow-overwrite",
    "auto-file-renaming",
    "max-concurrent-downloads",
    "max-overall-download-limit",
    "unknown",
]
LIMITS = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

word = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "token:",
            f"token:{TOKEN}",
            "POS_SET",
            "0",
            "1K",
            "true",
            "false",
            "../x",
            "a/b",
            "/etc",
            "ab" * 8,
            "0" * 16,
        ]
    ),
    st.sampled_from(
        ["http://127.0.0.1:1/a", "https://example.org/b.iso", "ftp://h/c", "magnet:?xt=1", "http://"]
    ),
)
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    word,
)
anything = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(word, inner, max_size=4),
    max_leaves=12,
)
options = st.dictionaries(st.sampled_from(OPTIONS), st.one_of(word, anything), max_size=5)
params = st.lists(
    st.one_of(word, st.lists(word, max_size=3), options, st.integers(-5, 5), anything), max_size=5
)
message = st.fixed_dictionaries(
    {"id": anything, "method": st.sampled_from([f"aria2.{name}" for name in METHODS]), "params": params}
)
entry = st.fixed_dictionaries(
    {"methodName": st.sampled_from([f"aria2.{n}" for n in METHODS]), "params": params}
)
multicall = st.fixed_dictionaries(
    {
        "id": scalar,
        "method": st.just("system.multicall"),
        "params": st.tuples(st.lists(entry | anything, max_size=4)),
    }
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory):
    """Sends bytes to a whole application that runs nothing, and returns status and text."""
    daemon = compose(Settings(home=tmp_path_factory.mktemp("home")), local_token=TOKEN)
    with asyncio.Runner() as runner:

        def send(body: bytes, **headers: str):
            answer = runner.run(call(daemon.app, "POST", "/jsonrpc", body=body, headers=headers))
            return answer.status, answer.body

        yield send
        runner.run(daemon.database.close())


def check(status, text, call_id=None):
    """The text is an answer of JSON-RPC 2.0 and tells of no fault of ours."""
    assert status < 500, text
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    for one in document if isinstance(document, list) else [document]:
        assert one["jsonrpc"] == "2.0"
        assert ("result" in one) != ("error" in one)
        assert "id" in one
        if "error" in one:
            assert isinstance(one["error"]["code"], int)
            assert isinstance(one["error"]["message"], str)
            assert one["error"]["code"] != INTERNAL, one
    return document


@LIMITS
@given(body=st.one_of(st.binary(max_size=60), anything.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_and_any_json_are_answered(ask, body):
    check(*ask(body))


@LIMITS
@given(document=message)
def test_any_call_by_anybody_is_answered_with_its_id(ask, document):
    status, text = ask(json.dumps(document).encode())
    assert check(status, text)["id"] == document["id"]


@settings(LIMITS, max_examples=250)
@given(document=message)
def test_any_call_by_somebody_with_every_right_is_answered(ask, document):
    status, text = ask(json.dumps(document).encode(), authorization=f"Bearer {TOKEN}")
    found = check(status, text)
    assert found["id"] == document["id"]
    assert (status == 200) == ("result" in found)


@LIMITS
@given(document=multicall)
def test_any_multicall_answers_each_of_its_calls(ask, document):
    found = check(*ask(json.dumps(document).encode(), authorization=f"Bearer {TOKEN}"))
    (entries,) = document["params"]
    assert len(found["result"]) == len(entries)
    for one in found["result"]:
        assert isinstance(one, list) or (set(one) == {"code", "message"} and one["code"] != INTERNAL)


@LIMITS
@given(documents=st.lists(message | multicall | anything, max_size=4))
def test_any_batch_answers_each_of_its_calls(ask, documents):
    found = check(*ask(json.dumps(documents).encode(), authorization=f"Bearer {TOKEN}"))
    assert isinstance(found, list)
    assert len(found) == len(documents)


@pytest.mark.parametrize("secret", ["ferry_\ud800", "ferry_\0", "ferry_ä", "ferry_", "", "x" * 100_000])
def test_strange_tokens_are_unauthorized(ask, secret):
    body = json.dumps({"id": 1, "method": "aria2.getVersion", "params": [f"token:{secret}"]}).encode()
    assert check(*ask(body))["error"]["message"] in {
        "Unauthorized",
        "Too many wrong tokens. Try again in 1 s.",
    }

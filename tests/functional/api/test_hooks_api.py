"""Hooks through the API: who may, what is wrong, what is never shown."""

import json

import pytest

from tests.unit.web.client import call

HOOKS = "/api/v1/downloads/hooks"


@pytest.fixture
def ask(house, tokens):
    async def asked(method, path="", doc=None, role="admin", at=HOOKS):
        headers = {"authorization": f"Bearer {tokens[role]}"}
        return await call(house.app, method, at + path, headers=headers, doc=doc)

    return asked


WEB = {"name": "chat", "url": "https://hooks.example.org/a?key=hidden", "secret": "geheim-geheim"}


async def test_only_admins_define_hooks(ask):
    assert (await ask("POST", doc=WEB, role="operator")).status == 403
    made = await ask("POST", doc=WEB)
    assert made.status == 201
    path = f"/{made.json()['id']}"
    for method, rest in (("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        assert (await ask(method, path + rest, WEB, role="operator")).status == 403
    assert (await ask("GET", role="operator")).status == 200
    assert (await ask("GET", role="member")).status == 403


async def test_nothing_secret_is_shown(ask):
    made = await ask("POST", doc=WEB)
    shown = [made, await ask("GET"), await ask("GET", "/chat"), await ask("PUT", "/chat", WEB)]
    text = "".join(json.dumps(answer.json()) for answer in shown)
    assert "geheim" not in text
    assert "key=hidden" not in text
    assert made.json()["host"] == "https://hooks.example.org/"


WRONG = [
    ({"name": "x"}, ["url"]),
    ({"name": "x", "url": "ftp://h/"}, ["url"]),
    ({"name": "x", "url": "https://user:password@h/"}, ["url"]),
    ({"name": "x", "url": "https://"}, ["url"]),
    ({"name": "", "url": "https://h/"}, ["name"]),
    ({"name": "x", "url": "https://h/", "timeout": 0}, ["timeout"]),
    ({"name": "x", "url": "https://h/", "attempts": 21}, ["attempts"]),
    ({"name": "x", "url": "https://h/", "events": []}, ["events"]),
    ({"name": "x", "url": "https://h/", "events": ["ping"]}, ["events.0"]),
    ({"name": "x", "url": "https://h/", "command": ["/bin/true"]}, ["command"]),
    ({"name": "x", "kind": "command"}, ["command"]),
    ({"name": "x", "kind": "command", "command": ["true"]}, ["command"]),
    ({"name": "x", "kind": "command", "command": ["/bin/true"], "url": "https://h/"}, ["url"]),
    ({"name": "x", "kind": "command", "command": ["/bin/a\x00b"]}, ["command.0"]),
]


@pytest.mark.parametrize(("doc", "fields"), WRONG)
async def test_wrong_fields_are_named(ask, doc, fields):
    answer = await ask("POST", doc=doc)
    assert answer.status == 422
    assert list(answer.json()["errors"]) == fields
    assert (await ask("GET")).json()["items"] == []


async def test_a_name_is_taken_once(ask):
    await ask("POST", doc=WEB)
    again = await ask("POST", doc=WEB)
    assert (again.status, again.json()["code"], list(again.json()["errors"])) == (
        409,
        "hook_exists",
        ["name"],
    )


async def test_orders_name_hooks_that_are_there_and_may_be_called(ask):
    await ask("POST", doc=WEB)
    await ask("POST", doc={"name": "program", "kind": "command", "command": ["/bin/true"]})
    order = {"urls": ["https://h.example/a.bin"]}
    at = "/api/v1/downloads"
    assert (await ask("POST", doc={**order, "hooks": ["chat"]}, role="member", at=at)).status == 202
    unknown = await ask("POST", doc={**order, "hooks": ["nobody"]}, at=at)
    assert (unknown.json()["code"], list(unknown.json()["errors"])) == ("hook_unknown", ["hooks"])
    denied = await ask("POST", doc={**order, "hooks": ["program"]}, role="member", at=at)
    assert denied.json()["code"] == "hook_denied"
    assert (await ask("POST", doc={**order, "hooks": ["program"]}, role="operator", at=at)).status == 202


async def test_rules_name_hooks_that_are_there(ask):
    made = (await ask("POST", doc=WEB)).json()
    at = "/api/v1/downloads/rules"
    rule = await ask("POST", doc={"name": "r", "hooks": ["chat"]}, at=at)
    assert rule.json()["hooks"] == [made["id"]]
    wrong = await ask("POST", doc={"name": "r", "hooks": ["nobody"]}, at=at)
    assert (wrong.status, list(wrong.json()["errors"])) == (422, ["hooks"])
    several = await ask(
        "POST", "/import", {"rules": [{"name": "a"}, {"name": "b", "hooks": ["nobody"]}]}, at=at
    )
    assert list(several.json()["errors"]) == ["rules.1.hooks"]

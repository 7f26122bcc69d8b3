"""Rules through the API: kept, ordered, tried, carried elsewhere, applied."""

import pytest

from tests.unit.web.client import call

RULES = "/api/v1/downloads/rules"


@pytest.fixture
def ask(house, tokens):
    async def asked(method, path="", doc=None, role="admin"):
        return await call(
            house.app, method, RULES + path, headers={"authorization": f"Bearer {tokens[role]}"}, doc=doc
        )

    return asked


def names(answer):
    return [item["name"] for item in answer.json()["items"]]


async def test_rules_are_kept_changed_and_removed(ask):
    made = await ask("POST", doc={"name": "Images", "extensions": [".ISO"], "category": "Images"})
    assert made.status == 201
    rule = made.json()
    assert (rule["extensions"], rule["enabled"], rule["unpack"]) == (["iso"], True, None)
    changed = await ask(
        "PUT", f"/{rule['id']}", {"name": "Images", "extensions": ["img"], "folder": "images"}
    )
    assert (changed.status, changed.json()["category"], changed.json()["folder"]) == (200, "", "images")
    assert (await ask("GET", f"/{rule['id']}")).json() == changed.json()
    assert (await ask("DELETE", f"/{rule['id']}")).status == 204
    gone = await ask("GET", f"/{rule['id']}")
    assert (gone.status, gone.json()["code"]) == (404, "rule_not_found")


async def test_only_admins_change_and_all_may_read(ask):
    assert (await ask("POST", doc={"name": "x"}, role="operator")).status == 403
    assert (await ask("POST", "/starters", role="member")).status == 403
    assert (await ask("GET", role="viewer")).status == 200
    assert (await ask("POST", "/test", {"url": "http://h/a.iso"}, role="viewer")).status == 200


async def test_rules_are_put_in_another_order(ask):
    ids = [(await ask("POST", doc={"name": name})).json()["id"] for name in ("a", "b", "c")]
    assert names(await ask("POST", "/order", {"ids": [ids[2], ids[0], ids[1]]})) == ["c", "a", "b"]
    assert names(await ask("GET")) == ["c", "a", "b"]
    for wrong in (ids[:2], [*ids, ids[0]], [ids[0], ids[0], ids[1]], [*ids[:2], "nope"]):
        answer = await ask("POST", "/order", {"ids": wrong})
        assert (answer.status, answer.json()["code"]) == (422, "rules_changed")
    assert names(await ask("GET")) == ["c", "a", "b"]


async def test_an_address_is_tried(ask):
    await ask("POST", "/starters")
    answer = (await ask("POST", "/test", {"url": "https://h.org/x/debian.iso"})).json()
    assert (answer["matched"], answer["rule"]) == (True, "Disk images")
    assert (answer["effects"]["folder"], answer["effects"]["priority"]) == ("images", 6)
    nothing = (await ask("POST", "/test", {"url": "https://h.org/x/unknown.xyz"})).json()
    assert (nothing["matched"], nothing["rule"], nothing["effects"]["category"]) == (False, None, None)
    own = {"name": "mine", "hosts": ["*.org"], "min_size": "1GB", "rate_limit": "2MB/s"}
    small = await ask("POST", "/test", {"url": "https://h.org/a", "size": 5, "rule": own})
    large = await ask("POST", "/test", {"url": "https://h.org/a", "size": 5_000_000_000, "rule": own})
    assert (small.json()["matched"], large.json()["matched"]) == (False, True)
    assert large.json()["effects"]["rate_limit"] == 2_000_000
    wrong = await ask("POST", "/test", {"url": "https://h.org/a", "rule": {"name": "x", "expression": "("}})
    assert (wrong.status, list(wrong.json()["errors"])) == (422, ["rule.expression"])
    assert list((await ask("POST", "/test", {"url": "nonsense"})).json()["errors"]) == ["url"]


async def test_rules_are_carried_elsewhere(ask):
    await ask("POST", "/starters")
    document = (await ask("GET", "/export")).json()
    assert len(document["rules"]) == 5
    assert len(names(await ask("POST", "/import", document))) == 5
    assert len(names(await ask("GET"))) == 10
    await ask("POST", "/import", {**document, "replace": True})
    assert (await ask("GET", "/export")).json() == document


async def test_a_wrong_import_changes_nothing_and_names_every_rule(ask):
    await ask("POST", doc={"name": "kept"})
    rules = [{"name": "good"}, {"name": "bad", "folder": "../x"}, {"name": "worse", "expression": "("}]
    answer = await ask("POST", "/import", {"rules": rules, "replace": True})
    assert (answer.status, list(answer.json()["errors"])) == (422, ["rules.1.folder", "rules.2.expression"])
    assert names(await ask("GET")) == ["kept"]


async def test_there_is_a_bound(ask):
    many = {"rules": [{"name": f"r{number}"} for number in range(200)]}
    assert (await ask("POST", "/import", many)).status == 201
    full = await ask("POST", doc={"name": "one more"})
    assert (full.status, full.json()["code"]) == (409, "rules_full")


WRONG = [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "n" * 81}, "name"),
    ({"name": "a\x1bb"}, "name"),
    ({"name": "x", "priority": 10}, "priority"),
    ({"name": "x", "connections": 0}, "connections"),
    ({"name": "x", "extensions": ["a"] * 101}, "extensions"),
    ({"name": "x", "unpack": "yes"}, "unpack"),
    ({"name": "x", "folder": "{nothing}"}, "folder"),
    ({"name": "x", "surprise": 1}, "surprise"),
]


@pytest.mark.parametrize(("doc", "field"), WRONG)
async def test_wrong_fields_are_named(ask, doc, field):
    answer = await ask("POST", doc=doc)
    assert answer.status == 422
    assert list(answer.json()["errors"]) == [field]


@pytest.fixture
def add(house, tokens):
    async def added(role="admin", **order):
        headers = {"authorization": f"Bearer {tokens[role]}"}
        return await call(house.app, "POST", "/api/v1/downloads", headers=headers, doc=order)

    return added


@pytest.fixture
def shown(house, tokens):
    async def whole(answer):
        headers = {"authorization": f"Bearer {tokens['admin']}"}
        job_id = answer.json()["items"][0]["id"]
        return (await call(house.app, "GET", f"/api/v1/jobs/{job_id}", headers=headers)).json()

    return whole


async def test_rules_are_applied_to_what_is_added_and_the_order_wins(ask, add, shown):
    rule = {
        "name": "isos", "extensions": ["iso"], "category": "Images", "folder": "img/{host}", "priority": 7,
        "rate_limit": "1MB/s", "connections": 2, "checksum": "{url}.sha256", "unpack": False,
    }  # fmt: skip
    await ask("POST", doc=rule)
    job = await shown(await add(urls=["https://h.example/a.iso"]))
    assert (job["category"], job["priority"]) == ("Images", 7)
    spec = job["spec"]
    assert (spec["folder"], spec["rate_limit"], spec["connections"]) == ("img/h.example", 1_000_000, 2)
    assert spec["checksum_url"] == "https://h.example/a.iso.sha256"
    own = {
        "folder": "mine",
        "rate_limit": "0",
        "connections": 5,
        "priority": 5,
        "category": "",
        "unpack": True,
    }
    digest = f"sha256:{'0' * 64}"
    job = await shown(await add(urls=["https://h.example/b.iso"], checksum=digest, **own))
    spec = job["spec"]
    assert (job["category"], job["priority"], spec["folder"], spec["unpack"]) == (None, 5, "mine", True)
    assert (spec["rate_limit"], spec["connections"], spec["checksum_url"]) == (0, 5, None)
    other = await shown(await add(urls=["https://h.example/c.txt"]))
    assert (other["category"], other["spec"]["folder"]) == (None, "")


async def test_a_demanded_checksum_is_demanded(ask, add):
    await ask("POST", doc={"name": "strict", "hosts": ["*.example"], "checksum": "required"})
    refused = await add(urls=["https://h.example/a.iso"])
    assert (refused.status, refused.json()["code"], list(refused.json()["errors"])) == (
        422,
        "checksum_required",
        ["urls.0"],
    )
    assert "strict" in refused.json()["detail"]
    assert (await add(urls=[f"https://h.example/a.iso sha256:{'0' * 64}"])).status == 202


async def test_the_checksum_file_is_within_the_reach_of_the_caller(ask, add):
    await ask("POST", doc={"name": "x", "checksum": "http://169.254.169.254/{name}"})
    refused = await add(urls=["https://h.example/a.iso"])
    assert (refused.status, refused.json()["code"]) == (403, "address_refused")

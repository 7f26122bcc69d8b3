"""Settings through the API: all or none, per-field messages, who may, carrying; wrong values for every setting."""

import json

import pytest

from ferryman.core.settings import Kind, Settings, meta_of
from tests.unit.web.client import call

PATH = "/api/v1/settings"
CHANGEABLE = [name for name in Settings.model_fields if not meta_of(name).machine]
HOSTILE = {
    "a list": [1, 2],
    "an object": {"a": {"b": 1}},
    "huge text": "9" * 200_000,
    "long text": "x" * 5000,
    "NUL": "a\0b",
    "a line end": "1\r\nX-Evil: 1",
    "an escape": "\x1b[31m",
    "a lone surrogate": "\ud800",
    "a huge number": 10**40,
    "a negative number": -1,
    "a fraction": 1.5,
    "words": "certainly not",
}
TEXTUAL = {Kind.TEXT, Kind.PATH}


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def api(house, tokens):
    async def ask(method, path="", doc=None, *, role="admin", **headers):
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await call(house.app, method, PATH + path, headers=bearer(tokens[role]) | more, doc=doc)

    return ask


async def items(api) -> dict:
    return {item["name"]: item for item in (await api("GET")).json()["items"]}


async def test_a_setting_tells_all_about_itself(api):
    item = (await items(api))["connections"]
    assert {key: item[key] for key in ("value", "default", "origin", "minimum", "maximum", "live", "section")} == {
        "value": 8, "default": 8, "origin": "default", "minimum": 1, "maximum": 32, "live": True, "section": "Downloads",
    }  # fmt: skip
    assert item["fixed_by"] is None
    assert (await items(api))["port"]["fixed_by"] == "machine"


async def test_several_change_at_once_and_one_goes_back(api):
    done = await api("PATCH", doc={"connections": 3, "rate_limit": "2MB/s"})
    assert done.json()["changes"] == [
        {"name": "connections", "label": "Connections of a download", "before": 8, "after": 3},
        {"name": "rate_limit", "label": "Speed limit", "before": "0", "after": "2MB/s"},
    ]
    item = (await items(api))["connections"]
    assert (item["value"], item["origin"], item["fallback"], item["changed_by"]) == (3, "console", 8, "admin")
    await api("DELETE", "/connections")
    item = (await items(api))["connections"]
    assert (item["value"], item["origin"], item["changed_at"]) == (8, "default", None)
    assert (await api("DELETE", "/nonsense")).json()["code"] == "setting_not_found"


async def test_nothing_is_changed_when_one_is_wrong(api):
    refused = await api("PATCH", doc={"connections": 3, "session_hours": 0, "nonsense": 1, "port": 1})
    assert (refused.status, refused.json()["code"]) == (422, "settings_invalid")
    assert set(refused.json()["errors"]) == {"session_hours", "nonsense", "port"}
    assert (await items(api))["connections"]["value"] == 8


async def test_what_the_machine_decides_is_refused_with_the_reason(api):
    refused = await api("PATCH", doc={"port": 1})
    assert (refused.status, refused.json()["code"]) == (409, "setting_fixed")
    assert "FERRY_PORT" in refused.json()["errors"]["port"]


async def test_a_dry_run_changes_nothing(api):
    said = (await api("PATCH", "?dry_run=true", {"connections": 3})).json()
    assert (said["dry_run"], len(said["changes"])) == (True, 1)
    assert (await items(api))["connections"]["value"] == 8


async def test_who_read_an_older_state_is_refused(api):
    seen = (await api("GET")).headers["etag"]
    assert (await api("PATCH", doc={"connections": 3}, if_match=seen)).status == 200
    refused = await api("PATCH", doc={"connections": 4}, if_match=seen)
    assert (refused.status, refused.json()["code"]) == (409, "settings_changed")
    assert (await api("PATCH", doc={"connections": 4}, if_match="*")).status == 200


async def test_operators_look_and_members_do_not(api):
    assert (await api("GET", role="operator")).status == 200
    assert (await api("GET", role="member")).status == 403
    for method, path, doc in (
        ("PATCH", "", {"connections": 3}),
        ("PATCH", "?dry_run=true", {"connections": 3}),
        ("DELETE", "/connections", None),
        ("POST", "/import", {"text": "connections = 3"}),
    ):
        assert (await api(method, path, doc, role="operator")).status == 403


@pytest.mark.parametrize("name", CHANGEABLE)
async def test_a_wrong_value_is_refused_with_a_message_at_its_field(api, name):
    before = await items(api)
    for what, value in HOSTILE.items():
        if what == "words" and meta_of(name).kind in TEXTUAL:
            continue
        refused = await api("PATCH", doc={name: value})
        assert refused.status in {413, 422}, (what, refused.json())
        if refused.status == 422:
            message = refused.json()["errors"][name]
            assert message[0].isupper() or message[0] == "'", (what, message)
            assert len(message) < 1000, what
            assert len(refused.body) < 10_000, what
    assert await items(api) == before


async def test_an_empty_value_is_refused_or_means_nothing(api):
    for name in CHANGEABLE:
        answer = await api("PATCH", doc={name: ""})
        if answer.status == 200:
            assert meta_of(name).kind in {Kind.TEXT, Kind.TIMETABLE, Kind.LOGINS}
        else:
            assert set(answer.json()["errors"]) == {name}


async def test_null_takes_back(api):
    assert (await api("PATCH", doc=dict.fromkeys(CHANGEABLE))).json()["changes"] == []


async def test_a_body_that_is_no_object_is_refused(api):
    many = {f"name{number}": 1 for number in range(300)}
    for doc in ([], "text", 7, None, [{"connections": 3}], many):
        assert (await api("PATCH", doc=doc)).status == 422


async def test_export_and_import(api):
    await api("PATCH", doc={"connections": 3, "rate_schedule": "sat,sun=0", "log_level": "debug"})
    toml, document = await api("GET", "/export"), await api("GET", "/export?format=json")
    assert toml.headers["content-type"].startswith("application/toml")
    assert "attachment" in toml.headers["content-disposition"]
    assert toml.body.decode() == 'rate_schedule = "sat,sun=0"\nconnections = 3\nlog_level = "debug"\n'
    assert json.loads(document.body) == {"rate_schedule": "sat,sun=0", "connections": 3, "log_level": "debug"}
    for name in ("connections", "rate_schedule", "log_level"):
        await api("DELETE", f"/{name}")
    shown = (await api("POST", "/import?dry_run=true", {"text": toml.body.decode()})).json()
    assert {change["name"] for change in shown["changes"]} == {"connections", "rate_schedule", "log_level"}
    assert (await items(api))["connections"]["value"] == 8
    taken = await api("POST", "/import", {"text": document.body.decode(), "format": "json"})
    assert taken.json()["changes"] == shown["changes"]
    assert (await items(api))["connections"]["value"] == 3
    assert (await api("POST", "/import", {"text": toml.body.decode()})).json()["changes"] == []


@pytest.mark.parametrize(
    ("text", "form", "field"),
    [
        ("connections = ", "toml", "text"),
        ("{", "json", "text"),
        ("[]", "json", "text"),
        ("[" * 90_000, "json", "text"),
        ("a" * 90_000, "toml", "text"),
        ("connections = 3\nconnections = 4", "toml", "text"),
        ("connections = 99\nlog_level = 'debug'", "toml", "connections"),
        ("[connections]\na = 1", "toml", "connections"),
        ("port = 1\nlog_level = 'debug'", "toml", "port"),
        ("nonsense = 1\nlog_level = 'debug'", "toml", "nonsense"),
        ("connections = 1979-05-27", "toml", "connections"),
        ("\n".join(f"name{number} = 1" for number in range(300)), "toml", "text"),
        (f"{'x' * 50_000} = 1", "toml", "x" * 100),
        ('{"log_level": "debug", "connections": 1e999}', "json", "connections"),
    ],
)
async def test_a_wrong_import_names_what_is_wrong_and_takes_nothing(api, text, form, field):
    refused = await api("POST", "/import", {"text": text, "format": form})
    assert refused.status in {409, 422}, refused.json()
    assert field in refused.json()["errors"]
    assert (await items(api))["log_level"]["value"] == "info"


async def test_a_fixed_setting_may_be_imported_where_it_is_the_same(api):
    assert (await api("POST", "/import", {"text": "port = 8470\nconnections = 3"})).status == 200


async def test_a_timetable_is_explained(api):
    doc = {"rate_schedule": "mon-fri 08:00-18:00=2MB/s, sat,sun=0", "rate_limit": "5MB/s"}
    said = (await api("POST", "/timetable", doc)).json()
    assert (said["cells"][0][7], said["cells"][0][8], said["cells"][5][0]) == (None, "2MB/s", "0")
    assert said["whole_hours"]
    assert said["rate_limit"] in {0, 2_000_000, 5_000_000}
    assert said["changes_at"]
    half = (await api("POST", "/timetable", {"rate_schedule": "08:30-09:00=1"})).json()
    assert (half["whole_hours"], half["cells"][0][8]) == (False, None)
    wrong = (await api("POST", "/timetable", {"rate_schedule": "noon"})).json()
    assert set(wrong["errors"]) == {"rate_schedule"}


async def test_limits_of_jobs_and_speed_are_the_settings(api, house, tokens):
    async def put(path, doc):
        return await call(house.app, "PUT", path, headers=bearer(tokens["admin"]), doc=doc)

    await put("/api/v1/jobs/limits", {"kind": "download", "limit": 3})
    await put("/api/v1/jobs/limits", {"kind": "*", "limit": 5})
    await put("/api/v1/downloads/speed", {"rate_limit": "2MB/s"})
    found = await items(api)
    assert [found[name]["value"] for name in ("download_concurrency", "worker_concurrency", "rate_limit")] == [
        3, 5, "2MB/s",
    ]  # fmt: skip
    await api("PATCH", doc={"download_concurrency": 32})
    limits = await call(house.app, "GET", "/api/v1/jobs/limits", headers=bearer(tokens["admin"]))
    assert {"download": 32, "*": 5}.items() <= limits.json()["limits"].items()
    await put("/api/v1/jobs/limits", {"kind": "download", "limit": None})
    assert (await items(api))["download_concurrency"]["origin"] == "default"
    for kind, limit, field in (("nonsense", 3, "kind"), ("download", 33, "limit")):
        refused = await put("/api/v1/jobs/limits", {"kind": kind, "limit": limit})
        assert set(refused.json()["errors"]) == {field}

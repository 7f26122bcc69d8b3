"""Jobs through the API, and whose jobs a caller reaches."""

import pytest

from ferryman.core.ids import new_id
from ferryman.jobs.model import NewJob
from tests.unit.web.client import call

JOBS = "/api/v1/jobs"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
async def mine(house, tokens):
    member = await house.accounts.user("member")
    return await house.ledger.submit(
        NewJob(
            "download", "my file", {"url": "http://host/a", "password": "hunter2 is secret"}, owner=member.id
        )
    )


@pytest.fixture
async def other(house, tokens):
    return await house.ledger.submit(
        NewJob("download", "their file", {"url": "http://host/b"}, owner="someone")
    )


async def test_members_see_their_own_and_operators_all(house, tokens, mine, other):
    for role, expected in {"viewer": set(), "member": {mine.id}, "operator": {mine.id, other.id}}.items():
        listed = (await call(house.app, "GET", JOBS, headers=bearer(tokens[role]))).json()
        assert {item["id"] for item in listed["items"]} == expected
        glance = (await call(house.app, "GET", "/api/v1/overview", headers=bearer(tokens[role]))).json()
        assert glance["counts"].get("queued", 0) == len(expected)


@pytest.mark.parametrize("path", ["", "/log", "/events", "/report"])
async def test_a_job_out_of_reach_looks_like_none(house, tokens, mine, other, path):
    headers = bearer(tokens["member"])
    assert (await call(house.app, "GET", f"{JOBS}/{mine.id}{path}", headers=headers)).status == 200
    hidden = await call(house.app, "GET", f"{JOBS}/{other.id}{path}", headers=headers)
    nothing = await call(house.app, "GET", f"{JOBS}/{new_id()}{path}", headers=headers)
    assert (hidden.status, nothing.status) == (404, 404)
    assert hidden.json()["code"] == nothing.json()["code"] == "job_not_found"


@pytest.mark.parametrize(
    "job_id", ["nope", "%00", "..%2f..", "019ab697-E800-7fff-b516-bfc82202789d", "x" * 100]
)
async def test_an_unknown_job_is_named(house, tokens, job_id):
    answer = await call(house.app, "GET", f"{JOBS}/{job_id}", headers=bearer(tokens["admin"]))
    assert (answer.status, answer.json()["code"]) == (404, "job_not_found")


async def test_secrets_of_a_job_are_not_shown(house, tokens, mine):
    answer = await call(house.app, "GET", f"{JOBS}/{mine.id}", headers=bearer(tokens["member"]))
    assert answer.json()["spec"]["url"] == "http://host/a"
    assert b"hunter2" not in answer.body


async def test_a_job_is_paused_resumed_cancelled_and_retried(house, tokens, mine):
    headers = bearer(tokens["member"])
    for action, state in [
        ("pause", "paused"),
        ("resume", "queued"),
        ("cancel", "cancelled"),
        ("retry", "queued"),
    ]:
        answer = await call(house.app, "POST", f"{JOBS}/{mine.id}/{action}", headers=headers)
        assert (answer.status, answer.json()["state"]) == (202, state)
    wrong = await call(house.app, "POST", f"{JOBS}/{mine.id}/retry", headers=headers)
    assert wrong.status == 409
    assert wrong.json()["detail"]


async def test_viewers_change_nothing(house, tokens, mine):
    answer = await call(house.app, "POST", f"{JOBS}/{mine.id}/pause", headers=bearer(tokens["viewer"]))
    assert (answer.status, answer.json()["code"]) == (403, "scope_missing")


async def test_priority_is_changed_within_bounds(house, tokens, mine):
    headers, path = bearer(tokens["member"]), f"{JOBS}/{mine.id}/priority"
    assert (await call(house.app, "POST", path, headers=headers, doc={"priority": 1})).json()["priority"] == 1
    refused = await call(house.app, "POST", path, headers=headers, doc={"priority": 10})
    assert (refused.status, list(refused.json()["errors"])) == (422, ["priority"])


async def test_bulk_tells_what_was_refused_and_why(house, tokens, mine, other):
    headers = bearer(tokens["member"])
    asked = {"action": "cancel", "ids": [mine.id, other.id, "nope"]}
    answer = (await call(house.app, "POST", f"{JOBS}/bulk", headers=headers, doc=asked)).json()
    assert answer["done"] == [mine.id]
    assert answer["refused"].keys() == {other.id, "nope"}
    gone = (
        await call(
            house.app, "POST", f"{JOBS}/bulk", headers=headers, doc={"action": "delete", "ids": [mine.id]}
        )
    ).json()
    assert gone == {"done": [mine.id], "refused": {}}


async def test_bulk_by_filter_stays_within_reach(house, tokens, mine, other):
    asked = {"action": "cancel", "filter": {"state": ["queued"]}}
    answer = (
        await call(house.app, "POST", f"{JOBS}/bulk", headers=bearer(tokens["member"]), doc=asked)
    ).json()
    assert answer["done"] == [mine.id]
    assert (await house.ledger.get(other.id)).state == "queued"


@pytest.mark.parametrize(
    "doc",
    [
        {},
        {"action": "cancel"},
        {"action": "explode", "ids": ["x"]},
        {"action": "cancel", "ids": []},
        {"action": "cancel", "ids": ["x"], "filter": {}},
    ],
)
async def test_bulk_refuses_what_it_does_not_understand(house, tokens, doc):
    answer = await call(house.app, "POST", f"{JOBS}/bulk", headers=bearer(tokens["admin"]), doc=doc)
    assert answer.status == 422
    assert answer.json()["errors"]


async def test_a_list_is_searched_filtered_and_read_page_by_page(house, tokens):
    jobs = [await house.ledger.submit(NewJob("download", f"report {number}.pdf", {})) for number in range(5)]
    await house.ledger.submit(NewJob("copy", "image", {}))
    headers, seen, cursor = bearer(tokens["admin"]), [], ""
    while True:
        page = (
            await call(house.app, "GET", f"{JOBS}?q=report&kind=download&limit=2{cursor}", headers=headers)
        ).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [job.id for job in reversed(jobs)]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "state=gone", "sort=weight", "since=yesterday", "since=0.5", "q=%00", "kind=A"],
)
async def test_a_wrong_question_names_its_field(house, tokens, query):
    answer = await call(house.app, "GET", f"{JOBS}?{query}", headers=bearer(tokens["admin"]))
    assert answer.status == 422
    assert query.partition("=")[0] in next(iter(answer.json()["errors"]))


async def test_a_cursor_of_no_list_leads_nowhere(house, tokens):
    answer = await call(house.app, "GET", f"{JOBS}?cursor=abc", headers=bearer(tokens["admin"]))
    assert (answer.status, answer.json()["code"]) == (404, "cursor_invalid")


async def test_log_events_and_report_tell_what_happened(house, tokens, mine):
    headers = bearer(tokens["member"])
    house.ledger.log(mine.id).info("began", url="http://host/a")
    log = (await call(house.app, "GET", f"{JOBS}/{mine.id}/log", headers=headers)).json()
    assert "began" in log["text"]
    rest = await call(house.app, "GET", f"{JOBS}/{mine.id}/log?offset={log['next_offset']}", headers=headers)
    assert rest.json() == {"text": "", "next_offset": log["next_offset"]}
    events = (await call(house.app, "GET", f"{JOBS}/{mine.id}/events", headers=headers)).json()["items"]
    assert events[0]["type"] == "accepted"
    text = await call(house.app, "GET", f"{JOBS}/{mine.id}/report?format=text", headers=headers)
    assert text.headers["content-type"].startswith("text/plain")
    assert "my file" in text.body.decode()


async def test_only_admins_change_how_many_run(house, tokens):
    doc, path = {"kind": "download", "limit": 3}, f"{JOBS}/limits"
    assert (await call(house.app, "PUT", path, headers=bearer(tokens["operator"]), doc=doc)).status == 403
    changed = await call(house.app, "PUT", path, headers=bearer(tokens["admin"]), doc=doc)
    assert changed.json()["limits"]["download"] == 3
    assert (await call(house.app, "GET", path, headers=bearer(tokens["viewer"]))).json() == changed.json()


async def test_settings_show_where_they_come_from(house, tokens):
    items = (await call(house.app, "GET", "/api/v1/settings", headers=bearer(tokens["operator"]))).json()[
        "items"
    ]
    port = next(item for item in items if item["name"] == "port")
    assert (port["value"], port["origin"], port["variable"]) == (8470, "default", "FERRY_PORT")
    assert (await call(house.app, "GET", "/api/v1/settings", headers=bearer(tokens["member"]))).status == 403


async def test_metrics_count_jobs(house, tokens, mine):
    text = (await call(house.app, "GET", "/metrics", headers=bearer(tokens["viewer"]))).body.decode()
    assert 'ferry_jobs{state="queued"} 1.0' in text
    assert "ferry_transfer_bytes_total 7.0" in text

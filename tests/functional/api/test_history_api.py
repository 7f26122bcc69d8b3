"""The history through the API: export, import, saved filters, sums, pruning."""

import csv
import dataclasses
import io
import json

import pytest

from ferryman.downloads.history.model import COLUMNS
from ferryman.jobs.model import NewJob, Progress, Reason
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.transitions import Cause
from tests.unit.web.client import call

DOWNLOADS = "/api/v1/downloads"
TITLES = ("debian.iso", "=SUM(A1)", "ubuntu.iso", "@x", "Über.zip")


def bearer(token):
    return {"authorization": f"Bearer {token}"}


async def asked(house, token, method, path, body=None, expected=200):
    answer = await call(house.app, method, f"{DOWNLOADS}{path}", headers=bearer(token), doc=body)
    assert answer.status == expected, answer.body
    return answer.json() if answer.body and expected != 204 else None


@pytest.fixture
async def past(house, tokens):
    """Ended downloads: of the member the even ones, the third failed."""
    member = await house.accounts.user("member")
    jobs = await house.ledger.submit_many(
        [
            NewJob(
                "download", title, {"urls": [f"https://user:hunter2@files{n}.example/{n}"], "folder": "x"},
                owner=member.id if n % 2 == 0 else "someone", category="images" if n < 3 else None, host=f"files{n}.example",
            )
            for n, title in enumerate(TITLES)
        ]
    )  # fmt: skip
    now = house.ledger.clock.now()
    for n, job in enumerate(await house.ledger.store.lease(Claim("w", ["download"], 10), now, now + 30)):
        end = Outcome(Cause.SUCCEED, result={"path": "x"})
        if n == 2:
            end = Outcome(Cause.FAIL, reason=Reason.NETWORK, error="cut", error_code="cut")
        await house.ledger.store.finish(job.id, job.epoch, end, now + n, Progress(total=1000 * (n + 1)))
    return jobs


async def test_the_export_has_all_that_fits_and_only_what_the_caller_reaches(house, tokens, past):
    everything = await asked(house, tokens["operator"], "GET", "/export?format=json&sort=created_at")
    assert [item["title"] for item in everything["items"]] == list(TITLES)
    mine = await asked(house, tokens["member"], "GET", "/export?sort=created_at")
    assert [item["title"] for item in mine["items"]] == [TITLES[0], TITLES[2], TITLES[4]]
    few = await asked(house, tokens["operator"], "GET", "/export?category=images&max_size=2000&sort=size")
    assert [item["size"] for item in few["items"]] == [1000, 2000]
    assert (await asked(house, tokens["operator"], "GET", "/export?q=nothing"))["items"] == []


async def test_the_export_tells_no_secret_and_spreadsheets_calculate_nothing(house, tokens, past):
    for form in ("csv", "json"):
        answer = await call(
            house.app, "GET", f"{DOWNLOADS}/export?format={form}", headers=bearer(tokens["admin"])
        )
        assert answer.status == 200
        assert b"hunter2" not in answer.body
        assert answer.headers["content-disposition"].startswith("attachment")
    text = await call(
        house.app, "GET", f"{DOWNLOADS}/export?format=csv&sort=created_at", headers=bearer(tokens["admin"])
    )
    head, *rows = csv.reader(io.StringIO(text.body.decode()))
    assert tuple(head) == COLUMNS
    assert [row[1] for row in rows] == ["debian.iso", "'=SUM(A1)", "ubuntu.iso", "'@x", "Über.zip"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


async def test_sums_follow_the_filter(house, tokens, past):
    sums = await asked(house, tokens["operator"], "GET", "/summary")
    assert (sums["number"], sums["size"], sums["at_least"]) == (5, 15_000, False)
    assert (sums["states"]["succeeded"], sums["states"]["failed"], sums["success"]) == (4, 1, 0.8)
    some = await asked(house, tokens["operator"], "GET", "/summary?category=images&min_size=2000")
    assert (some["number"], some["size"]) == (2, 5000)
    assert (await asked(house, tokens["member"], "GET", "/summary"))["number"] == 3


async def test_a_list_is_taken_whole_or_not_at_all(house, tokens):
    lines = [f"https://example.org/{n}.iso" for n in range(9)]
    lines[2], lines[5] = "gopher://example.org/x", "https://"
    text = "\n".join(["# a list", *lines])
    refused = await asked(house, tokens["member"], "POST", "/import", {"text": text}, expected=422)
    assert refused["code"] == "list_invalid"
    assert list(refused["errors"]) == ["lines.4", "lines.7"]
    assert [one["line"] for one in refused["details"]["lines"]] == [4, 7]
    assert (await asked(house, tokens["member"], "GET", ""))["items"] == []
    taken = await asked(house, tokens["member"], "POST", "/import?partial=true", {"text": text}, expected=202)
    assert (taken["number"], taken["wrong"], [one["line"] for one in taken["refused"]]) == (7, 2, [4, 7])
    assert len((await asked(house, tokens["member"], "GET", ""))["items"]) == 7


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_was_exported_can_be_imported(house, tokens, form):
    entries = [
        {"urls": [f"https://example.org/{n}.iso"], "name": f"-{n}.iso", "folder": f"f{n}", "checksum": f"md5:{n:032x}"}
        for n in range(3)
    ]  # fmt: skip
    order = {"urls": [], "entries": entries, "category": "images"}
    await asked(house, tokens["member"], "POST", "", order, expected=202)
    query = f"/export?format={form}&sort=created_at"
    exported = await call(house.app, "GET", f"{DOWNLOADS}{query}", headers=bearer(tokens["member"]))
    text = exported.body.decode()
    taken = await asked(house, tokens["operator"], "POST", "/import", {"text": text}, expected=202)
    assert (taken["number"], taken["wrong"]) == (3, 0)
    jobs = [await house.ledger.get(job_id) for job_id in taken["ids"]]
    assert [(job.spec["name"], job.spec["folder"], job.category) for job in jobs] == [
        (f"-{n}.iso", f"f{n}", "images") for n in range(3)
    ]
    assert [job.spec["checksum"] for job in jobs] == [f"md5:{n:032x}" for n in range(3)]


async def test_an_exported_address_without_its_password_is_refused(house, tokens, past):
    exported = await call(house.app, "GET", f"{DOWNLOADS}/export", headers=bearer(tokens["admin"]))
    refused = await asked(
        house, tokens["admin"], "POST", "/import", {"text": exported.body.decode()}, expected=422
    )
    assert {one["code"] for one in refused["details"]["lines"]} == {"secret_missing"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "list_empty"),
        ("[]", "list_empty"),
        ('{"items": 3}', "list_unreadable"),
        ("{" * 50_000, "list_unreadable"),
        ("urls,name\n", "list_empty"),
        ('urls\n"a\n' + "x" * 200_000, "list_unreadable"),
        (json.dumps(["https://example.org/x"] * 10_001), "list_too_long"),
        ("[1, null, {}]", "list_invalid"),
        ('[{"urls": [{"a": 1}]}]', "list_invalid"),
        ('[{"urls": "https://example.org/a", "folder": "../up"}]', "list_invalid"),
        ('[{"urls": "https://example.org/a", "name": 7}]', "list_invalid"),
    ],
)
async def test_a_list_that_is_none_is_refused(house, tokens, text, code):
    refused = await asked(house, tokens["member"], "POST", "/import", {"text": text}, expected=422)
    assert refused["code"] == code
    assert refused["advice"]
    assert (await asked(house, tokens["member"], "GET", ""))["items"] == []


async def test_saved_filters_belong_to_one_person(house, tokens):
    query = {"state": ["failed"], "host": ["a.example"], "since": "2026-01-01T00:00:00Z", "sort": "-size"}
    one = await asked(house, tokens["member"], "POST", "/filters", {"name": " mine ", "query": query}, 201)
    assert (one["name"], one["query"]["state"], one["query"]["sort"]) == ("mine", ["failed"], "-size")
    again = await asked(house, tokens["member"], "POST", "/filters", {"name": "mine", "query": {}}, 201)
    items = (await asked(house, tokens["member"], "GET", "/filters"))["items"]
    assert [(item["id"], item["query"]) for item in items] == [(again["id"], {})]
    assert (await asked(house, tokens["admin"], "GET", "/filters"))["items"] == []
    await asked(house, tokens["admin"], "DELETE", f"/filters/{again['id']}", expected=404)
    await asked(house, tokens["member"], "DELETE", f"/filters/{again['id']}", expected=204)
    assert (await asked(house, tokens["member"], "GET", "/filters"))["items"] == []
    wrong = await asked(
        house, tokens["member"], "POST", "/filters", {"name": "x", "query": {"sort": "up"}}, 422
    )
    assert list(wrong["errors"]) == ["query.sort"]
    for field, value in (("since", 0), ("min_size", "5"), ("max_size", True), ("color", "red")):
        body = {"name": "x", "query": {field: value}}
        assert list((await asked(house, tokens["member"], "POST", "/filters", body, 422))["errors"]) == [
            f"query.{field}"
        ]


async def test_pruning_takes_the_oldest_within_reach(house, tokens, past):
    member, admin = tokens["member"], tokens["admin"]
    assert await asked(house, member, "POST", "/prune", {"count": 2, "dry_run": True}) == {
        "number": 1,
        "more": False,
    }
    assert (await asked(house, member, "GET", "/summary"))["number"] == 3
    assert (await asked(house, member, "POST", "/prune", {"count": 2}))["number"] == 1
    left = await asked(house, admin, "GET", "/export?sort=finished_at")
    assert [item["title"] for item in left["items"]] == list(TITLES[1:])
    assert (await asked(house, admin, "POST", "/prune", {"days": 1}))["number"] == 0
    house.ledger.clock = Later(house.ledger.clock)
    assert (await asked(house, tokens["viewer"], "POST", "/prune", {"count": 1}, expected=403))["code"]
    assert (await asked(house, admin, "POST", "/prune", {}))["number"] == 0
    assert (await asked(house, admin, "POST", "/prune", {"count": 1}))["number"] == 3


@dataclasses.dataclass
class Later:
    """The clock two days ahead."""

    clock: object

    def now(self):
        return self.clock.now() + 2 * 86_400

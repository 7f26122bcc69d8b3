import pytest

from ferryman.web.problems import MEDIA_TYPE, STATUSES, Problem

from .client import call
from .conftest import ERRORS


@pytest.mark.parametrize(
    ("name", "status"),
    [("invalid", 422), ("denied", 403), ("missing", 404), ("clash", 409), ("full", 507), ("later", 503), ("corrupt", 500)],
)  # fmt: skip
async def test_every_branch_of_the_tree_has_its_status(app, name, status):
    answer = await call(app, "GET", f"/api/v1/errors/{name}")
    problem = Problem(**answer.json())
    assert (answer.status, problem.status) == (status, status)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert (problem.code, problem.detail) == (ERRORS[name].code, ERRORS[name].message)
    assert problem.instance == f"/api/v1/errors/{name}"


async def test_fields_and_advice_are_told(app):
    problem = (await call(app, "GET", "/api/v1/errors/invalid")).json()
    assert (problem["errors"], problem["advice"]) == ({"url": "no URL"}, "Write one.")


async def test_later_says_when(app):
    assert (await call(app, "GET", "/api/v1/errors/later")).headers["retry-after"] == "7"


async def test_an_error_nobody_expected_shows_no_internals(app, caplog):
    answer = await call(app, "GET", "/api/v1/errors/unknown-name")
    assert answer.status == 500
    assert b"KeyError" not in answer.body
    assert b"unknown-name" not in answer.body.replace(b"/api/v1/errors/unknown-name", b"")
    assert "KeyError" in caplog.text


async def test_405_names_every_method_of_the_path(app):
    answer = await call(app, "PATCH", "/api/v1/things/one")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


async def test_404_names_the_path(app):
    assert "/nowhere" in (await call(app, "GET", "/nowhere")).json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"{", "body"), (b"[]", "body"), (b'{"number":"x"}', "number"), (b"{}", "number"), (b"\xff\xfe", "body"), (b"null", "body")],
)  # fmt: skip
async def test_a_request_that_does_not_fit_names_the_field(app, body, field):
    headers = {"authorization": "Bearer local-secret", "content-type": "application/json"}
    answer = await call(app, "POST", "/api/v1/things/one", headers=headers, body=body)
    assert (answer.status, answer.json()["code"]) == (422, "request_invalid")
    assert field in answer.json()["errors"]


async def test_text_no_utf8_can_carry_is_answered_all_the_same(app):
    headers = {"authorization": "Bearer local-secret", "content-type": "application/json"}
    answer = await call(app, "POST", "/api/v1/things/one", headers=headers, body=b'{"number":"\\ud800"}')
    assert answer.status == 422
    assert Problem(detail="\ud800", title="x", status=400, code="x").detail == "?"


@pytest.mark.parametrize(
    "media", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "jso\xf1"]
)
async def test_other_media_types_are_refused(app, media):
    headers = {"authorization": "Bearer local-secret", "content-type": media}
    assert (await call(app, "POST", "/api/v1/things/one", headers=headers, body=b"number=1")).status == 415


def test_the_table_has_every_branch():
    assert len(STATUSES) == 7


async def test_the_description_names_problems_and_nothing_else(app):
    document = (await call(app, "GET", "/api/v1/openapi.json")).json()
    assert document == (await call(app, "GET", "/openapi.json")).json()
    assert "HTTPValidationError" not in document["components"]["schemas"]
    post = document["paths"]["/api/v1/things/{name}"]["post"]
    assert {"401", "403", "404", "409", "413", "415", "422", "500", "503"} <= post["responses"].keys()
    assert post["responses"]["422"] == {"$ref": "#/components/responses/Problem"}
    assert post["security"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_no_page_loads_anything_from_elsewhere(app, path):
    assert (await call(app, "GET", path)).status == 404

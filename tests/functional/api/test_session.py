"""Signing in as a browser does."""

import pytest

from ferryman.accounts.model import Role, local_principal
from tests.unit.web.client import call

from .conftest import PASSWORD

SESSION = "/api/v1/session"


@pytest.fixture
async def ann(house):
    return await house.accounts.create_user("ann", PASSWORD, Role.ADMIN, actor=local_principal())


async def sign_in(house, name="ann", password=PASSWORD):
    return await call(house.app, "POST", SESSION, doc={"name": name, "password": password})


def cookie_of(answer) -> dict[str, str]:
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_a_browser_signs_in_changes_something_and_signs_out(house, ann):
    answer = await sign_in(house)
    flags = answer.headers["set-cookie"].lower()
    assert answer.status == 200
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in flags.split(";")}
    me, cookie = answer.json(), cookie_of(answer)
    assert (me["name"], me["role"], me["via"]) == ("ann", "admin", "session")
    assert (await call(house.app, "GET", SESSION, headers=cookie)).json()["csrf"] == me["csrf"]

    new = {"name": "bob", "password": PASSWORD, "role": "viewer"}
    assert (await call(house.app, "POST", "/api/v1/users", headers=cookie, doc=new)).status == 403
    proven = {**cookie, "x-csrf-token": me["csrf"]}
    assert (await call(house.app, "POST", "/api/v1/users", headers=proven, doc=new)).status == 201

    assert (await call(house.app, "DELETE", SESSION, headers=proven)).status == 204
    assert (await call(house.app, "GET", SESSION, headers=cookie)).status == 401


async def test_over_tls_the_cookie_never_travels_in_the_clear(house, ann):
    async def tls(scope, receive, send):
        await house.app({**scope, "scheme": "https"}, receive, send)

    answer = await call(tls, "POST", SESSION, doc={"name": "ann", "password": PASSWORD})
    assert "; secure" in answer.headers["set-cookie"].lower()


async def test_a_wrong_password_is_told_and_then_slowed_down(house, ann):
    wrong = await sign_in(house, password="not the words at all")
    assert (wrong.status, wrong.json()["code"]) == (401, "login_failed")
    assert "set-cookie" not in wrong.headers
    for _ in range(20):
        slowed = await sign_in(house, password="not the words at all")
        if slowed.status == 429:
            break
    assert (slowed.status, slowed.json()["code"]) == (429, "login_throttled")
    assert int(slowed.headers["retry-after"]) >= 1


async def test_an_unknown_name_looks_like_a_wrong_password(house, ann):
    wrong, unknown = await sign_in(house, password="wrong words here"), await sign_in(house, name="nobody")
    assert {**wrong.json(), "instance": ""} == {**unknown.json(), "instance": ""}


async def test_a_new_password_ends_every_session(house, ann):
    first, second = await sign_in(house), await sign_in(house)
    headers = {**cookie_of(first), "x-csrf-token": first.json()["csrf"]}
    change = {"current": PASSWORD, "new": "another set of words"}
    assert (await call(house.app, "POST", f"{SESSION}/password", headers=headers, doc=change)).status == 204
    assert (await call(house.app, "GET", SESSION, headers=cookie_of(second))).status == 401
    assert (await sign_in(house, password="another set of words")).status == 200


async def test_a_disabled_user_is_out_at_once(house, ann):
    answer = await sign_in(house)
    other = await house.accounts.create_user("other", PASSWORD, Role.ADMIN, actor=local_principal())
    await house.accounts.disable(ann.id, actor=local_principal())
    assert other.role is Role.ADMIN
    assert (await call(house.app, "GET", SESSION, headers=cookie_of(answer))).status == 401


async def test_tokens_are_shown_once_and_carry_no_more_than_asked(house, ann):
    answer = await sign_in(house)
    headers = {**cookie_of(answer), "x-csrf-token": answer.json()["csrf"]}
    asked = {"name": "ci", "scopes": ["jobs:read"]}
    made = (await call(house.app, "POST", "/api/v1/tokens", headers=headers, doc=asked)).json()
    bearer = {"authorization": f"Bearer {made['secret']}"}
    assert (await call(house.app, "GET", "/api/v1/jobs", headers=bearer)).status == 200
    assert (await call(house.app, "GET", "/api/v1/users", headers=bearer)).status == 403
    listed = (await call(house.app, "GET", "/api/v1/tokens", headers=headers)).body.decode()
    assert made["id"] in listed
    assert made["secret"] not in listed
    revoked = await call(house.app, "DELETE", f"/api/v1/tokens/{made['id']}", headers=headers)
    assert revoked.status == 204
    assert (await call(house.app, "GET", "/api/v1/jobs", headers=bearer)).status == 401


async def test_the_audit_log_tells_and_is_whole(house, ann):
    await sign_in(house)
    local = {"authorization": "Bearer local-secret"}
    rows = (await call(house.app, "GET", "/api/v1/audit?limit=1", headers=local)).json()
    assert (rows["items"][0]["action"], rows["items"][0]["target"]) == ("login.ok", "ann")
    more = await call(house.app, "GET", f"/api/v1/audit?cursor={rows['next_cursor']}", headers=local)
    assert more.json()["items"][-1]["action"] == "user.create"
    assert (await call(house.app, "GET", "/api/v1/audit/inspection", headers=local)).json()["broken"] is None

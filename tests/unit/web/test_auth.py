import pytest

from ferryman.core.errors import Denied
from ferryman.web.auth import local_path

from .client import call

SESSION = {"cookie": "ferry_session=open-sesame"}
THING = "/api/v1/things/one"


async def test_nobody_gets_401_with_a_way_in(app):
    answer = await call(app, "GET", THING)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "login_required"


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Basic YTpi", "Bearer \xff\xfe", "bearer local-secret-not"]
)
async def test_wrong_credentials_get_401_and_never_fall_back_to_the_session(app, header):
    answer = await call(app, "GET", THING, headers={**SESSION, "authorization": header})
    assert answer.status == 401
    assert answer.json()["code"] == "token_invalid"


async def test_a_token_speaks_for_its_user(app):
    answer = await call(app, "GET", THING, headers={"authorization": "Bearer ferry_viewer"})
    assert answer.json() == "one for ann"


async def test_who_can_read_the_home_folder_may_do_everything(app):
    headers = {"authorization": "Bearer local-secret"}
    assert (await call(app, "POST", THING, headers=headers, doc={"number": 4})).json() == 4


async def test_a_token_without_the_right_gets_403(app):
    headers = {"authorization": "Bearer ferry_viewer"}
    answer = await call(app, "POST", THING, headers=headers, doc={"number": 4})
    assert (answer.status, answer.json()["code"]) == (403, "scope_missing")


async def test_a_session_reads_without_proof_and_changes_only_with_it(app):
    assert (await call(app, "GET", THING, headers=SESSION)).status == 200
    refused = await call(app, "POST", THING, headers=SESSION, doc={"number": 4})
    assert (refused.status, refused.json()["code"]) == (403, "csrf_failed")
    proven = {**SESSION, "x-csrf-token": "proof"}
    assert (await call(app, "POST", THING, headers=proven, doc={"number": 4})).status == 200


@pytest.mark.parametrize(
    ("body", "status"), [(b"text=hi&csrf=proof", 200), (b"text=hi&csrf=no", 403), (b"text=hi", 403)]
)
async def test_a_form_proves_itself_by_a_field(app, body, status):
    headers = {**SESSION, "content-type": "application/x-www-form-urlencoded"}
    assert (await call(app, "POST", "/form", headers=headers, body=body)).status == status


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost.evil.example", "http://[", "http://localhost:1"],
)
async def test_another_site_changes_nothing_even_with_the_proof(app, origin):
    headers = {**SESSION, "x-csrf-token": "proof", "origin": origin}
    assert (await call(app, "POST", THING, headers=headers, doc={"number": 4})).status == 403


async def test_own_pages_may_change_things(app):
    headers = {**SESSION, "x-csrf-token": "proof", "origin": "http://localhost"}
    assert (await call(app, "POST", THING, headers=headers, doc={"number": 4})).status == 200


async def test_a_browser_from_elsewhere_without_origin_is_refused(app):
    headers = {**SESSION, "x-csrf-token": "proof", "sec-fetch-site": "cross-site"}
    assert (await call(app, "POST", THING, headers=headers, doc={"number": 4})).status == 403


async def test_a_person_who_is_not_signed_in_is_led_to_the_login_and_back(app):
    @app.get("/private")
    async def private() -> None:
        raise Denied("login_required", "Nobody is signed in.")

    answer = await call(app, "GET", "/private?a=1", headers={"accept": "text/html"})
    assert (answer.status, answer.headers["location"]) == (303, "/login?next=%2Fprivate%3Fa%3D1")


@pytest.mark.parametrize("path", ["/", "/jobs?state=running&q=a%2Fb", "/jobs/1#log"])
def test_paths_of_this_server_are_followed(path):
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [None, "", "jobs", "//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "javascript:alert(1)",
     "/\t/evil.example", "/a\nb", " /a", "/" * 3000, "///evil", "/a\x7f", "http:/x"],
)  # fmt: skip
def test_no_path_leads_elsewhere(path):
    assert local_path(path) == "/"

"""What each role may do in which repository, and that nothing of hidden repositories shows: names, tags or blobs."""

import json

import pytest

from tests.conformance.registry.peers import INDEX, MANIFEST, digest_of
from tests.integration.registry.town import Town, basic, document_of

SECRET = b"a secret layer"
HIDDEN = "secret/* admin pull,push,delete"


@pytest.fixture
async def town(made, depot) -> Town:
    return await Town(made, depot).peopled()


def refused(reply) -> bool:
    """403 with the code of the specification."""
    return reply.status == 403 and reply.code == "DENIED"


@pytest.mark.parametrize("role", ["viewer", "member", "operator", "admin"])
async def test_what_each_role_may_do(town: Town, role: str):
    await town.push("team/app")
    await town.blob("team/app", b"loose")
    headers = basic(role)
    digest = digest_of(document_of())
    assert (await town.ask("GET", "/v2/team/app/manifests/v1", b"", headers)).status == 200
    assert (await town.ask("GET", "/v2/team/app/tags/list", b"", headers)).status == 200
    begun = await town.ask("POST", "/v2/team/app/blobs/uploads/", b"", headers)
    pushed = await town.ask(
        "PUT", "/v2/team/app/manifests/v2", document_of(), headers | {"content-type": MANIFEST}
    )
    writer = role != "viewer"
    assert (begun.status, pushed.status) == ((202, 201) if writer else (403, 403))
    assert (town.depot.tagged("team/app", "v2") is not None) == writer
    owner = role in {"operator", "admin"}
    for path in ("manifests/v1", f"manifests/{digest}", f"blobs/{digest_of(b'loose')}"):
        reply = await town.ask("DELETE", f"/v2/team/app/{path}", b"", headers)
        assert reply.status == 202 if owner else refused(reply), path
    assert (town.depot.tagged("team/app", "v1") is None) == owner


async def test_lines_take_and_give(town: Town):
    await town.push("kept/app")
    town.lines("kept/* member pull,push\nopen/* viewer pull,push,delete")
    for role in ("operator", "admin"):
        assert refused(await town.ask("DELETE", "/v2/kept/app/manifests/v1", b"", basic(role)))
    assert refused(await town.ask("GET", "/v2/kept/app/manifests/v1", b"", basic("viewer")))
    assert (await town.push("open/app", headers=basic("viewer"))).status == 201
    assert (await town.ask("DELETE", "/v2/open/app/manifests/v1", b"", basic("viewer"))).status == 202


@pytest.mark.parametrize("query", ["&from=secret/app", "", "&from=secret/none"])
async def test_a_mount_does_not_bring_what_one_may_not_read(town: Town, query: str):
    await town.push("secret/app", SECRET)
    await town.push("team/app")
    town.lines(HIDDEN)
    path = f"/v2/team/app/blobs/uploads/?mount={digest_of(SECRET)}{query}"
    scope = "repository:team/app:pull,push repository:secret/app:pull"
    for headers in (basic("member"), await town.bearer(scope, basic("member"))):
        assert (await town.ask("POST", path, b"", headers)).status == 202
        assert (await town.ask("GET", f"/v2/team/app/blobs/{digest_of(SECRET)}", b"", headers)).status == 404
    reader = await town.ask("POST", path, b"", basic("admin"))
    assert reader.status == (202 if "none" in query else 201)


async def test_a_token_mounts_only_from_what_it_was_made_for(town: Town):
    await town.push("team/a", SECRET)
    await town.push("team/b")
    path = f"/v2/team/b/blobs/uploads/?mount={digest_of(SECRET)}&from=team/a"
    narrow = await town.bearer("repository:team/b:pull,push", basic("member"))
    assert (await town.ask("POST", path, b"", narrow)).status == 202
    wide = await town.bearer("repository:team/b:pull,push repository:team/a:pull", basic("member"))
    assert (await town.ask("POST", path, b"", wide)).status == 201


async def test_naming_hidden_content_in_a_manifest_does_not_open_it(town: Town):
    await town.push("secret/app", SECRET)
    await town.push("team/app")
    town.lines(HIDDEN)
    headers = basic("member") | {"content-type": MANIFEST}
    await town.ask("PUT", "/v2/team/app/manifests/thief", document_of(SECRET), headers)
    blob = await town.ask("GET", f"/v2/team/app/blobs/{digest_of(SECRET)}", b"", basic("member"))
    assert (blob.status, blob.code) == (404, "BLOB_UNKNOWN")
    raw = document_of(SECRET, b"more")
    await town.push("secret/other", SECRET, b"more")
    child = {"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)}
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).encode()
    headers = basic("member") | {"content-type": INDEX}
    assert (await town.ask("PUT", "/v2/team/app/manifests/index", index, headers)).status == 201
    reply = await town.ask("GET", f"/v2/team/app/manifests/{digest_of(raw)}", b"", basic("member"))
    assert (reply.status, reply.code) == (404, "MANIFEST_UNKNOWN")


async def test_the_catalogue_shows_what_one_may_pull_page_by_page(town: Town):
    for name in ("a/one", "secret/one", "secret/two", "b/one", "c/one"):
        await town.push(name)
    town.lines(HIDDEN)
    seen, path = [], "/v2/_catalog?n=2"
    while path:
        reply = await town.ask("GET", path, b"", basic("operator"))
        seen += json.loads(reply.body)["repositories"]
        path = reply.headers.get("link", "").partition("<")[2].partition(">")[0]
    assert seen == ["a/one", "b/one", "c/one"]
    whole = await town.ask("GET", "/v2/_catalog", b"", basic("admin"))
    assert len(json.loads(whole.body)["repositories"]) == 5
    token = await town.bearer("registry:catalog:*", basic("viewer"))
    shown = await town.ask("GET", "/v2/_catalog", b"", token)
    assert json.loads(shown.body)["repositories"] == ["a/one", "b/one", "c/one"]


@pytest.mark.parametrize("way", ["basic", "bearer", "nobody"])
async def test_a_hidden_repository_answers_as_one_that_is_not_there(town: Town, way: str):
    await town.push("secret/app", SECRET)
    town.lines(HIDDEN, anonymous=way == "nobody")
    digest = digest_of(document_of(SECRET))
    headers = {} if way == "nobody" else basic("operator")
    for what in ("tags/list", "manifests/v1", f"manifests/{digest}", f"blobs/{digest_of(SECRET)}",
                 f"referrers/{digest}"):  # fmt: skip
        told = []
        for name in ("secret/app", "secret/none"):
            given = headers
            if way == "bearer":
                given = await town.bearer(f"repository:{name}:pull", basic("operator"))
            reply = await town.ask("GET", f"/v2/{name}/{what}", b"", given)
            told.append((reply.status, reply.body.replace(name.encode(), b"NAME")))
        assert told[0] == told[1], what
        assert told[0][0] == (403 if way == "basic" else 401)


async def test_an_upload_belongs_to_its_repository(town: Town):
    town.lines(HIDDEN)
    place = (await town.ask("POST", "/v2/secret/app/blobs/uploads/", b"", basic("admin"))).headers["location"]
    assert refused(await town.ask("PATCH", place, b"x", basic("member")))
    elsewhere = place.replace("/secret/app/", "/team/app/")
    assert (await town.ask("GET", elsewhere, b"", basic("member"))).status == 404
    assert (await town.ask("DELETE", elsewhere, b"", basic("member"))).status == 404
    assert (await town.ask("GET", place, b"", basic("admin"))).status == 204


async def test_an_api_token_never_exceeds_its_rights_nor_those_its_user_has_left(town: Town):
    await town.push("team/app")
    _, secret = await town.token("member", "depot:read")
    headers = basic("anything", secret)
    assert (await town.ask("GET", "/v2/team/app/manifests/v1", b"", headers)).status == 200
    assert refused(await town.ask("POST", "/v2/team/app/blobs/uploads/", b"", headers))
    _, other = await town.token("member", "downloads:read")
    assert refused(await town.ask("GET", "/v2/team/app/manifests/v1", b"", basic("x", other)))
    assert refused(await town.ask("GET", "/v2/_catalog", b"", basic("x", other)))

"""Who may do what is asked for every request, and for both sides of a mount."""

import pytest

from tests.conformance.registry.doubles import NamedAccess, OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of

PULL, PUSH, DELETE = ("*", "pull"), ("*", "push"), ("*", "delete")
RIGHTS = {
    "reader": {PULL, ("", "base"), ("", "catalog")},
    "writer": {PULL, PUSH, ("", "base")},
    "owner": {PULL, PUSH, DELETE, ("", "base"), ("", "catalog")},
    "half": {("team/b", "push"), ("team/b", "pull"), ("", "catalog")},
}


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Name {name}"}


async def blob(ask, repository: str, data: bytes, name: str = "owner"):
    return await ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(data)}", data, as_(name))


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/", {"reader", "writer", "owner"}),
        ("GET", "/v2/_catalog", {"reader", "owner", "half"}),
        ("GET", "/v2/team/a/manifests/v1", {"reader", "writer", "owner"}),
        ("GET", "/v2/team/a/tags/list", {"reader", "writer", "owner"}),
        ("POST", "/v2/team/a/blobs/uploads/", {"writer", "owner"}),
        ("DELETE", "/v2/team/a/manifests/none", {"owner"}),
    ],
)
async def test_each_request_needs_its_right(made, memory, method, path, allowed):
    ask = made(NamedAccess(RIGHTS, memory=memory))
    await blob(ask, "team/a", b"{}")
    document = (
        b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}' % digest_of(b"{}").encode()
    )
    pushed = await ask("PUT", "/v2/team/a/manifests/v1", document, as_("owner") | {"Content-Type": MANIFEST})
    assert pushed.status == 201
    for _ in range(2):  # what is in memory is guarded as well
        for name in RIGHTS:
            reply = await ask(method, path, b"", as_(name))
            assert (reply.status == 403) == (name not in allowed), name
            assert reply.status != 403 or reply.code == "DENIED"
        reply = await ask(method, path)
        assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
        assert reply.headers["www-authenticate"].startswith("Bearer ")


async def test_a_mount_needs_the_right_to_pull_from_its_source(made):
    ask = made(NamedAccess(RIGHTS))
    digest = digest_of(b"secret")
    await blob(ask, "team/a", b"secret")
    for query in (f"mount={digest}&from=team/a", f"mount={digest}"):
        reply = await ask("POST", f"/v2/team/b/blobs/uploads/?{query}", b"", as_("half"))
        assert reply.status == 202
    assert (await ask("GET", f"/v2/team/b/blobs/{digest}", b"", as_("half"))).status == 404
    reply = await ask("POST", f"/v2/team/b/blobs/uploads/?mount={digest}&from=team/a", b"", as_("writer"))
    assert reply.status == 201


async def test_the_catalogue_lists_what_one_may_pull(made):
    ask = made(NamedAccess(RIGHTS))
    for repository in ("team/a", "team/b", "team/c"):
        data = b"{}"
        await blob(ask, repository, data)
        document = (
            b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}' % digest_of(data).encode()
        )
        await ask(
            "PUT", f"/v2/{repository}/manifests/v1", document, as_("owner") | {"Content-Type": MANIFEST}
        )
    assert (await ask("GET", "/v2/_catalog", b"", as_("half"))).json()["repositories"] == ["team/b"]
    assert len((await ask("GET", "/v2/_catalog", b"", as_("owner"))).json()["repositories"]) == 3


async def test_a_door_is_opened_at_its_own_path_alone(made):
    async def door(scope, receive, send):
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"token"})

    ask = made(OpenAccess(), doors={"/v2/token": door})
    assert (await ask("GET", "/v2/token?service=x")).status == 299
    assert (await ask("GET", "/v2/token/x/tags/list")).status == 404

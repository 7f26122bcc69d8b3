"""Passwords, API tokens, tokens of the registry, and nobody at all: what each may do, and what it is told."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from ferryman.accounts.model import ROLE_SCOPES, Principal, Role
from ferryman.core.access_lines import parse_access
from ferryman.core.errors import Denied, Unavailable
from ferryman.registry.access import Policy, RegistryAccess
from ferryman.registry.door import PATH, TokenDoor
from ferryman.registry.tokens import LIFETIME_S, TokenMaker
from tests.conformance.registry.peers import MANIFEST, digest_of

DOCUMENT = b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[]}' % digest_of(b"{}").encode()


class Clock:
    time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class People:
    """Every role is a user whose password is `password of ROLE`, and has a token `ferry_ROLE` that may only pull."""

    def __init__(self) -> None:
        self.asked, self.throttled, self.gone = 0, False, set()

    def generation(self) -> int:
        return len(self.gone)

    async def again(self, principal: Principal) -> Principal | None:
        return None if principal.name in self.gone else principal

    async def principal_of_token(self, secret: str) -> Principal | None:
        self.asked += 1
        role = secret.removeprefix("ferry_")
        if not secret.startswith("ferry_") or role not in set(Role) or role in self.gone:
            return None
        return Principal("1", role, Role(role), frozenset({"depot:read"}), "token:t")

    async def principal_of_password(self, name: str, password: str, client: str) -> Principal:
        self.asked += 1
        if self.throttled:
            raise Unavailable("login_throttled", "Too many failed logins.", retry_after=9)
        if name not in set(Role) or password != f"password of {name}" or name in self.gone:
            raise Denied("login_failed", "The name or the password is wrong.")
        return Principal("1", name, Role(name), ROLE_SCOPES[Role(name)], "password")


class Town:
    def __init__(self, made) -> None:
        self.people, self.clock, self.policy, tokens = People(), Clock(), Policy(), TokenMaker()
        self.access = RegistryAccess(
            self.people, self.clock, tokens, policy=lambda: self.policy, local_token=lambda: "local"
        )
        door = TokenDoor(self.access, tokens, self.clock)
        self.ask = made(self.access, clock=self.clock, doors={PATH: door})

    async def push(self, repository: str, headers: dict[str, str]):
        await self.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'{}')}", b"{}", headers)
        path = f"/v2/{repository}/manifests/v1"
        return await self.ask("PUT", path, DOCUMENT, headers | {"content-type": MANIFEST})

    async def bearer(self, scope: str, headers: dict[str, str]) -> dict[str, str]:
        reply = await self.ask("GET", f"{PATH}?service=ferryman&scope={quote(scope)}", b"", headers)
        assert reply.status == 200, reply.body
        return {"authorization": f"Bearer {json.loads(reply.body)['token']}"}


@pytest.fixture
def town(made) -> Town:
    return Town(made)


def basic(name: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{name}:{secret}".encode()).decode()}


def user(role: str) -> dict[str, str]:
    return basic(role, f"password of {role}")


async def test_a_stranger_is_told_where_tokens_are(town):
    reply = await town.ask("GET", "/v2/", b"", {"host": "reg.example:5000"})
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == (
        'Bearer realm="http://reg.example:5000/v2/token",service="ferryman"'
    )
    proxied = {"host": "reg.example", "x-forwarded-proto": "https"}
    reply = await town.ask("POST", "/v2/team/a/blobs/uploads/", b"", proxied)
    assert reply.headers["www-authenticate"] == (
        'Bearer realm="https://reg.example/v2/token",service="ferryman",scope="repository:team/a:pull,push"'
    )
    broken = await town.ask("GET", "/v2/", b"", {"host": 'a",service="evil'})
    assert "evil" not in broken.headers["www-authenticate"]


@pytest.mark.parametrize("way", ["basic", "bearer", "posted"])
async def test_roles_are_rights(town, way):
    await town.push("team/a", user("admin"))
    scope = "repository:team/a:pull,push,delete"
    for role, may in (("viewer", "pull"), ("member", "pull push"), ("operator", "pull push delete")):
        headers = user(role)
        if way == "bearer":
            headers = await town.bearer(scope, headers)
        if way == "posted":
            form = f"grant_type=password&username={role}&password=password+of+{role}&scope={quote(scope)}"
            reply = await town.ask("POST", PATH, form.encode())
            given = json.loads(reply.body)
            assert set(given["scope"].rpartition(":")[2].split(",")) == set(may.split())
            assert given["expires_in"] == LIFETIME_S
            headers = {"authorization": f"Bearer {given['access_token']}"}
        got = await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)
        assert got.status == 200
        begun = await town.ask("POST", "/v2/team/a/blobs/uploads/", b"", headers)
        gone = await town.ask("DELETE", "/v2/team/a/manifests/none", b"", headers)
        refused = 403 if way == "basic" else 401
        assert begun.status == (202 if "push" in may else refused)
        assert gone.status == (404 if "delete" in may else refused)


async def test_a_token_is_good_for_what_it_was_asked_for_and_while_it_lives(town):
    await town.push("team/a", user("admin"))
    await town.push("team/b", user("admin"))
    headers = await town.bearer("repository:team/a:pull", user("admin"))
    assert (await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)).status == 200
    for method, path in (("GET", "/v2/team/b/manifests/v1"), ("DELETE", "/v2/team/a/manifests/v1"),
                         ("GET", "/v2/_catalog")):  # fmt: skip
        reply = await town.ask(method, path, b"", headers)
        assert reply.status == 401
        assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
    town.clock.time += LIFETIME_S + 1
    late = await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)
    assert late.status == 401
    assert 'error="invalid_token"' in late.headers["www-authenticate"]


async def test_wrong_credentials_and_too_many_of_them(town):
    for headers in (
        basic("viewer", "wrong"),
        basic("", ""),
        {"authorization": "Bearer x"},
        basic("x", "ferry_no"),
    ):
        assert (await town.ask("GET", "/v2/", b"", headers)).status == 401
        assert (await town.ask("GET", PATH, b"", headers)).status == 401
    town.people.throttled = True
    for path in ("/v2/", PATH):
        reply = await town.ask("GET", path, b"", basic("viewer", "wrong"))
        assert (reply.status, reply.headers["retry-after"]) == (429, "9")
    for form in (b"grant_type=magic", b"", b"\xff\xff"):
        assert (await town.ask("POST", PATH, form)).status == 400
    assert (await town.ask("POST", PATH, b"x" * 100_000)).status == 413
    assert (await town.ask("PUT", PATH)).status == 405


async def test_an_api_token_as_password_has_its_own_rights_only(town):
    headers = basic("anyone", "ferry_admin")
    assert (await town.ask("GET", "/v2/_catalog", b"", headers)).status == 200
    assert (await town.ask("POST", "/v2/a/blobs/uploads/", b"", headers)).status == 403
    town.policy = Policy(lines=parse_access("a admin pull,push"))
    assert (await town.ask("POST", "/v2/a/blobs/uploads/", b"", headers)).status == 403
    refreshed = await town.ask("POST", PATH, b"grant_type=refresh_token&refresh_token=ferry_viewer")
    assert refreshed.status == 200


async def test_lines_decide_where_they_match(town):
    for name in ("secret/x", "open/x", "else/x"):
        await town.push(name, user("admin"))
    town.policy = Policy(lines=parse_access("secret/* admin pull,push\nopen/* viewer pull,push # all"))
    for role, place, pull, push in (
        ("operator", "secret/x", 403, 403), ("admin", "secret/x", 200, 202), ("viewer", "open/x", 200, 202),
        ("viewer", "else/x", 200, 403), ("member", "else/x", 200, 202),
    ):  # fmt: skip
        got = await town.ask("GET", f"/v2/{place}/manifests/v1", b"", user(role))
        begun = await town.ask("POST", f"/v2/{place}/blobs/uploads/", b"", user(role))
        assert (got.status, begun.status) == (pull, push), (role, place)
    listed = await town.ask("GET", "/v2/_catalog", b"", user("operator"))
    assert json.loads(listed.body) == {"repositories": ["else/x", "open/x"]}
    mount = f"/v2/open/x/blobs/uploads/?mount={digest_of(b'{}')}&from=secret/x"
    assert (await town.ask("POST", mount, b"", user("viewer"))).status in {201, 202}


async def test_nobody_pulls_unless_it_is_permitted_and_then_only_that(town):
    await town.push("team/a", user("admin"))
    await town.push("secret/a", user("admin"))
    path = "/v2/team/a/manifests/v1"
    assert (await town.ask("GET", path)).status == 401
    assert (await town.ask("GET", PATH + "?scope=repository:team/a:pull")).status == 401
    town.policy = Policy(anonymous=True, lines=parse_access("secret/* member pull"))
    for _ in range(2):
        assert (await town.ask("GET", path)).status == 200
    assert (await town.ask("GET", "/v2/")).status == 401
    assert (await town.ask("GET", "/v2/secret/a/manifests/v1")).status == 401
    assert (await town.ask("GET", "/v2/_catalog")).status == 401
    assert (await town.ask("POST", "/v2/team/a/blobs/uploads/")).status == 401
    token = await town.bearer("repository:team/a:pull,push repository:secret/a:pull", {})
    assert (await town.ask("GET", "/v2/", b"", token)).status == 200
    assert (await town.ask("GET", path, b"", token)).status == 200
    assert (await town.ask("GET", "/v2/secret/a/manifests/v1", b"", token)).status == 401
    assert (await town.ask("POST", "/v2/team/a/blobs/uploads/", b"", token)).status == 401
    town.policy = Policy()
    assert (await town.ask("GET", path)).status == 401
    assert (await town.ask("GET", path, b"", token)).status == 401


async def test_people_are_asked_seldom_and_what_was_revoked_ends(town):
    await town.push("team/a", user("admin"))
    headers = basic("x", "ferry_viewer")
    await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)
    before = town.people.asked
    for _ in range(20):
        assert (await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)).status == 200
    assert town.people.asked == before
    town.people.gone.add("viewer")
    town.clock.time += 6
    assert (await town.ask("GET", "/v2/team/a/manifests/v1", b"", headers)).status == 401

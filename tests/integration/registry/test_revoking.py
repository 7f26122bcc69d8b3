"""What was taken away ends with the next request: tokens of the registry, passwords and API tokens, by whichever process."""

import pytest

from ferryman.accounts.model import Role
from ferryman.accounts.service import Accounts
from ferryman.db import Database, sqlite_url
from ferryman.registry.door import PATH
from ferryman.registry.tokens import LIFETIME_S
from tests.integration.registry.town import SOMEBODY, Town, basic, password_of

PULL = "/v2/team/app/manifests/v1"
UPLOAD = "/v2/team/app/blobs/uploads/"
SCOPE = "repository:team/app:pull,push"
NEW = "another password"


@pytest.fixture
async def town(made, depot) -> Town:
    town = await Town(made, depot).peopled()
    await town.push("team/app")
    return town


@pytest.fixture(params=["this process", "another process"])
async def people(request, town: Town, tmp_path):
    """The accounts, and the same as a command has them."""
    if request.param == "this process":
        yield town.accounts
        return
    database = Database(sqlite_url(tmp_path / "ferry.db"))
    yield Accounts(database, town.clock)
    await database.close()


async def credentials(town: Town) -> list[dict[str, str]]:
    """All ways in of the member: a password, and a token of the registry for it."""
    return [basic("member"), await town.bearer(SCOPE, basic("member"))]


async def statuses(town: Town, method: str, path: str, given: list[dict[str, str]]) -> list[int]:
    return [(await town.ask(method, path, b"", headers)).status for headers in given]


@pytest.mark.parametrize("deed", ["disabled", "deleted", "given another password"])
async def test_whoever_was_shut_out_is_out_at_once(town: Town, people: Accounts, deed: str):
    given = await credentials(town)
    for _ in range(2):  # asked twice, it is known from memory
        assert await statuses(town, "GET", PULL, given) == [200, 200]
    unused = await town.bearer(SCOPE, basic("member"))
    if deed == "disabled":
        await people.disable("member", actor=SOMEBODY)
    elif deed == "deleted":
        await people.delete_user("member", actor=SOMEBODY)
    else:
        await people.set_password("member", NEW, actor=SOMEBODY)
    assert await statuses(town, "GET", PULL, [*given, unused]) == [401, 401, 401]
    reply = await town.ask("GET", PULL, b"", given[1])
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert await statuses(town, "GET", PULL, [basic("viewer")]) == [200]
    if deed == "given another password":
        town.clock.time += 10
        assert await statuses(town, "GET", PULL, [basic("member", NEW)]) == [200]


async def test_another_role_holds_at_once(town: Town, people: Accounts):
    given = await credentials(town)
    assert await statuses(town, "POST", UPLOAD, given) == [202, 202]
    await people.set_role("member", Role.VIEWER, actor=SOMEBODY)
    assert await statuses(town, "POST", UPLOAD, given) == [403, 401]
    assert await statuses(town, "GET", PULL, given) == [200, 200]
    await people.set_role("member", Role.MEMBER, actor=SOMEBODY)
    assert await statuses(town, "POST", UPLOAD, given) == [202, 202]


async def test_a_revoked_api_token_takes_along_what_it_was_traded_for(town: Town, people: Accounts):
    kept, _ = await town.token("member", "depot:read"), None
    gone, secret = await town.token("member", "depot:read", "depot:write")
    ways = [
        {"authorization": f"Bearer {secret}"},
        basic("x", secret),
        await town.bearer(SCOPE, basic("x", secret)),
    ]
    other = await town.bearer(SCOPE, basic("x", kept[1]))
    assert await statuses(town, "GET", PULL, [*ways, other]) == [200] * 4
    await people.revoke_token(gone, actor=SOMEBODY)
    assert await statuses(town, "GET", PULL, [*ways, other]) == [401, 401, 401, 200]
    assert (await town.ask("GET", PATH, b"", basic("x", secret))).status == 401


async def test_a_token_of_the_registry_ends_with_the_api_token_behind_it(town: Town):
    until = town.clock.time + 60
    _, secret = await town.accounts.create_token("member", "short", ["depot:read"], until, actor=SOMEBODY)
    reply = await town.ask("GET", f"{PATH}?scope={SCOPE}", b"", basic("x", secret))
    assert reply.json()["expires_in"] == 60
    traded = {"authorization": f"Bearer {reply.json()['token']}"}
    assert await statuses(town, "GET", PULL, [traded]) == [200]
    town.clock.time += 61
    assert await statuses(town, "GET", PULL, [traded, basic("x", secret)]) == [401, 401]
    assert LIFETIME_S > 60


async def test_nothing_is_asked_while_nothing_changes(town: Town, monkeypatch):
    given = await credentials(town)
    assert await statuses(town, "GET", PULL, given) == [200, 200]

    async def asked(_: object) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(town.accounts, "again", asked)
    monkeypatch.setattr(town.accounts, "principal_of_password", asked)
    for _ in range(50):
        assert await statuses(town, "GET", PULL, given) == [200, 200]


async def test_others_stay_in_without_their_password_being_hashed_again(town: Town, monkeypatch):
    viewer = basic("viewer")
    assert await statuses(town, "GET", PULL, [viewer]) == [200]
    await town.accounts.disable("member", actor=SOMEBODY)

    async def hashed(*_: object) -> None:
        raise AssertionError("a password was hashed")

    monkeypatch.setattr(town.accounts, "principal_of_password", hashed)
    assert await statuses(town, "GET", PULL, [viewer, viewer]) == [200, 200]


async def test_nothing_that_is_remembered_is_believed_while_a_change_is_on_its_way(town: Town):
    given = await credentials(town)
    assert await statuses(town, "GET", PULL, given) == [200, 200]
    town.accounts._store.changes.begin()
    assert await statuses(town, "GET", PULL, given) == [200, 200]
    assert town.access.known(given[0]["authorization"].encode(), "team/app", "pull") is None
    town.accounts._store.changes.end()
    assert await statuses(town, "GET", PULL, given) == [200, 200]
    assert town.access.known(given[0]["authorization"].encode(), "team/app", "pull") is not None


async def test_failed_attempts_of_others_make_nobody_prove_themselves_again(town: Town):
    before = town.accounts.generation()
    assert (await town.ask("GET", "/v2/", b"", basic("member", "wrong"))).status == 401
    assert town.accounts.generation() == before
    assert password_of("member") != NEW

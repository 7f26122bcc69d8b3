"""What accounts promise, on every database."""

import asyncio

import pytest

from ferryman.accounts.model import ROLE_SCOPES, Principal, Role, local_principal
from ferryman.accounts.passwords import fingerprint
from ferryman.accounts.sql import AccountStore
from ferryman.core.errors import Conflict, Denied, Invalid, NotFound, Unavailable

ROOT = local_principal()
PASSWORD = "correct horse battery"


async def signed_in(accounts, name):
    _, secret = await accounts.login(name, PASSWORD, "10.0.0.1")
    principal, _ = await accounts.principal_of_session(secret)
    return principal, secret


async def test_the_first_start_makes_an_admin_with_a_password_that_works_once_told(accounts):
    password = await accounts.ensure_admin()
    assert password
    assert await accounts.ensure_admin() is None
    (admin,) = await accounts.users()
    assert (admin.name, admin.role, admin.temporary_password) == ("admin", Role.ADMIN, True)
    await accounts.login("admin", password, "127.0.0.1")


async def test_no_admin_is_made_when_somebody_exists(accounts):
    await accounts.create_user("anna", PASSWORD, Role.VIEWER, actor=ROOT)
    assert await accounts.ensure_admin() is None


async def test_of_many_first_starts_exactly_one_makes_the_admin(new_accounts):
    several = [new_accounts() for _ in range(6)]
    made = await asyncio.gather(*(each.ensure_admin() for each in several))
    (password,) = [each for each in made if each]
    await several[0].login("admin", password, "127.0.0.1")


async def test_a_user_is_created_found_and_listed(accounts, clock):
    user = await accounts.create_user("bob", PASSWORD, Role.OPERATOR, actor=ROOT)
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    assert user.created_at == clock.now()
    assert await accounts.user("bob") == await accounts.user(user.id) == user
    assert [each.name for each in await accounts.users()] == ["anna", "bob"]


async def test_a_name_is_taken_once_also_by_many_at_the_same_time(new_accounts):
    several = [new_accounts() for _ in range(5)]
    tries = [each.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT) for each in several]
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [each for each in results if isinstance(each, Conflict)]
    assert len(refused) == 4
    assert refused[0].code == "user_exists"
    assert len(await several[0].users()) == 1


@pytest.mark.parametrize(
    ("name", "password", "code"), [("Not Good", PASSWORD, "user_name"), ("anna", "short", "user_password")]
)
async def test_bad_users_are_refused(accounts, name, password, code):
    with pytest.raises(Invalid) as caught:
        await accounts.create_user(name, password, Role.MEMBER, actor=ROOT)
    assert caught.value.code == code
    assert await accounts.users() == ()


@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "\ud800", "x" * 500, "' or 1=1 --"])
async def test_who_is_unknown_is_named(accounts, name):
    with pytest.raises(NotFound) as caught:
        await accounts.user(name)
    assert caught.value.code == "user_not_found"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.OPERATOR])
async def test_only_admins_change_users(accounts, role):
    await accounts.create_user("anna", PASSWORD, role, actor=ROOT)
    await accounts.create_user("boss", PASSWORD, Role.ADMIN, actor=ROOT)
    anna, _ = await signed_in(accounts, "anna")
    for attempt in (
        accounts.create_user("eve", PASSWORD, Role.ADMIN, actor=anna),
        accounts.set_role("anna", Role.ADMIN, actor=anna),
        accounts.set_password("boss", "another password", actor=anna),
        accounts.disable("boss", actor=anna),
        accounts.enable("anna", actor=anna),
        accounts.delete_user("boss", actor=anna),
        accounts.create_token("boss", "t", ["jobs:read"], actor=anna),
    ):
        with pytest.raises(Denied) as caught:
            await attempt
        assert caught.value.code == "scope_missing"
    assert [(user.name, user.role) for user in await accounts.users()] == [
        ("anna", role),
        ("boss", Role.ADMIN),
    ]


async def test_the_last_admin_stays(accounts):
    await accounts.create_user("boss", PASSWORD, Role.ADMIN, actor=ROOT)
    await accounts.create_user("second", PASSWORD, Role.ADMIN, actor=ROOT)
    await accounts.disable("second", actor=ROOT)
    for attempt in (
        accounts.set_role("boss", Role.OPERATOR, actor=ROOT),
        accounts.disable("boss", actor=ROOT),
        accounts.delete_user("boss", actor=ROOT),
    ):
        with pytest.raises(Conflict) as caught:
            await attempt
        assert caught.value.code == "last_admin"
    await accounts.delete_user("second", actor=ROOT)
    await accounts.set_role("boss", Role.ADMIN, actor=ROOT)


async def test_two_admins_who_demote_each_other_at_once_leave_one(new_accounts):
    several = [new_accounts() for _ in range(4)]
    for name in ("a1", "a2", "a3", "a4"):
        await several[0].create_user(name, PASSWORD, Role.ADMIN, actor=ROOT)
    tries = [
        each.set_role(name, Role.MEMBER, actor=ROOT)
        for each, name in zip(several, ("a1", "a2", "a3", "a4"), strict=True)
    ]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in results) == 1
    assert sum(user.role is Role.ADMIN for user in await several[0].users()) == 1


async def test_signing_in_gives_a_session_and_its_rights(accounts, clock):
    user = await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    session, secret = await accounts.login(" Anna ", PASSWORD, "10.0.0.1")
    principal, csrf = await accounts.principal_of_session(secret)
    assert principal == Principal(user.id, "anna", Role.MEMBER, ROLE_SCOPES[Role.MEMBER], "session")
    assert csrf == session.csrf
    assert (await accounts.user("anna")).last_login_at == clock.now()


async def test_each_session_has_its_own_secrets(accounts):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    first, one = await accounts.login("anna", PASSWORD, "10.0.0.1")
    second, other = await accounts.login("anna", PASSWORD, "10.0.0.1")
    assert one != other
    assert first.csrf != second.csrf
    await accounts.logout(one)
    await accounts.logout("unknown")
    assert await accounts.principal_of_session(one) is None
    assert await accounts.principal_of_session(other)


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "a\0b", "x" * 10_000])
async def test_made_up_secrets_belong_to_nobody(accounts, secret):
    assert await accounts.principal_of_session(secret) is None
    assert await accounts.principal_of_token(secret) is None
    assert await accounts.principal_of_token("ferry_" + secret) is None


async def test_secrets_are_not_in_the_database(accounts, db):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    session, secret = await accounts.login("anna", PASSWORD, "10.0.0.1")
    _, token = await accounts.create_token("anna", "ci", ["jobs:read"], actor=ROOT)

    def everything(conn):
        tables = ("users", "tokens", "sessions", "audit", "audit_head")
        return "".join(str(conn.exec_driver_sql(f"select * from {name}").fetchall()) for name in tables)

    text = await db.read(everything)
    assert fingerprint(secret) in text
    assert fingerprint(token) in text
    for hidden in (PASSWORD, secret, token, session.csrf):
        assert hidden not in text


@pytest.mark.parametrize("case", ["wrong", "unknown", "disabled", "hostile name", "hostile password"])
async def test_every_failed_login_looks_the_same(accounts, case):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    await accounts.create_user("gone", PASSWORD, Role.MEMBER, actor=ROOT)
    await accounts.disable("gone", actor=ROOT)
    name, password = {
        "wrong": ("anna", "not the password"),
        "unknown": ("nobody", PASSWORD),
        "disabled": ("gone", PASSWORD),
        "hostile name": ("a\0\ud800" * 1000, PASSWORD),
        "hostile password": ("anna", "\0\ud800" * 100_000),
    }[case]
    with pytest.raises(Denied) as caught:
        await accounts.login(name, password, "10.0.0.1")
    assert caught.value.code == "login_failed"
    assert caught.value.message == "The name or the password is wrong."


async def test_guessing_is_slowed_and_the_right_password_works_after_the_delay(accounts, clock):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    for _ in range(3):
        with pytest.raises(Denied):
            await accounts.login("anna", "a wrong guess", "10.0.0.1")
    with pytest.raises(Unavailable) as caught:
        await accounts.login("anna", PASSWORD, "10.0.0.1")
    assert caught.value.code == "login_throttled"
    await accounts.login("anna", PASSWORD, "10.0.0.2")
    clock.time += caught.value.retry_after
    await accounts.login("anna", PASSWORD, "10.0.0.1")


async def test_a_session_ends_at_its_time_and_when_unused(accounts, clock):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    _, used = await accounts.login("anna", PASSWORD, "10.0.0.1")
    _, idle = await accounts.login("anna", PASSWORD, "10.0.0.1")
    for _ in range(4):
        clock.time += 0.9 * 3600
        assert await accounts.principal_of_session(used)
    assert await accounts.principal_of_session(idle) is None
    clock.time += 0.9 * 3600
    assert await accounts.principal_of_session(used) is None


async def test_sessions_per_user_are_bounded(accounts, clock):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    await accounts.create_user("bob", PASSWORD, Role.MEMBER, actor=ROOT)
    _, other = await accounts.login("bob", PASSWORD, "10.0.0.1")
    secrets = []
    for _ in range(5):
        clock.time += 1
        secrets.append((await accounts.login("anna", PASSWORD, "10.0.0.1"))[1])
    alive = [await accounts.principal_of_session(secret) is not None for secret in secrets]
    assert alive == [False, False, True, True, True]
    assert await accounts.principal_of_session(other)


async def test_a_role_change_counts_at_once(accounts):
    await accounts.create_user("anna", PASSWORD, Role.OPERATOR, actor=ROOT)
    _, secret = await signed_in(accounts, "anna")
    _, token = await accounts.create_token("anna", "ci", ["jobs:all", "jobs:read"], actor=ROOT)
    user = await accounts.set_role("anna", Role.VIEWER, actor=ROOT)
    assert user.role is Role.VIEWER
    principal, _ = await accounts.principal_of_session(secret)
    assert principal.scopes == ROLE_SCOPES[Role.VIEWER]
    assert (await accounts.principal_of_token(token)).scopes == {"jobs:read"}


async def test_disabling_ends_sessions_and_refuses_tokens_until_enabled(accounts):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    _, secret = await signed_in(accounts, "anna")
    _, token = await accounts.create_token("anna", "ci", ["jobs:read"], actor=ROOT)
    assert (await accounts.disable("anna", actor=ROOT)).disabled
    assert await accounts.principal_of_session(secret) is None
    assert await accounts.principal_of_token(token) is None
    assert not (await accounts.enable("anna", actor=ROOT)).disabled
    assert await accounts.principal_of_session(secret) is None
    assert await accounts.principal_of_token(token)
    await signed_in(accounts, "anna")


async def test_a_new_password_ends_all_sessions(accounts):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT, temporary=True)
    _, secret = await signed_in(accounts, "anna")
    user = await accounts.set_password("anna", "another password", actor=ROOT)
    assert not user.temporary_password
    assert await accounts.principal_of_session(secret) is None
    with pytest.raises(Denied):
        await accounts.login("anna", PASSWORD, "10.0.0.1")
    await accounts.login("anna", "another password", "10.0.0.1")


async def test_people_change_their_own_password_with_the_current_one(accounts):
    await accounts.create_user("anna", PASSWORD, Role.VIEWER, actor=ROOT, temporary=True)
    anna, secret = await signed_in(accounts, "anna")
    with pytest.raises(Denied) as caught:
        await accounts.change_password("wrong password", "another password", actor=anna, client="10.0.0.1")
    assert caught.value.code == "password_wrong"
    with pytest.raises(Invalid):
        await accounts.change_password(PASSWORD, "short", actor=anna, client="10.0.0.1")
    user = await accounts.change_password(PASSWORD, "another password", actor=anna, client="10.0.0.1")
    assert not user.temporary_password
    assert await accounts.principal_of_session(secret) is None
    await accounts.login("anna", "another password", "10.0.0.1")


async def test_guessing_the_current_password_is_slowed_too(accounts):
    await accounts.create_user("anna", PASSWORD, Role.VIEWER, actor=ROOT)
    anna, _ = await signed_in(accounts, "anna")
    for _ in range(3):
        with pytest.raises(Denied):
            await accounts.change_password("wrong password", "another password", actor=anna, client="c")
    with pytest.raises(Unavailable):
        await accounts.change_password(PASSWORD, "another password", actor=anna, client="c")


async def test_a_token_cannot_change_the_password(accounts):
    await accounts.create_user("anna", PASSWORD, Role.VIEWER, actor=ROOT)
    _, secret = await accounts.create_token("anna", "ci", ["jobs:read"], actor=ROOT)
    for actor in (await accounts.principal_of_token(secret), ROOT):
        with pytest.raises(Denied) as caught:
            await accounts.change_password(PASSWORD, "another password", actor=actor, client="c")
        assert caught.value.code == "session_needed"


async def test_deleting_takes_tokens_and_sessions_along_and_frees_the_name(accounts):
    await accounts.create_user("boss", PASSWORD, Role.ADMIN, actor=ROOT)
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    _, secret = await signed_in(accounts, "anna")
    _, token = await accounts.create_token("anna", "ci", ["jobs:read"], actor=ROOT)
    await accounts.delete_user("anna", actor=ROOT)
    assert await accounts.principal_of_session(secret) is None
    assert await accounts.principal_of_token(token) is None
    assert await accounts.tokens() == ()
    with pytest.raises(NotFound):
        await accounts.delete_user("anna", actor=ROOT)
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    assert await accounts.principal_of_token(token) is None


async def test_a_token_speaks_for_its_user_with_its_scopes(accounts, clock):
    user = await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    anna, _ = await signed_in(accounts, "anna")
    token, secret = await accounts.create_token("anna", " build ", ["jobs:read"], actor=anna)
    assert (token.name, token.user_name, token.last_used_at) == ("build", "anna", None)
    assert secret.startswith(token.hint)
    assert await accounts.principal_of_token(secret) == Principal(
        user.id, "anna", Role.MEMBER, frozenset({"jobs:read"}), "token:build"
    )
    (listed,) = await accounts.tokens("anna")
    assert listed.last_used_at == clock.now()


async def test_a_token_ends_at_its_time(accounts, clock):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    _, secret = await accounts.create_token("anna", "ci", ["jobs:read"], clock.now() + 60, actor=ROOT)
    clock.time += 59
    assert await accounts.principal_of_token(secret)
    clock.time += 1
    assert await accounts.principal_of_token(secret) is None


@pytest.mark.parametrize("moment", [0.0, -1.0, 1e300, float("nan"), float("inf")])
async def test_a_token_that_has_ended_already_is_refused(accounts, moment):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    with pytest.raises(Invalid) as caught:
        await accounts.create_token("anna", "ci", ["jobs:read"], moment, actor=ROOT)
    assert caught.value.code == "token_expiry"


async def test_a_token_cannot_make_another_one(accounts):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    _, secret = await accounts.create_token("anna", "ci", ["jobs:read"], actor=ROOT)
    with pytest.raises(Denied) as caught:
        await accounts.create_token(
            "anna", "2", ["jobs:read"], actor=await accounts.principal_of_token(secret)
        )
    assert caught.value.code == "scope_missing"


async def test_tokens_are_revoked_by_their_user_or_an_admin_only(accounts):
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    await accounts.create_user("bob", PASSWORD, Role.OPERATOR, actor=ROOT)
    anna, _ = await signed_in(accounts, "anna")
    bob, _ = await signed_in(accounts, "bob")
    token, secret = await accounts.create_token("anna", "ci", ["jobs:read"], actor=anna)
    other, _ = await accounts.create_token("anna", "ci", ["jobs:read"], actor=anna)
    for token_id in (token.id, "unknown", "a\0"):
        with pytest.raises(NotFound) as caught:
            await accounts.revoke_token(token_id, actor=bob)
        assert caught.value.code == "token_not_found"
    await accounts.revoke_token(token.id, actor=anna)
    assert await accounts.principal_of_token(secret) is None
    await accounts.revoke_token(other.id, actor=ROOT)
    assert await accounts.tokens("anna") == ()


async def test_a_weak_hash_is_replaced_at_the_next_login(new_accounts, db, weaker):
    await new_accounts(weaker).create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    accounts, store = new_accounts(), AccountStore(db)
    before = await store.read(lambda records: records.credentials("anna")[1])
    await accounts.login("anna", PASSWORD, "10.0.0.1")
    after = await store.read(lambda records: records.credentials("anna")[1])
    assert before != after
    await accounts.login("anna", PASSWORD, "10.0.0.1")
    assert await store.read(lambda records: records.credentials("anna")[1]) == after

"""Roles, scopes and names: who may do what, decided without any I/O."""

from itertools import pairwise

import pytest

from ferryman.accounts import model
from ferryman.accounts.model import ROLE_SCOPES, SCOPES, Principal, Role
from ferryman.core.errors import Denied, Invalid


def principal(role=Role.MEMBER, user_id="u1", scopes=None):
    return Principal(user_id, "anna", role, ROLE_SCOPES[role] if scopes is None else scopes, "session")


def test_each_role_may_do_all_that_lower_ones_may_and_more():
    roles = list(Role)
    assert [role.rank for role in roles] == [0, 1, 2, 3]
    for lower, higher in pairwise(roles):
        assert ROLE_SCOPES[lower] < ROLE_SCOPES[higher]
    assert ROLE_SCOPES[Role.ADMIN] == set(SCOPES)


def test_viewers_change_nothing():
    assert not [scope for scope in ROLE_SCOPES[Role.VIEWER] if not scope.endswith(":read")]


def test_a_missing_right_is_named_with_who_lacks_it():
    caller = principal()
    caller.require("downloads:write")
    with pytest.raises(Denied) as caught:
        caller.require("users:write")
    assert caught.value.code == "scope_missing"
    assert "'anna'" in caught.value.message
    assert "users:write" in caught.value.message


@pytest.mark.parametrize(
    ("role", "owner", "within"),
    [
        (Role.MEMBER, "u1", True),
        (Role.MEMBER, "u2", False),
        (Role.MEMBER, None, False),
        (Role.OPERATOR, "u2", True),
        (Role.ADMIN, None, True),
    ],
)
def test_members_reach_their_own_and_operators_reach_all(role, owner, within):
    assert principal(role).reaches(owner) is within


def test_whoever_holds_the_home_may_do_everything_but_owns_no_job():
    local = model.local_principal("root")
    assert local.scopes == set(SCOPES)
    assert local.reaches(None)
    assert not principal(user_id=None).reaches(None)


@pytest.mark.parametrize("text", ["admin", " Admin ", "VIEWER"])
def test_roles_are_read(text):
    assert model.parse_role(text) in Role


def test_an_unknown_role_is_refused_with_the_known_ones():
    with pytest.raises(Invalid) as caught:
        model.parse_role("root")
    assert caught.value.code == "user_role"
    assert "operator" in caught.value.advice
    assert "role" in caught.value.fields


@pytest.mark.parametrize("name", ["a", "anna", "ci-bot.2_x", "a" * 64])
def test_good_user_names(name):
    assert model.check_user_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "Anna", "1a", "-a", "a b", "a/b", "a" * 65, "a\n", "a\0", "ünï", "system", "local", "anonymous",
        "a1b2c3d4-e5f6-7abc-8def-0123456789ab", "\ud800",
    ],
)  # fmt: skip
def test_bad_user_names_are_refused_by_name(name):
    with pytest.raises(Invalid) as caught:
        model.check_user_name(name)
    assert caught.value.code == "user_name"
    assert repr(name[:80]) in caught.value.message
    caught.value.message.encode()


@pytest.mark.parametrize(
    "password", ["", "short", "a" * 20, "abababababab", "annaannaanna"[:10] * 200, "x" * 2000]
)
def test_poor_passwords_are_refused_and_never_repeated(password):
    with pytest.raises(Invalid) as caught:
        model.check_password(password, "anna")
    assert caught.value.code == "user_password"
    assert not password or password not in caught.value.message


def test_the_name_is_no_password():
    with pytest.raises(Invalid):
        model.check_password("ANNA-the-first", "anna-the-first")


@pytest.mark.parametrize("password", ["correct horse", "ünï 文字 pässwörd", "tab\tand\nline", "abcd" * 256])
def test_good_passwords_of_any_characters(password):
    assert model.check_password(password, "anna") == password


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "\x7f"])
def test_bad_token_names(name):
    with pytest.raises(Invalid) as caught:
        model.check_token_name(name)
    assert caught.value.code == "token_name"


def test_token_names_are_trimmed():
    assert model.check_token_name("  build server ") == "build server"


def test_a_token_gets_what_its_user_and_its_maker_hold():
    assert model.check_scopes(["jobs:read"], principal(Role.ADMIN), Role.VIEWER) == {"jobs:read"}


@pytest.mark.parametrize("scopes", [[], ["jobs:fly"], ["jobs:read", "x" * 500]])
def test_scopes_that_do_not_exist_are_refused(scopes):
    with pytest.raises(Invalid) as caught:
        model.check_scopes(scopes, principal(Role.ADMIN), Role.ADMIN)
    assert caught.value.code == "token_scopes"
    assert len(caught.value.message) < 200


def test_nobody_hands_out_what_they_do_not_hold():
    narrow = principal(Role.ADMIN, scopes=frozenset({"users:write"}))
    with pytest.raises(Denied) as caught:
        model.check_scopes(["settings:write"], narrow, Role.ADMIN)
    assert caught.value.code == "scope_exceeds"


def test_no_token_exceeds_its_user():
    with pytest.raises(Denied) as caught:
        model.check_scopes(["jobs:read", "jobs:all"], principal(Role.ADMIN), Role.MEMBER)
    assert "jobs:all" in caught.value.message


def test_users_and_tokens_as_plain_values_hold_no_secret():
    user = model.User("u1", "anna", Role.MEMBER, False, True, 1.0, 2.0, None)
    assert model.user_to_dict(user) == {
        "id": "u1", "name": "anna", "role": "member", "disabled": False, "temporary_password": True,
        "created_at": 1.0, "updated_at": 2.0, "last_login_at": None,
    }  # fmt: skip
    token = model.Token(
        "t1", "u1", "anna", "ci", "ferry_ab12", frozenset({"jobs:read", "audit:read"}), 1.0, None, None
    )
    assert model.token_to_dict(token) == {
        "id": "t1", "user_id": "u1", "user": "anna", "name": "ci", "hint": "ferry_ab12",
        "scopes": ["audit:read", "jobs:read"], "created_at": 1.0, "expires_at": None, "last_used_at": None,
    }  # fmt: skip

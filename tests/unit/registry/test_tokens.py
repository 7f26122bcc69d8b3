"""Tokens of the registry: what is signed is believed until it ends; scopes are read as they are written."""

import pytest

from ferryman.accounts.model import ROLE_SCOPES, Principal, Role
from ferryman.registry.tokens import LIFETIME_S, TokenMaker, Wanted, covers, parse_scopes

ANN = Principal("1", "ann", Role.MEMBER, ROLE_SCOPES[Role.MEMBER], "password")
ACCESS = (Wanted("team/app", frozenset({"pull", "push"})),)


def test_a_token_says_what_it_was_made_for_until_it_ends():
    maker = TokenMaker()
    token = maker.make(ANN, ACCESS, 1000.0)
    claims = maker.read(token, 1000.0 + LIFETIME_S - 1)
    assert claims is not None
    assert (claims.principal, claims.access) == (ANN, ACCESS)
    assert maker.read(token, 1000.0 + LIFETIME_S) is None
    nobody = maker.read(maker.make(None, (), 1000.0), 1000.0)
    assert nobody is not None
    assert nobody.principal is None


def test_what_was_changed_or_made_elsewhere_is_refused():
    maker = TokenMaker()
    token = maker.make(ANN, ACCESS, 1000.0)
    assert TokenMaker().read(token, 1000.0) is None
    head, body, signature = token.split(".")
    other = maker.make(ANN, (Wanted("x", frozenset({"delete"})),), 1000.0).split(".")[1]
    for wrong in (f"{head}.{other}.{signature}", f"{head}.{body}.", body, "", "..", "ü.ü.ü", token + "A"):
        assert maker.read(wrong, 1000.0) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("repository:team/app:pull,push", [("team/app", {"pull", "push"})]),
        ("repository:a:pull repository:b:delete", [("a", {"pull"}), ("b", {"delete"})]),
        ("repository:quay.io/a/b:pull", [("quay.io/a/b", {"pull"})]),
        ("repository:a:*", [("a", {"pull", "push", "delete"})]),
        ("registry:catalog:*", [("", {"catalog"})]),
        ("repository:a:fly", []),
        ("repository:../a:pull", []),
        ("repository:", []),
        ("", []),
    ],
)
def test_scopes(text: str, found: list[tuple[str, set[str]]]):
    assert [(one.repository, set(one.actions)) for one in parse_scopes([text])] == found


def test_a_pull_by_the_short_name_reaches_what_is_kept_below_a_host():
    short = (Wanted("library/x", frozenset({"pull", "push"})),)
    assert covers(short, "registry.ollama.ai/library/x", "pull")
    assert not covers(short, "registry.ollama.ai/library/x", "push")
    assert not covers(short, "secret/library/x", "pull")
    assert covers(short, "library/x", "push")

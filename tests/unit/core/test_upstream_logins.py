"""Logins of upstreams: read, shown without passwords, and kept where nobody types them again."""

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.upstream_logins import UpstreamLogin, hidden_logins, kept_logins, parse_logins


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("docker.io = ferry:pass", {"docker.io": ("ferry", "pass")}),
        ("Quay.io = bot : over the water ", {"quay.io": ("bot", " over the water")}),
        (
            "docker.io = ferry:pa;ss#1%; localhost:5000 = x:y\n\nquay.io = a:b",
            {"docker.io": ("ferry", "pa;ss#1%"), "localhost:5000": ("x", "y"), "quay.io": ("a", "b")},
        ),
    ],
)
def test_what_is_read(text, found):
    assert parse_logins(text) == {name: UpstreamLogin(*login) for name, login in found.items()}


def test_no_password_is_cut_in_silence():
    with pytest.raises(Invalid):  # `c=d` looks like a second login
        parse_logins("docker.io=ferry:a:b;c=d")


@pytest.mark.parametrize(
    "text",
    ["docker.io", "docker.io = ferry", "docker.io = :hunter2", "nodots = a:hunter2", "= a:hunter2",
     "docker.io = a:hunter2; docker.io = b:hunter2", "docker.io = a:***", "x/y = a:hunter2"],
)  # fmt: skip
def test_what_is_wrong_is_said_without_a_password(text):
    with pytest.raises(Invalid) as caught:
        parse_logins(text)
    assert caught.value.code == "upstream_login_invalid"
    assert "hunter2" not in caught.value.message + caught.value.advice


def test_passwords_are_hidden_and_kept():
    before = "docker.io = ferry:secret; quay.io = bot:other"
    shown = hidden_logins(before)
    assert shown == "docker.io = ferry:***; quay.io = bot:***"
    assert parse_logins(kept_logins(shown, before)) == parse_logins(before)
    changed = kept_logins("docker.io = ferry:***; quay.io = bot:new", before)
    assert parse_logins(changed)["docker.io"].password == "secret"
    assert parse_logins(changed)["quay.io"].password == "new"
    with pytest.raises(Invalid, match="somebody at docker"):
        parse_logins(kept_logins("docker.io = somebody:***", before))
    assert "secret" not in repr(parse_logins(before))

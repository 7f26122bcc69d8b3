"""Challenges, scopes, and the files that `docker login` and `podman login` write."""

import base64
import json
import stat

import pytest

from ferryman.core.errors import Invalid, Unavailable
from ferryman.oci.auth import join_scopes, parse_challenges
from ferryman.oci.authfile import AuthFiles, keys, places, read_auth_file, run_helper
from ferryman.oci.options import Login
from ferryman.oci.tokens import usable_until


def test_challenges_are_read():
    value = (
        'Bearer realm="https://a/t?x=\\"1\\"",service=s, scope="repository:a/b:pull,push", Basic realm="x, y"'
    )
    bearer, basic = parse_challenges(value)
    assert (bearer.scheme, bearer.realm, bearer.service) == ("bearer", 'https://a/t?x="1"', "s")
    assert bearer.scopes == {"repository:a/b:pull,push"}
    assert (basic.scheme, basic.realm) == ("basic", "x, y")


@pytest.mark.parametrize(
    "value", ["", ",,,", '"', "=", "Bearer realm=", "Bearer " * 2000, 'Bearer x="' + "a" * 9000]
)
def test_broken_challenges_do_no_harm(value):
    assert all(one.realm == "" for one in parse_challenges(value))


def test_scopes_of_one_repository_are_joined():
    joined = join_scopes(["repository:a:push", "repository:b:pull", "repository:a:pull,push"])
    assert joined == ("repository:a:pull,push", "repository:b:pull")
    assert join_scopes(["repository:localhost:5000/a:pull"]) == ("repository:localhost:5000/a:pull",)


@pytest.mark.parametrize(("lifetime", "used"), [(60, 45), (300, 270), (4, 3), (3600, 3570)])
def test_tokens_are_renewed_before_they_expire(lifetime, used):
    assert usable_until(100.0, lifetime) == 100.0 + used


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def written(folder, content, name="config.json"):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_the_longest_key_wins(tmp_path):
    file = written(
        tmp_path,
        {"auths": {"quay.io": auth("all", "1"), "quay.io/team": auth("team", "2"), "https://index.docker.io/v1/": auth("hub", "3")}},
    )  # fmt: skip
    logins = AuthFiles({}, tmp_path, file=file)
    assert logins.login("quay.io/team/app") == Login("team", "2")
    assert logins.login("quay.io/teams/app") == Login("all", "1")
    assert logins.login("docker.io/library/alpine") == Login("hub", "3")
    assert logins.login("example.org/app") is None


def test_tokens_of_identity_and_of_the_registry(tmp_path):
    file = written(
        tmp_path, {"auths": {"a.io": {"identitytoken": "i"}, "b.io": {"registrytoken": "r"}, "c.io": {}}}
    )
    logins = AuthFiles({}, tmp_path, file=file)
    assert logins.login("a.io/x") == Login("", identity_token="i")
    assert logins.login("b.io/x") == Login("", registry_token="r")
    assert logins.login("c.io/x") is None


def test_files_are_asked_in_order(tmp_path):
    environ = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "DOCKER_CONFIG": str(tmp_path / "docker")}
    written(tmp_path / "docker", {"auths": {"a.io": auth("docker", ""), "b.io": auth("docker", "")}})
    written(tmp_path / "run" / "containers", {"auths": {"a.io": auth("podman", "")}}, "auth.json")
    logins = AuthFiles(environ, tmp_path)
    assert logins.login("a.io/x") == Login("podman", "")
    assert logins.login("b.io/x") == Login("docker", "")
    assert len(places(environ, tmp_path)) == 3
    assert places({"REGISTRY_AUTH_FILE": "/x"}, tmp_path)[0].name == "x"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ({"auths": []}, None),
        ({"auths": [1]}, "not what it should be"),
        ({"auths": {"a.io": {"auth": "%%%"}}}, "not user and password|not base64"),
        ({"auths": {"a.io": {"auth": "YQ=="}}}, "not user and password"),
    ],
)
def test_broken_files_are_named_without_their_secrets(tmp_path, content, why):
    file = written(tmp_path, content)
    logins = AuthFiles({}, tmp_path, file=file)
    if why is None:
        assert logins.login("a.io/x") is None
        return
    with pytest.raises(Invalid, match=why) as caught:
        logins.login("a.io/x")
    assert str(file) in caught.value.message
    assert caught.value.code == "auth_file_invalid"


def test_a_missing_file_counts_only_when_it_was_named(tmp_path):
    assert read_auth_file(tmp_path / "none") is None
    with pytest.raises(Invalid, match="does not exist"):
        read_auth_file(tmp_path / "none", must=True)


def helper(folder, script: str) -> dict[str, str]:
    file = written(folder, f"#!/bin/sh\n{script}\n", "docker-credential-test")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ('read x; echo "{\\"Username\\": \\"$x\\", \\"Secret\\": \\"s\\"}"', Login("a.io", "s")),
        ('echo \'{"Username": "<token>", "Secret": "t"}\'', Login("", identity_token="t")),
        ("echo credentials not found in native keychain; exit 1", None),
    ],
)
def test_helpers_are_asked(tmp_path, script, found):
    assert run_helper("test", "a.io", helper(tmp_path, script), 20) == found


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'very secret'", "not JSON"),
        ("echo 'very secret'; exit 3", "ended with 3"),
        ("exec sleep 60", "did not answer"),
    ],
)
def test_helpers_that_fail_are_named_without_what_they_said(tmp_path, script, why):
    seconds = 0.2 if "sleep" in script else 20
    with pytest.raises(Unavailable, match=why) as caught:
        run_helper("test", "a.io", helper(tmp_path, script), seconds)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("name", ["none-such", "../x", "a b", ""])
def test_helpers_that_are_not_there(tmp_path, name):
    with pytest.raises(Invalid, match="helper") as caught:
        run_helper(name, "a.io", {"PATH": str(tmp_path)}, 20)
    assert caught.value.code == "auth_helper_missing"


def test_a_helper_is_asked_once_and_the_store_for_all_others(tmp_path):
    log = tmp_path / "log"
    environ = helper(
        tmp_path / "bin",
        f'read x; echo "$x" >> {log}; echo "{{\\"Username\\": \\"$x\\", \\"Secret\\": \\"s\\"}}"',
    )
    file = written(tmp_path, {"credHelpers": {"a.io": "test"}, "credsStore": "test"})
    logins = AuthFiles(environ, tmp_path, file=file)
    for name in ("a.io/x", "a.io/y", "b.io/x"):
        assert logins.login(name) == Login(name[:4], "s")
    assert log.read_text().split() == ["a.io", "b.io"]


def test_keys_are_all_spellings_of_a_host():
    assert keys("a.io/b/c")[:4] == ["a.io/b/c", "a.io/b", "a.io", "https://a.io"]

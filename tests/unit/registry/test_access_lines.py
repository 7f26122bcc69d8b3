"""Lines of access and upstreams: what they say, and what is refused."""

import pytest

from ferryman.core.access_lines import ROLES, Upstream, granted, parse_access, parse_upstreams
from ferryman.core.errors import Invalid


def test_a_role_has_what_lines_give_to_it_and_those_below():
    lines = parse_access("team/* viewer pull; team/* operator push,delete # care\n\n secret/* admin none;")
    ranks = {role: number for number, role in enumerate(ROLES)}
    assert granted(lines, "team/a", ranks["anonymous"]) == frozenset()
    assert granted(lines, "team/a", ranks["member"]) == {"pull"}
    assert granted(lines, "team/a/b", ranks["admin"]) == {"pull", "push", "delete"}
    assert granted(lines, "secret/x", ranks["admin"]) == frozenset()
    assert granted(lines, "other", ranks["admin"]) is None
    assert parse_access("") == ()


@pytest.mark.parametrize(
    "line",
    [
        "team/*",
        "team/* boss pull",
        "team/* member fly",
        "a b c d",
        "* anonymous push",
        "TEAM member pull",
        "* member ",
    ],
)
def test_what_is_no_line_of_access(line: str):
    with pytest.raises(Invalid) as caught:
        parse_access(line)
    assert caught.value.code == "access_line_invalid"


def test_upstreams():
    found = parse_upstreams("docker.io = https://registry-1.docker.io/; localhost:5000=http://10.0.0.1:5000")
    assert found == (
        Upstream("docker.io", "registry-1.docker.io", plain_http=False),
        Upstream("localhost:5000", "10.0.0.1:5000", plain_http=True),
    )


@pytest.mark.parametrize(
    "line",
    [
        "docker.io",
        "docker.io = ftp://a.example",
        "team = https://a.example",
        "a.example = https://user:secret@a.example",
        "a.example = https://a.example/path",
        "a.example = https://a.example:port",
        "a.example/x = https://a.example",
        "a.example = https://b.example; a.example = https://c.example",
        "a.example = https://",
    ],
)
def test_what_is_no_upstream(line: str):
    with pytest.raises(Invalid) as caught:
        parse_upstreams(line)
    assert caught.value.code == "upstream_invalid"


@pytest.mark.parametrize("parse", [parse_access, parse_upstreams])
def test_too_many_lines(parse):
    with pytest.raises(Invalid):
        parse("\n".join(["x"] * 201))

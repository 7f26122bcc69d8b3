"""Rules for tags: what they say, and what is no rule."""

from dataclasses import dataclass

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.retention import Rule, expired, parse_rules, untagged_before

DAY = 86_400.0


@dataclass(frozen=True)
class Tag:
    repository: str
    tag: str
    updated_at: float


def names(tags):
    return [item.tag for item in tags]


def test_rules_are_read():
    assert parse_rules("quay.io/team/*:v* keep=10 days=30, * untagged=7;\nlocalhost:5000/a keep=1") == (
        Rule("quay.io/team/*", "v*", keep=10, days=30),
        Rule("*", untagged=7),
        Rule("localhost:5000/a", keep=1),
    )
    assert parse_rules("  , ;") == ()


@pytest.mark.parametrize(
    "text",
    ["a", "keep=3", "a keep", "a keep=x", "a keep=1 keep=2", "a:b untagged=1", "a b keep=1", "ä keep=1", "a keep=-1", "a:b:c keep=1",
     ", ".join(["a keep=1"] * 101), "a keep=9999999"],
)  # fmt: skip
def test_what_is_no_rule(text):
    with pytest.raises(Invalid) as caught:
        parse_rules(text)
    assert caught.value.code == "retention_invalid"
    assert caught.value.advice


def test_the_last_ones_stay():
    tags = [Tag("a", f"v{number}", number) for number in range(5)]
    assert names(expired(parse_rules("a keep=2"), tags, 100)) == ["v0", "v1", "v2"]
    assert names(expired(parse_rules("b keep=2"), tags, 100)) == []
    assert names(expired(parse_rules("a keep=0"), tags, 100)) == ["v0", "v1", "v2", "v3", "v4"]


def test_young_ones_stay():
    tags = [Tag("a", f"v{day}", day * DAY) for day in range(5)]
    assert names(expired(parse_rules("a days=2"), tags, 4 * DAY)) == ["v0", "v1", "v2"]
    assert names(expired(parse_rules("a keep=1 days=2"), tags, 40 * DAY)) == ["v0", "v1", "v2", "v3"]


def test_the_first_rule_counts_and_each_repository_by_itself():
    tags = [Tag("a", "latest", 1), Tag("a", "v1", 2), Tag("b", "v1", 1), Tag("b", "v2", 2)]
    assert names(expired(parse_rules("*:latest keep=9, * keep=1"), tags, 100)) == ["v1"]
    assert untagged_before(parse_rules("a untagged=1, * untagged=2"), "a", 9 * DAY) == 8 * DAY
    assert untagged_before(parse_rules("a untagged=1"), "b", 9 * DAY) is None

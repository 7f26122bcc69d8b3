"""Which rule matches, and what follows."""

import time

import pytest

from ferryman.core.errors import Invalid
from ferryman.downloads.rules.match import check_rule, effects_of, first, host_matches, matches
from ferryman.downloads.rules.model import Facts, Rule, RuleBody
from ferryman.downloads.rules.service import facts_of
from ferryman.downloads.rules.starters import STARTERS

ISO = facts_of("https://mirror.example.org/debian/12/debian.ISO?token=1", size=700_000_000)
NOW = 1_764_000_000.0  # 2025-11-24


def rule(**values) -> RuleBody:
    return check_rule(RuleBody(name="r", **values))


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        ({}, True),
        ({"extensions": [".Iso"]}, True),
        ({"extensions": ["zip", "iso"]}, True),
        ({"extensions": ["so"]}, False),
        ({"hosts": ["mirror.example.org"]}, True),
        ({"hosts": ["*.example.org"]}, True),
        ({"hosts": ["example.org"]}, False),
        ({"hosts": ["*.ample.org"]}, False),
        ({"expression": "/debian/[0-9]+/"}, True),
        ({"expression": "^http:"}, False),
        ({"min_size": "600MB", "max_size": "800MB"}, True),
        ({"min_size": "800MB"}, False),
        ({"max_size": "600MB"}, False),
        ({"extensions": ["iso"], "hosts": ["elsewhere.org"]}, False),
    ],
)
def test_all_conditions_must_hold(conditions, holds):
    assert matches(rule(**conditions), ISO) is holds


def test_a_size_that_is_not_known_fits_no_rule_about_sizes():
    assert not matches(rule(min_size="1"), Facts("http://h/a", "a", "h"))
    assert not matches(rule(max_size="1GB"), Facts("http://h/a", "a", "h"))


def test_endings_of_several_parts():
    assert matches(rule(extensions=["tar.gz"]), facts_of("http://h/x.tar.gz"))
    assert not matches(rule(extensions=["tar.gz"]), facts_of("http://h/tar.gz"))


def test_the_first_that_is_enabled_counts():
    rules = [
        Rule(str(at), body, 0, 0)
        for at, body in enumerate([rule(enabled=False), rule(hosts=["x.org"]), rule(), rule()])
    ]
    found = first(rules, ISO)
    assert found is not None
    assert found.id == "2"
    assert first(rules[:2], ISO) is None


def test_a_star_alone_is_any_host():
    assert host_matches("*", "10.0.0.1")
    assert not host_matches("*.b.org", "b.org")


def test_folders_are_filled_in_with_safe_names():
    body = rule(folder="{category}/{host}/{year}-{month}/{date}/{extension}", category="a/../b")
    folder = effects_of(body, ISO, NOW).folder
    assert folder.split("/")[1:] == ["mirror.example.org", "2025-11", "2025-11-24", "iso"]
    assert ".." not in folder.split("/")
    assert folder.count("/") == 4


def test_checksum_files_have_the_address_without_its_query():
    effects = effects_of(rule(checksum="{url}.sha256"), ISO, NOW)
    assert effects.checksum_url == "https://mirror.example.org/debian/12/debian.ISO.sha256"
    assert not effects.checksum_needed
    assert effects_of(rule(checksum="{folder}/SHA256SUMS"), ISO, NOW).checksum_url == (
        "https://mirror.example.org/debian/12/SHA256SUMS"
    )
    assert effects_of(rule(checksum="required"), ISO, NOW).checksum_needed


WRONG = [
    ({"extensions": ["is o"]}, "extensions"),
    ({"hosts": ["http://example.org"]}, "hosts"),
    ({"hosts": ["a*.org"]}, "hosts"),
    ({"expression": "(a"}, "expression"),
    ({"expression": r"(a)\1"}, "expression"),
    ({"expression": "(((a{1000}){1000}){1000})"}, "expression"),
    ({"expression": "a" * 501}, "expression"),
    ({"min_size": "much"}, "min_size"),
    ({"min_size": "2GB", "max_size": "1GB"}, "max_size"),
    ({"rate_limit": "fast"}, "rate_limit"),
    ({"folder": "../x"}, "folder"),
    ({"folder": "/etc"}, "folder"),
    ({"folder": "{home}"}, "folder"),
    ({"folder": "{host"}, "folder"),
    ({"checksum": "sha256"}, "checksum"),
    ({"checksum": "file:///etc/passwd"}, "checksum"),
]


@pytest.mark.parametrize(("values", "field"), WRONG)
def test_wrong_fields_are_named(values, field):
    with pytest.raises(Invalid) as caught:
        rule(**values)
    assert list(caught.value.fields) == [field]


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(Invalid) as caught:
        rule(extensions=["*"], expression="(", rate_limit="x")
    assert set(caught.value.fields) == {"extensions", "expression", "rate_limit"}


@pytest.mark.parametrize("expression", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_expression_is_slow(expression):
    body = rule(expression=expression)
    facts = Facts("http://h/" + "a" * 5000 + "!", "a", "h")
    began = time.perf_counter()
    matches(body, facts)
    assert time.perf_counter() - began < 0.5


def test_the_starters_are_rules():
    assert [check_rule(body).name for body in STARTERS] == [
        "Archives",
        "Disk images",
        "Packages",
        "Documents",
        "Media",
    ]
    rules = [Rule(str(at), body, 0, 0) for at, body in enumerate(STARTERS)]
    found = first(rules, ISO)
    assert found is not None
    assert found.body.category == "Disk images"

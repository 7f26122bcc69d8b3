"""Which tags stay: rules as people write them, such as `quay.io/team/*:v* keep=10 days=30, * untagged=7`. Pure.

A rule is `REPOSITORY[:TAG]` with `*` and `?`, then what stays. Without `:TAG` it is about all tags. The first rule that matches a tag counts.

    keep=N      the last N tags that match, of each repository, stay
    days=N      tags that were set in the last N days stay
    untagged=N  manifests without a tag stay for N days

With both `keep` and `days`, a tag stays when one of them says so. What no rule matches stays.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Protocol, TypeVar

from ferryman.core.errors import Invalid

MOST: Final = 100
"""Rules at most."""
_PATTERN: Final = re.compile(r"[A-Za-z0-9._/*?\-]{1,255}(?::[0-9]{1,5}/[A-Za-z0-9._/*?\-]{1,255})?")
_TAG: Final = re.compile(r"[A-Za-z0-9._*?\-]{1,128}")
_OPTION: Final = re.compile(r"(keep|days|untagged)=([0-9]{1,6})")
_DAY: Final = 86_400.0


class Tagged(Protocol):
    """A tag as rules see it."""

    @property
    def repository(self) -> str:
        """Its repository."""
        ...

    @property
    def tag(self) -> str:
        """Its name."""
        ...

    @property
    def updated_at(self) -> float:
        """When it was set, UNIX seconds."""
        ...


T = TypeVar("T", bound=Tagged)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; numbers that are None say nothing."""

    repository: str
    tag: str = "*"
    keep: int | None = None
    days: int | None = None
    untagged: int | None = None

    def covers(self, repository: str) -> bool:
        """Whether the rule is about a repository."""
        return fnmatchcase(repository, self.repository)


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Read rules separated by commas or semicolons. Raises `Invalid` (`retention_invalid`)."""
    parts = [part.strip() for part in re.split(r"[,;\n]", text)]
    rules = tuple(_rule(part) for part in parts if part)
    if len(rules) > MOST:
        raise _wrong(f"{len(rules)} rules", f"there may be {MOST}")
    return rules


def expired(rules: Sequence[Rule], tags: Iterable[T], now: float) -> list[T]:
    """Return those of `tags` that no longer stay, in their order."""
    about = [rule for rule in rules if rule.keep is not None or rule.days is not None]
    groups: dict[tuple[int, str], list[T]] = defaultdict(list)
    ordered = list(tags)
    for item in ordered:
        for place, rule in enumerate(about):
            if rule.covers(item.repository) and fnmatchcase(item.tag, rule.tag):
                groups[place, item.repository].append(item)
                break
    gone: set[tuple[str, str]] = set()
    for (place, _), members in groups.items():
        rule = about[place]
        newest = sorted(members, key=lambda item: (item.updated_at, item.tag), reverse=True)
        for rank, item in enumerate(newest):
            kept = rule.keep is not None and rank < rule.keep
            young = rule.days is not None and item.updated_at > now - rule.days * _DAY
            if not kept and not young:
                gone.add((item.repository, item.tag))
    return [item for item in ordered if (item.repository, item.tag) in gone]


def untagged_before(rules: Sequence[Rule], repository: str, now: float) -> float | None:
    """Return the time before which a manifest of `repository` must have come to go when it has no tag; None: it stays."""
    for rule in rules:
        if rule.untagged is not None and rule.covers(repository):
            return now - rule.untagged * _DAY
    return None


def _rule(text: str) -> Rule:
    pattern, *options = text.split()
    repository, tag = _split(pattern)
    if not _PATTERN.fullmatch(repository) or not _TAG.fullmatch(tag):
        raise _wrong(text, f"'{pattern[:80]}' is no pattern of repositories and tags")
    said: dict[str, int] = {}
    for option in options:
        found = _OPTION.fullmatch(option)
        if not found or found[1] in said:
            raise _wrong(text, f"'{option[:40]}' is not keep=N, days=N or untagged=N")
        said[found[1]] = int(found[2])
    if not said:
        raise _wrong(text, "it does not say what stays")
    if "untagged" in said and tag != "*":
        raise _wrong(text, "untagged is about manifests without a tag, so the pattern has none")
    return Rule(repository, tag, said.get("keep"), said.get("days"), said.get("untagged"))


def _split(pattern: str) -> tuple[str, str]:
    """Cut off the tag; a colon before a slash belongs to a port."""
    before, colon, after = pattern.rpartition(":")
    return (before, after) if colon and "/" not in after else (pattern, "*")


def _wrong(text: str, why: str) -> Invalid:
    return Invalid(
        "retention_invalid",
        f"'{text[:120]}' is not a rule: {why}.",
        advice="Write rules such as: quay.io/team/*:v* keep=10 days=30, * untagged=7",
    )

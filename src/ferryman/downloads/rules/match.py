"""Whether a rule matches, and what follows for one download. Pure."""

import functools
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Final

from ferryman.core.errors import FerryError, Invalid
from ferryman.core.units import parse_rate, parse_size
from ferryman.downloads.rules.expression import LONGEST, check_expression, found
from ferryman.downloads.rules.model import NEEDED, Effects, Facts, Rule, RuleBody
from ferryman.transfer.naming import safe_name, split_extension
from ferryman.transfer.source import parse_source

PLACES: Final = ("host", "category", "extension", "date", "year", "month")
"""What a folder may hold in braces."""
_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_:]([a-z0-9_:.-]*[a-z0-9_:])?|\*")
_EXTENSION: Final = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)*", re.IGNORECASE)


def check_rule(body: RuleBody) -> RuleBody:
    """Return `body` as it is kept. Raises `Invalid` (`rule_invalid`) with a message for each wrong field."""
    wrong: dict[str, str] = {}

    def read(name: str, check: Callable[[], object]) -> None:
        try:
            check()
        except FerryError as error:
            wrong[name] = f"{error.message} {error.advice}".strip()

    extensions = [text.strip().lstrip(".").lower() for text in body.extensions]
    hosts = [text.strip().lower().rstrip(".") for text in body.hosts]
    read("extensions", lambda: _check_each(extensions, _EXTENSION, "an ending", "Write it as iso or tar.gz."))
    read("hosts", lambda: _check_each(hosts, _HOST, "a host", "Write it as example.org or *.example.org."))
    for name, check in _CHECKS.items():
        if text := getattr(body, name):
            read(name, functools.partial(check, text))
    if (
        not wrong
        and body.min_size
        and body.max_size
        and parse_size(body.min_size) > parse_size(body.max_size)
    ):
        wrong["max_size"] = "It is less than the least size."
    if wrong:
        raise Invalid(
            "rule_invalid",
            f"The rule '{body.name}' is wrong: {next(iter(wrong.values()))}",
            advice="Correct the named fields.",
            fields=wrong,
        )
    return body.model_copy(update={"extensions": extensions, "hosts": hosts})


def check_folder(folder: str) -> None:
    """Raise `Invalid` (`rule_folder`) when `folder` cannot be one below the download folder."""
    unknown = [name for name in _PLACE.findall(folder) if name not in PLACES]
    rest = _PLACE.sub("x", folder)
    if unknown:
        raise Invalid(
            "rule_folder",
            f"'{{{unknown[0][:40]}}}' is nothing a folder may hold.",
            advice=f"Use {', '.join(f'{{{name}}}' for name in PLACES)}.",
        )
    if "{" in rest or "}" in rest or PurePosixPath(rest).is_absolute() or ".." in PurePosixPath(rest).parts:
        raise Invalid(
            "rule_folder",
            f"'{folder[:80]}' is no folder below the download folder.",
            advice="Write a relative path without '..'.",
        )


def first(rules: Iterable[Rule], facts: Facts) -> Rule | None:
    """Return the first rule that matches."""
    return next((rule for rule in rules if rule.body.enabled and matches(rule.body, facts)), None)


def matches(body: RuleBody, facts: Facts) -> bool:
    """Tell whether all conditions of `body` hold."""
    if body.extensions and not facts.name.lower().endswith(tuple(f".{text}" for text in body.extensions)):
        return False
    if body.hosts and not any(host_matches(pattern, facts.host) for pattern in body.hosts):
        return False
    if body.min_size and (facts.size is None or facts.size < parse_size(body.min_size)):
        return False
    if body.max_size and (facts.size is None or facts.size > parse_size(body.max_size)):
        return False
    return not body.expression or found(body.expression, facts.url)


def host_matches(pattern: str, host: str) -> bool:
    """Tell whether `host` is the one of `pattern`, or below it when that begins with a star."""
    if pattern == "*":
        return True
    name = host.lower().rstrip(".")
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def effects_of(body: RuleBody, facts: Facts, now: float) -> Effects:
    """Return what follows for the download of `facts` at the moment `now`."""
    return Effects(
        category=body.category or None,
        folder=folder_of(body, facts, now),
        priority=body.priority,
        rate_limit=parse_rate(body.rate_limit) if body.rate_limit else None,
        connections=body.connections,
        checksum_url=checksum_of(body.checksum, facts) if body.checksum not in ("", NEEDED) else None,
        checksum_needed=body.checksum == NEEDED,
        unpack=body.unpack,
        hooks=tuple(body.hooks),
    )


def folder_of(body: RuleBody, facts: Facts, now: float) -> str:
    """Return the folder with what it holds in braces filled in; every value becomes one safe name."""
    day = datetime.fromtimestamp(now, UTC)
    values = {
        "host": facts.host.replace(":", "-"),
        "category": body.category or "other",
        "extension": split_extension(facts.name)[1].lstrip(".").lower() or "none",
        "date": f"{day:%Y-%m-%d}",
        "year": f"{day:%Y}",
        "month": f"{day:%m}",
    }
    filled = _PLACE.sub(lambda match: safe_name(values.get(match[1], "")) or "other", body.folder)
    return "/".join(part for part in filled.split("/") if part not in ("", "."))


def checksum_of(pattern: str, facts: Facts) -> str:
    """Return the address of the checksum file: `{url}` is the address without its query, `{folder}` what is above it."""
    url = facts.url.partition("?")[0]
    return (
        pattern.replace("{url}", url)
        .replace("{folder}", url.rpartition("/")[0])
        .replace("{name}", facts.name)
    )


def _check_each(texts: list[str], form: re.Pattern[str], what: str, advice: str) -> None:
    for text in texts:
        if not form.fullmatch(text):
            raise Invalid("rule_condition", f"'{text[:80]}' is not {what}.", advice=advice)


def _check_expression(text: str) -> None:
    if len(text) > LONGEST:
        raise Invalid(
            "expression_invalid",
            f"The expression has {len(text)} characters.",
            advice=f"Use at most {LONGEST}.",
        )
    check_expression(text)


def _check_pattern(pattern: str) -> None:
    if pattern == NEEDED:
        return
    try:
        parse_source(checksum_of(pattern, Facts("https://example.org/a/b.iso", "b.iso", "example.org")))
    except FerryError as error:
        raise Invalid(
            "rule_checksum",
            f"'{pattern[:80]}' makes no address of a checksum file.",
            advice="Write 'required', '{url}.sha256' or '{folder}/SHA256SUMS'.",
        ) from error


_CHECKS: Final[dict[str, Callable[[str], object]]] = {
    "expression": _check_expression,
    "min_size": parse_size,
    "max_size": parse_size,
    "rate_limit": parse_rate,
    "folder": check_folder,
    "checksum": _check_pattern,
}

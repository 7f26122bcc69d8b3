"""Every setting, command, error code, metric and API path is documented, and documents name only what exists."""

import re
from functools import cache
from pathlib import Path

import pytest

from ferryman.cli.copy_words import GET
from ferryman.core.settings import Settings
from ferryman.downloads.hooks.facts import variables_of
from ferryman.downloads.hooks.model import Delivery, HookEvent
from scripts.reference.__main__ import PAGES
from scripts.reference.commands import commands
from tests.house.tracked import ROOT, name, tracked

BUILT = ("docs/reference", "docs/explanation/screenshots")
EVERYWHERE = frozenset({"--help", "--json", "--version"})
# A line of a code block, or code inside a line.
SHOWN = re.compile(r"^(?:    |\$ |    \$ )?(ferry .+)$|`(ferry [^`]+)`", re.MULTILINE)


def documents() -> list[Path]:
    generated = {ROOT / "docs" / "reference" / page().name for page in PAGES}
    return [path for path in tracked() if path.suffix == ".md" and path not in generated]


@cache
def known() -> dict[tuple[str, ...], frozenset[str]]:
    found = {command.words: command.options | EVERYWHERE for command in commands()}
    # `ferry get` of images and models reads its own words, which its help leaves to that of `ferry copy`.
    found["ferry", "get"] |= {flag for option in GET.options for flag in option.flags}
    return found


def fault(shown: str) -> str:
    """What is wrong with a command line that a document shows, or nothing."""
    words = re.split(r"\s[|&>#]|\s{2,}", shown)[0].split()
    plain = tuple(word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-"))
    options = {word.split("=")[0] for word in words if re.fullmatch(r"--[a-z].*", word)}
    matching = [key for key in known() if plain[: len(key)] == key]
    if not matching:
        whole_group = any(key[: len(plain)] == plain for key in known())
        return "" if whole_group and options <= EVERYWHERE else "no such command"
    extra = options - known()[max(matching, key=len)]
    return f"no such option: {', '.join(sorted(extra))}" if extra else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_nothing_is_undocumented(page):
    made = page()
    assert made.text.startswith("# ")
    assert not made.undocumented


def test_documents_show_only_commands_that_exist():
    shown = {
        (name(path), match.group(1) or match.group(2))
        for path in documents()
        for match in SHOWN.finditer(path.read_text())
    }
    faults = [f"{where}: {line}: {wrong}" for where, line in sorted(shown) if (wrong := fault(line))]
    assert shown
    assert not faults


def test_documents_name_only_settings_that_exist():
    names = {f"FERRY_{field.upper()}" for field in Settings.model_fields}
    names |= set(variables_of(Delivery(hook="", event=HookEvent.PING), ""))  # what commands of hooks are told
    wrong = {
        f"{name(path)}: {found}"
        for path in documents()
        for found in re.findall(r"FERRY_[A-Z_]+", path.read_text())
        if found.rstrip("_") and found not in names
    }
    assert not wrong


def test_documents_link_only_to_files_that_exist():
    broken = [
        f"{name(path)}: {target}"
        for path in documents()
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text())
        if not (path.parent / target).exists()
        and not name((path.parent / target).resolve()).startswith(BUILT)
    ]
    assert not broken

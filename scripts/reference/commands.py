"""The page of commands, from the command tree of `ferry`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from scripts.reference.page import Page, cell, code, table
from scripts.reference.tree import command_tree

INTRO = """# Commands

`ferry COMMAND --help` shows the same on a terminal. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, 5 the
other side is out of reach. With `--json` a command prints one JSON document, errors included.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `ferry`: its words, its help with examples, and its arguments and options."""

    words: tuple[str, ...]
    help: str
    examples: str
    parameters: tuple[Any, ...]

    @property
    def options(self) -> frozenset[str]:
        """Every spelling of every option."""
        spelled = (name for item in self.parameters for name in (*item.opts, *item.secondary_opts))
        return frozenset(name for name in spelled if name.startswith("-"))


def commands() -> list[Command]:
    """Every command that does something, in the order of the help."""
    return list(_walk(command_tree(), ("ferry",)))


def commands_page() -> Page:
    """Every command with usage, options and examples; one without help or examples counts as undocumented."""
    parts, missing = [INTRO], []
    for command in commands():
        title = " ".join(command.words)
        if not command.help:
            missing.append(f"command {title}: no help")
        if title + " " not in command.help + command.examples + " ":
            missing.append(f"command {title}: no example in its help")
        missing += [
            f"command {title}: no help for {_spelling(item)}" for item in command.parameters if not item.help
        ]
        parts.append(_section(title, command))
    return Page("commands.md", "\n".join(parts), tuple(missing))


def _walk(node: Any, words: tuple[str, ...]) -> Iterator[Command]:
    children = getattr(node, "commands", None)
    if children is None:
        shown = tuple(item for item in node.params if not item.hidden and "--help" not in item.opts)
        yield Command(words, (node.help or "").strip(), (node.epilog or "").strip(), shown)
        return
    for name, child in children.items():
        if not child.hidden:
            yield from _walk(child, (*words, name))


def _section(title: str, command: Command) -> str:
    usage = [title, *(f"{_spelling(item)}{'…' if item.nargs == -1 else ''}" for item in _arguments(command))]
    text = f"## {title}\n\n```\n{' '.join(usage)}\n```\n\n{_prose(command.help)}\n"
    if command.parameters:
        text += "\n" + table(
            ("argument or option", "meaning", "default"),
            (
                (code(_spelling(item)), cell(item.help or ""), code(_default(item)))
                for item in command.parameters
            ),
        )
    if command.examples:
        text += f"\n{_prose(command.examples)}\n"
    return text


def _arguments(command: Command) -> list[Any]:
    return [item for item in command.parameters if item.param_type_name == "argument"]


def _spelling(item: Any) -> str:
    if item.param_type_name == "argument":
        return str(item.metavar or item.name.upper())
    return ", ".join((*item.opts, *item.secondary_opts))


def _default(item: Any) -> str:
    value = item.default.value if isinstance(item.default, Enum) else item.default
    return "" if value in (None, False, True, "", [], ()) or callable(value) else str(value)


def _prose(text: str) -> str:
    """Help as Markdown: lines that start with `ferry` or `$` are examples and become code."""
    lines = (line.strip() for line in text.replace("\b", "").splitlines())
    blocks = "\n".join(f"\n    {line}\n" if line.startswith(("ferry ", "$ ")) else line for line in lines)
    return re.sub(r"(    .+)\n\n(?=    )", r"\1\n", re.sub(r"\n{3,}", "\n\n", blocks)).strip("\n")

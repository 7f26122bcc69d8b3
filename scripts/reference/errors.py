"""The page of error codes, from the places in the code that raise them."""

import ast
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from scripts.reference.page import Page, cell, code, table
from scripts.reference.source import PACKAGE, argument, called, calls, constants, template

INTRO = """# Error codes

Every error a person may see has a code that stays the same, a message that names the value that was wrong, and advice. The
code is in problem documents of the API (`code`), in `--json` answers of the command line and in reports of jobs. Values are
shown here as `{name}`.
"""

#: Branch of the error tree: HTTP status, exit code of `ferry`, what to do next.
BRANCHES = {
    "Invalid": (422, 2, "the request is wrong: change it"),
    "Denied": (403, 4, "not allowed: sign in, or ask for the right"),
    "NotFound": (404, 3, "there is no such thing: check the name"),
    "Conflict": (409, 1, "clashes with what is there: decide"),
    "Exhausted": (507, 1, "disk, quota or places are used up: make room"),
    "Unavailable": (503, 5, "the other side failed: it is tried again"),
    "Corrupt": (500, 1, "bytes are not what they should be"),
}


@dataclass(frozen=True, slots=True)
class Raised:
    """One place that raises an error."""

    branch: str
    code: str
    message: str
    advice: str
    where: str


def raised() -> list[Raised]:
    """Every place in the product that raises an error with a literal code."""
    found = []
    for path, node in calls(frozenset(BRANCHES)):
        for name in _codes(argument(node, 0, "code")):
            named = constants(path)
            message = template(argument(node, 1, "message"), named)
            advice = template(argument(node, -1, "advice"), named)
            found.append(Raised(called(node), name, message, advice, _where(path, node)))
    return found


def errors_page() -> Page:
    """Codes by branch of the error tree; one without advice counts as undocumented.

    What is only `Unavailable` needs none: it is tried again.
    """
    by_code: dict[tuple[str, str], list[Raised]] = defaultdict(list)
    for item in raised():
        by_code[item.branch, item.code].append(item)
    advised = {item.code for item in raised() if item.advice or item.branch == "Unavailable"}
    missing = [
        f"error code {name}: no advice where it is raised ({items[0].where})"
        for (_, name), items in sorted(by_code.items())
        if name not in advised
    ]
    parts = [INTRO]
    for branch, (status, exit_code, meaning) in BRANCHES.items():
        rows = [_row(name, items) for (owner, name), items in sorted(by_code.items()) if owner == branch]
        if rows:
            parts.append(f"## {branch}: {meaning}\n\nHTTP {status}, exit code {exit_code}.\n")
            parts.append(table(("code", "message", "advice"), rows))
    return Page("errors.md", "\n".join(parts), tuple(missing))


def _codes(node: ast.expr | None) -> list[str]:
    """Read the codes an argument can be: a literal, or one of two."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return _codes(body) + _codes(other)
    return []


def _row(name: str, items: list[Raised]) -> tuple[str, str, str]:
    messages = dict.fromkeys(item.message for item in items if item.message)
    advice = dict.fromkeys(item.advice for item in items if item.advice)
    return code(name), cell("<br>".join(map(_plain, messages))), cell("<br>".join(map(_plain, advice)))


def _plain(text: str) -> str:
    """Text of a message with its angle brackets kept as text."""
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _where(path: Path, node: ast.Call) -> str:
    return f"{path.relative_to(PACKAGE)}:{node.lineno}"

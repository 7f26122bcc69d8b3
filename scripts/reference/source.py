"""Reading the product's own source: calls with literal arguments, found without running anything."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "ferryman"


def calls(names: frozenset[str]) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of one of `names` in the product, with its file, in a stable order."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Call) and called(node) in names:
                yield path, node


def called(node: ast.Call) -> str:
    """Last part of the name that is called: `Invalid` of `errors.Invalid(…)`."""
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def argument(node: ast.Call, position: int, name: str) -> ast.expr | None:
    """Find the argument at `position`, or the one called `name`."""
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    return node.args[position] if 0 <= position < len(node.args) else None


@cache
def constants(path: Path) -> Mapping[str, str]:
    """Collect the texts that a module names at its top."""
    found = {}
    for node in ast.parse(path.read_text(), str(path)).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if text := template(value):
                found[name] = text
    return found


def template(  # noqa: PLR0911 - one answer for each form of an expression
    node: ast.expr | None, names: Mapping[str, str] | None = None
) -> str:
    """Show a string expression as people read it: values become `{name}`; empty when there is none.

    `names` are texts that may stand behind a name.
    """
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(template(part, names) for part in parts)
        case ast.FormattedValue(value=value) if not isinstance(value, ast.Constant):
            return "{" + _short(value) + "}"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return template(left, names) + template(right, names)
        case ast.IfExp(body=body, orelse=other):
            return template(body, names) or template(other, names)
        case ast.Name(id=name) if names and name in names:
            return names[name]
        case ast.Name() | ast.Attribute() | ast.Call() | ast.BoolOp() | ast.Subscript() if names is not None:
            return "{" + _short(node) + "}"
    return ""


def _short(node: ast.expr) -> str:
    """Name a value inside a message."""
    for part in ast.walk(node):
        match part:
            case ast.Attribute(attr=name):
                return name
            case ast.Name(id=name) if name not in {"str", "repr", "len", "join", "sorted"}:
                return name
    return "…"

"""The page of the API, from the OpenAPI document of the real application."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from scripts.reference.page import Page, cell, code, table
from scripts.reference.tree import openapi

INTRO = """# API

Below `/api/v1`. Requests carry `Authorization: Bearer TOKEN`, or the session cookie with the header `X-CSRF-Token`. Errors are
problem documents (RFC 9457) with a [code](errors.md). Lists answer `items` and `next_cursor`; pass it as `cursor` for the next
page. Times are RFC 3339 in UTC, sizes bytes, rates bytes per second, durations seconds. The OpenAPI document of a running
daemon is at `/openapi.json`.
"""
METHODS = ("get", "post", "put", "patch", "delete")


def api_page() -> Page:
    """Every operation by its first word, with parameters and bodies; one without a summary counts as undocumented."""
    document = openapi()
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = defaultdict(list)
    missing = []
    for method, path, operation in _operations(document):
        words = [word for word in path.removeprefix("/api/v1").split("/") if word]
        groups[words[0] if words else "/"].append((method, path, operation))
        if not operation.get("description"):
            missing.append(f"API {method} {path}: no description")
        missing += [
            f"API {method} {path}: no description of parameter {item['name']}"
            for item in operation.get("parameters", ())
            if item["in"] == "query" and not (item.get("description") or item["schema"].get("description"))
        ]
    parts = [INTRO]
    for group in sorted(groups):
        parts.append(f"## {group}\n")
        parts += [_section(*operation) for operation in groups[group]]
    parts.append("## Shapes\n")
    parts += [_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return Page("api.md", "\n".join(parts), tuple(missing))


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def _section(method: str, path: str, operation: dict[str, Any]) -> str:
    text = f"### {method} {path}\n\n{operation.get('description') or operation.get('summary', '')}\n"
    rows = [
        (
            code(item["name"]),
            item["in"],
            cell(item.get("description") or item["schema"].get("description", "")),
        )
        for item in operation.get("parameters", ())
        if item["in"] in {"query", "path"}
    ]
    if rows:
        text += "\n" + table(("parameter", "in", "meaning"), rows)
    if body := _body(operation):
        text += f"\nBody: {body}.\n"
    good = [f"{status} {_content(answer)}".strip() for status, answer in _answers(operation, problem=False)]
    problems = [status for status, _ in _answers(operation, problem=True)]
    return f"{text}\nAnswers {', '.join(good)}; problems {', '.join(problems)}.\n"


def _answers(operation: dict[str, Any], *, problem: bool) -> list[tuple[str, dict[str, Any]]]:
    """Select the answers that are problem documents, or the others."""
    return [item for item in sorted(operation["responses"].items()) if ("$ref" in item[1]) == problem]


def _body(operation: dict[str, Any]) -> str:
    return _content(operation.get("requestBody", {}))


def _content(carrier: dict[str, Any]) -> str:
    """Say what a body or an answer holds, and as which media type when it is not JSON."""
    shown = []
    for kind, value in carrier.get("content", {}).items():
        named = _type(value.get("schema", {}))
        shown.append(named if kind == "application/json" and named else f"{named} as {code(kind)}".strip())
    return " or ".join(shown)


def _type(schema: dict[str, Any]) -> str:
    """Name the type of a value, linked to its shape when it has one."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{_plain(name)}](#{_anchor(name)})"
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    if choices := schema.get("anyOf"):
        return " or ".join(filter(None, map(_type, choices)))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    named = schema.get("type", "")
    return f"{named} ({schema['format']})" if "format" in schema else str(named)


def _shape(name: str, schema: dict[str, Any]) -> str:
    """Describe a shape: its fields, or its values."""
    text = f"### {_plain(name)} {{ #{_anchor(name)} }}\n\n{schema.get('description', '')}\n"
    if "properties" not in schema:
        return f"{text}\n{_type(schema)}\n"
    required = schema.get("required", ())
    rows = [
        (code(key), cell(_type(field)), "yes" if key in required else "", cell(field.get("description", "")))
        for key, field in schema["properties"].items()
    ]
    return text + "\n" + table(("field", "type", "required", "meaning"), rows)


def _plain(name: str) -> str:
    """Write `Listed_JobView_` as people do."""
    head, _, rest = name.partition("_")
    return f"{head} of {rest.strip('_')}" if rest.strip("_") else head


def _anchor(name: str) -> str:
    return f"shape-{name.lower().replace('_', '-')}"

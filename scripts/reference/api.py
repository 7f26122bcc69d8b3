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
    good = [
        f"{status} {cell(answer['description'])}" for status, answer in _answers(operation, problem=False)
    ]
    problems = [status for status, _ in _answers(operation, problem=True)]
    return f"{text}\nAnswers {', '.join(good)}; problems {', '.join(problems)}.\n"


def _answers(operation: dict[str, Any], *, problem: bool) -> list[tuple[str, dict[str, Any]]]:
    """Select the answers that are problem documents, or the others."""
    return [item for item in sorted(operation["responses"].items()) if ("$ref" in item[1]) == problem]


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    named = (f"{_schema(value.get('schema', {}))} as {code(kind)}" for kind, value in content.items())
    return " or ".join(named)


def _schema(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return code(schema["$ref"].rsplit("/", 1)[-1])
    return cell(schema.get("title") or schema.get("type") or "JSON")

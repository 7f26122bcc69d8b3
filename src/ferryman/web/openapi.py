"""The description of the API (OpenAPI 3.1): what FastAPI derives, plus the problem each operation can answer."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from ferryman.web.problems import MEDIA_TYPE, Problem

_ALWAYS = ("400", "401", "403", "422", "429", "500", "503")
_OPEN = ("400", "422", "500", "503")
_CHANGES = {"post", "put", "patch", "delete"}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of `app`."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Everything the console and the command line do. Errors are problem documents (RFC 9457).",
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for derived in ("HTTPValidationError", "ValidationError"):
        schemas.pop(derived, None)
    schemas["Problem"] = Problem.model_json_schema()
    document["components"]["responses"] = {
        "Problem": {
            "description": "A problem document.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            named = [status for status in operation["responses"] if status[0] in "45"]
            for status in {*named, *_problems(path, method, operation)}:
                known = operation["responses"].get(status, {})
                if status == "422" or "content" not in known:
                    operation["responses"][status] = {"$ref": "#/components/responses/Problem"}
    return document


def _problems(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    statuses = list(_ALWAYS if operation.get("security") else _OPEN)
    if "{" in path or any(item["name"] == "cursor" for item in operation.get("parameters", ())):
        statuses.append("404")
    if method in _CHANGES:
        statuses += ["401", "403", "404", "409", "429", "507"]
    if "requestBody" in operation:
        statuses += ["413", "415"]
    return sorted(set(statuses))

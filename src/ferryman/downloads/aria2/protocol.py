"""The framing of JSON-RPC 2.0 as aria2 speaks it: text to calls, answers to text. Pure; the text is hostile.

What differs from the specification is how aria2 behaves: calls without an `id` are refused, methods that do not exist
are error 1, and answers to a batch keep its order.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
INVALID_PARAMS: Final = -32602
INTERNAL: Final = -32603
FAILED: Final = 1
"""The code of everything that goes wrong in a method."""
MOST_CALLS: Final = 1000
"""Calls in one message, those in a `system.multicall` among them."""
MEDIA_TYPE: Final = "application/json-rpc"


class RpcError(Exception):
    """What a call is refused with; `status` is that of the HTTP answer to a single call."""

    def __init__(self, message: str, code: int = FAILED, status: int = 400) -> None:
        """Keep message, code and status."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `id` is whatever JSON the caller chose and comes back with the answer."""

    id: Any
    method: str
    params: list[Any]


def read(text: bytes | str) -> Any:
    """Return the JSON of a message. Raises `RpcError` (parse error) for what is none, or cannot be sent back."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise RpcError("Parse error.", PARSE_ERROR) from error


def call_of(document: Any) -> Call:
    """Return the call in `document`. Raises `RpcError`."""
    if not isinstance(document, dict) or "id" not in document:
        raise RpcError("Invalid Request.", INVALID_REQUEST)
    method, params = document.get("method"), document.get("params", [])
    if not isinstance(method, str):
        raise RpcError("Invalid Request.", INVALID_REQUEST)
    if not isinstance(params, list):
        raise RpcError("Invalid params.", INVALID_PARAMS)
    return Call(document["id"], method, params)


def id_of(document: Any) -> Any:
    """Return the id an answer to `document` carries, null when it has none."""
    return document.get("id") if isinstance(document, dict) else None


def success(call_id: Any, result: Any) -> dict[str, Any]:
    """Return the answer to a call that worked."""
    return {"id": call_id, "jsonrpc": "2.0", "result": result}


def failure(call_id: Any, error: RpcError) -> dict[str, Any]:
    """Return the answer to a call that did not."""
    return {"id": call_id, "jsonrpc": "2.0", "error": fault(error)}


def fault(error: RpcError) -> dict[str, Any]:
    """Return an error as `system.multicall` lists it."""
    return {"code": error.code, "message": error.message}


def notification(method: str, gid: str) -> dict[str, Any]:
    """Return the message that something happened to a download."""
    return {"jsonrpc": "2.0", "method": method, "params": [{"gid": gid}]}


def encode(document: Any) -> str:
    """Return a message as text that every client can read: ASCII, and only what JSON has."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def inner_call(entry: Any) -> tuple[str, list[Any]]:
    """Return method and parameters of an entry of `system.multicall`. Raises `RpcError`."""
    if not isinstance(entry, Mapping):
        raise RpcError("system.multicall expected struct.")
    method, params = entry.get("methodName"), entry.get("params", [])
    if not isinstance(method, str):
        raise RpcError("Missing methodName.")
    if method == "system.multicall":
        raise RpcError("Recursive system.multicall forbidden.")
    if not isinstance(params, list):
        raise RpcError("system.multicall expected an array of params.")
    return method, params


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value

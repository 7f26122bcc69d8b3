"""The positional parameters of a method, with aria2's words for what is wrong. Pure."""

from typing import Any, Final

from ferryman.downloads.aria2.protocol import RpcError

_MISSING: Final = object()
_LARGEST: Final = 2**31 - 1


class Params:
    """Parameters without the token. An optional one that is null counts as missing."""

    def __init__(self, values: list[Any]) -> None:
        """Read from `values`."""
        self._values = values

    def text(self, at: int) -> str:
        """Return a string. Raises `RpcError`."""
        found: str = self._as(at, str)
        return found

    def strings(self, at: int, default: Any = _MISSING) -> list[str]:
        """Return a list of strings. Raises `RpcError`."""
        found: list[str] = self._as(at, list, default)
        if not all(isinstance(item, str) for item in found):
            raise _wrong(at)
        return found

    def number(self, at: int, default: Any = _MISSING) -> Any:
        """Return a whole number, cut to what aria2 can hold. Raises `RpcError`."""
        found = self._as(at, int, default)
        if isinstance(found, bool):
            raise _wrong(at)
        return found if found is None else max(-_LARGEST, min(_LARGEST, found))

    def entries(self, at: int) -> list[Any]:
        """Return a list of anything. Raises `RpcError`."""
        found: list[Any] = self._as(at, list)
        return found

    def options(self, at: int, default: Any = _MISSING) -> dict[str, Any]:
        """Return a struct. Raises `RpcError`."""
        found: dict[str, Any] = self._as(at, dict, default)
        return found

    def _as(self, at: int, kind: type, default: Any = _MISSING) -> Any:
        found = self._values[at] if at < len(self._values) else None
        if found is None:
            if default is _MISSING:
                raise RpcError(f"The parameter at {at} is required but missing.")
            return default
        if not isinstance(found, kind):
            raise _wrong(at)
        return found


def _wrong(at: int) -> RpcError:
    return RpcError(f"The parameter at {at} has wrong type.")

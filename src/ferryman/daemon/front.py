"""What the server calls: the registry for `/v2`, the web application for all else."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from ferryman.web.security import host_allowed

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
MOST_HOSTS: Final = 100


class Front:
    """An ASGI application that passes requests on: the registry's never meet the web framework."""

    def __init__(self, registry: App, behind: App, *, bound_to: str) -> None:
        """Put `registry` in front of `behind`. Both listen on the host `bound_to`."""
        self._registry = registry
        self._behind = behind
        self._bound_to = bound_to
        self._right: set[bytes] = set()

    def __call__(self, scope: Scope, receive: Any, send: Any) -> Awaitable[None]:
        """Pass a request on."""
        if scope["type"] != "http" or not scope["path"].startswith("/v2"):
            return self._behind(scope, receive, send)
        if scope["path"] != "/v2" and not scope["path"].startswith("/v2/"):
            return self._behind(scope, receive, send)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if host not in self._right and not self._is_right(host):
            return _misdirected(send)
        return self._registry(scope, receive, send)

    def _is_right(self, host: bytes) -> bool:
        if not host_allowed(host.decode("latin-1"), self._bound_to):
            return False
        if len(self._right) < MOST_HOSTS:
            self._right.add(host)
        return True


async def _misdirected(send: Any) -> None:
    """Refuse a name that is not ours: on loopback it is DNS rebinding."""
    body = b'{"errors":[{"code":"DENIED","message":"This server does not answer for that host."}]}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})

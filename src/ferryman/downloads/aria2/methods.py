"""All methods by name, the right each one needs, and the way a message goes through them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError
from ferryman.downloads.aria2 import protocol
from ferryman.downloads.aria2.acting import Acting, refusal
from ferryman.downloads.aria2.door import PREFIX, Visit
from ferryman.downloads.aria2.events import NOTIFICATIONS
from ferryman.downloads.aria2.house import House
from ferryman.downloads.aria2.params import Params
from ferryman.downloads.aria2.protocol import INTERNAL, INVALID_REQUEST, MOST_CALLS, Call, RpcError
from ferryman.downloads.aria2.reading import Reading

Method = Callable[[Principal, Params], Awaitable[Any]]
READ: Final = "downloads:read"
ADD: Final = "downloads:write"
ACT: Final = "jobs:write"
MULTICALL: Final = "system.multicall"
LIST_METHODS: Final = "system.listMethods"
LIST_NOTIFICATIONS: Final = "system.listNotifications"
_log = structlog.get_logger("ferryman.rpc")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and the HTTP status that goes with it."""

    document: Any
    status: int = 200


class Methods:
    """Answers messages. Safe to use from many tasks at once; no message makes it raise."""

    def __init__(self, house: House) -> None:
        """Serve `house`."""
        self._methods = _table(Reading(house), Acting(house))

    async def answer(self, text: bytes | str, visit: Visit) -> Reply:
        """Return the answer to a message: one call, or a batch of them."""
        try:
            document = protocol.read(text)
        except RpcError as error:
            return Reply(protocol.failure(None, error), error.status)
        if not isinstance(document, list):
            return await self._single(document, visit)
        if sum(_weight(one) for one in document) > MOST_CALLS:
            return _too_many(None)
        return Reply([(await self._single(one, visit)).document for one in document])

    async def _single(self, document: Any, visit: Visit) -> Reply:
        if _weight(document) > MOST_CALLS:
            return _too_many(protocol.id_of(document))
        try:
            call = protocol.call_of(document)
            return Reply(protocol.success(call.id, await self._result(call, visit)))
        except RpcError as error:
            return Reply(protocol.failure(protocol.id_of(document), error), error.status)

    async def _result(self, call: Call, visit: Visit) -> Any:
        if call.method != MULTICALL:
            return await self._called(call.method, call.params, visit)
        params = call.params[1:] if _is_token(call.params) else call.params
        return [await self._inner(entry, visit) for entry in Params(params).entries(0)]

    async def _inner(self, entry: Any, visit: Visit) -> Any:
        """Return the result of one of several calls in a list of its own, or its error."""
        try:
            return [await self._called(*protocol.inner_call(entry), visit)]
        except RpcError as error:
            return protocol.fault(error)

    async def _called(self, name: str, params: list[Any], visit: Visit) -> Any:
        if name == LIST_METHODS:
            return [*self._methods, MULTICALL, LIST_METHODS, LIST_NOTIFICATIONS]
        if name == LIST_NOTIFICATIONS:
            return list(NOTIFICATIONS)
        found = self._methods.get(name)
        if found is None:
            raise RpcError(f"No such method: {name[:80]}")
        scope, method = found
        caller, rest = await visit.caller(params)
        try:
            caller.require(scope)
            return await method(caller, Params(rest))
        except FerryError as error:
            raise refusal(error) from error
        except RpcError:
            raise
        except Exception as error:
            _log.exception("a method failed", method=name)
            raise RpcError(
                "Something went wrong inside Ferryman; its log has the details.", INTERNAL
            ) from error


def _table(reading: Reading, acting: Acting) -> Mapping[str, tuple[str, Method]]:
    groups = ((ADD, _adding(acting)), (ACT, _doing(acting)), (READ, _looking(reading)))
    return {f"aria2.{name}": (scope, method) for scope, group in groups for name, method in group.items()}


def _looking(reading: Reading) -> Mapping[str, Method]:
    return {
        "tellStatus": reading.tell_status,
        "getUris": reading.get_uris,
        "getFiles": reading.get_files,
        "getServers": reading.get_servers,
        "getPeers": reading.get_peers,
        "tellActive": reading.tell_active,
        "tellWaiting": reading.tell_waiting,
        "tellStopped": reading.tell_stopped,
        "getOption": reading.get_option,
        "getGlobalOption": reading.get_global_option,
        "getGlobalStat": reading.get_global_stat,
        "getVersion": reading.get_version,
        "getSessionInfo": reading.get_session_info,
    }


def _adding(acting: Acting) -> Mapping[str, Method]:
    return {
        "addUri": acting.add_uri,
        "addTorrent": acting.add_torrent,
        "addMetalink": acting.add_metalink,
        "changeUri": acting.change_uri,
        "changeOption": acting.change_option,
        "changeGlobalOption": acting.change_global_option,
    }


def _doing(acting: Acting) -> Mapping[str, Method]:
    return {
        "remove": acting.remove,
        "forceRemove": acting.remove,
        "pause": acting.pause,
        "forcePause": acting.pause,
        "pauseAll": acting.pause_all,
        "forcePauseAll": acting.pause_all,
        "unpause": acting.unpause,
        "unpauseAll": acting.unpause_all,
        "changePosition": acting.change_position,
        "purgeDownloadResult": acting.purge,
        "removeDownloadResult": acting.remove_result,
        "saveSession": acting.save_session,
        "shutdown": acting.shutdown,
        "forceShutdown": acting.shutdown,
    }


def _weight(document: Any) -> int:
    """Return how many calls are in `document`."""
    if not isinstance(document, dict) or document.get("method") != MULTICALL:
        return 1
    params = document.get("params")
    lists = [len(value) for value in params if isinstance(value, list)] if isinstance(params, list) else []
    return 1 + sum(lists)


def _too_many(call_id: Any) -> Reply:
    error = RpcError(f"At most {MOST_CALLS} calls can be made at once.", INVALID_REQUEST)
    return Reply(protocol.failure(call_id, error), error.status)


def _is_token(params: list[Any]) -> bool:
    return bool(params) and isinstance(params[0], str) and params[0].startswith(PREFIX)

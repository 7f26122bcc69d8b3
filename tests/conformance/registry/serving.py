"""Our registry alone, open to all, as a process: `python -m tests.conformance.registry.serving HOME [RULES as JSON]`.

Prints its port. Ends with its parent or when it is told to.
"""

import asyncio
import ctypes
import json
import signal
import socket
import sys
from pathlib import Path

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.registry.app import Registry
from ferryman.registry.ports import Rules
from tests.conformance.registry.doubles import OpenAccess


async def serve(home: Path, rules: Rules) -> None:
    database = Database(sqlite_url(home / "ferry.db"))
    database.migrate()
    depot = Depot(home / "depot", database, SystemClock())
    registry = Registry(
        depot, OpenAccess(), folder=home / "uploads", clock=SystemClock(), rules=lambda: rules
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(registry, address="127.0.0.1", port=port, interface=Interfaces.ASGINL, log_enabled=False)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = asyncio.create_task(server.serve())
    await registry.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stop.wait()
    server.stop()
    await registry.stop()
    serving.cancel()
    await database.close()


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    given = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    if "immutable" in given:
        given["immutable"] = tuple(given["immutable"])
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), Rules(**given)))

"""Who holds a lease: a process, named so that a later one can tell for sure that it is gone."""

import os
import secrets
import socket
from pathlib import Path

_PROC = Path("/proc")


def holder_name() -> str:
    """Name a new holder in this process: host, boot and namespace of process ids, process id, its start; and a number."""
    process = (socket.gethostname().replace(":", "-"), _scope(), str(os.getpid()), _started(os.getpid()))
    return f"{':'.join(process)}#{secrets.token_hex(4)}"


def is_dead(holder: str) -> bool:
    """Tell whether a holder was a process of this very system that no longer runs.

    False when that cannot be known: then only its heartbeat tells. Two hosts or containers of one name differ in
    their boot or their namespace of process ids, so none declares the living of the other dead.
    """
    parts = holder.rpartition("#")[0].split(":")
    if len(parts) != 4 or not parts[2].isdigit():
        return False
    host, scope, pid, started = parts
    if (host, scope) != (socket.gethostname().replace(":", "-"), _scope()) or "" in (scope, started):
        return False
    return _started(int(pid)) != started


def _scope() -> str:
    """The boot of the kernel and the namespace of process ids; empty where neither can be told."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Clock ticks from boot to the start of a process (proc(5), stat, field 22); empty when there is none.

    A process that ended and was not waited for yet (state Z) or is being torn down (X) is gone.
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""

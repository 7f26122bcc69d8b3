"""Runs one program without a shell: few variables, a time, bounded output, and nothing of it left running."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

MOST_OUTPUT: Final = 64 * 1024
"""Bytes of output that are kept."""
GRACE: Final = 3.0
"""Seconds between the request to end and the end by force."""
_LINE: Final = 1000
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def environment(variables: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what the program sees: a few variables of ours, and what it is told."""
    kept = {name: own[name] for name in _KEPT if name in own}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", **kept, **variables}


class Command:
    """One run of a program. `mark` is the value of `FERRY_DELIVERY`, by which its descendants are found."""

    def __init__(self, argv: Sequence[str], folder: Path, variables: Mapping[str, str], mark: str) -> None:
        """Run `argv` in `folder`."""
        self._argv = list(argv)
        self._folder = folder
        self._variables = dict(variables)
        self._mark = mark

    async def run(self, told: Callable[[str], None], timeout: float) -> int | None:
        """Return the exit status, None when the time was over; `told` gets each line of output, bounded.

        Raises `OSError` when it cannot be started. When cancelled, and at the end, nothing of it runs on as far as can
        be told: its process group, and all processes that have its mark.
        """
        out, into = (
            os.pipe()
        )  # one of our own: with asyncio's, the end of a program is only seen when all let go of it
        stream, transport = await _reader(out)
        try:
            process = await self._start(into)
        except BaseException:
            transport.close()
            raise
        finally:
            os.close(into)
        reading = asyncio.create_task(_tell(stream, told))
        try:
            async with asyncio.timeout(timeout):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            await asyncio.shield(self._end(process))
            # A descendant that escaped could hold the pipe open for ever.
            await asyncio.wait({reading}, timeout=1)
            reading.cancel()
            transport.close()

    async def _start(self, output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._argv,
            cwd=self._folder,
            env=environment(self._variables, os.environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Ask all that is left to end, then end it by force."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = self._signal(process.pid, number, dead=process.returncode is not None)
            deadline = asyncio.get_running_loop().time() + (GRACE if number is signal.SIGTERM else 1.0)
            while left and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
                left = process.returncode is None or bool(marked(self._mark))
            if not left:
                break
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 1.0)

    def _signal(self, group: int, number: signal.Signals, *, dead: bool) -> bool:
        """Signal the group and the marked; tell whether there was anything to signal."""
        found = marked(self._mark)
        if not dead or any(_group_of(pid) == group for pid in found):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        return not dead or bool(found)


def marked(mark: str) -> list[int]:
    """Return the processes that were started with this mark, also those that left their group. Linux only."""
    wanted = b"FERRY_DELIVERY=" + mark.encode()
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if wanted in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
    return found


async def _reader(handle: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(handle, "rb", buffering=0)
    )
    return stream, transport


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


async def _tell(stream: asyncio.StreamReader, told: Callable[[str], None]) -> None:
    """Tell lines until `MOST_OUTPUT`; read on after it, so that the program does not block."""
    left, rest = MOST_OUTPUT, b""
    while block := await stream.read(8192):
        if left <= 0:
            continue
        left -= len(block)
        *lines, rest = (rest + block).split(b"\n")
        while len(rest) > _LINE:
            lines.append(rest[:_LINE])
            rest = rest[_LINE:]
        for line in lines:
            told(_shown(line))
        if left <= 0:
            told(f"(more than {MOST_OUTPUT // 1024} KiB of output: the rest is not kept)")
            rest = b""
    if rest:
        told(_shown(rest))


def _shown(line: bytes) -> str:
    text = line[:_LINE].decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() or sign == "\t" else "�" for sign in text.rstrip("\r"))

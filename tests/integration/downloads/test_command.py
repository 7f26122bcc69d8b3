"""Programs of hooks are ended with all they started."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from ferryman.downloads.hooks import command
from ferryman.downloads.hooks.command import MOST_OUTPUT, Command, marked

ESCAPING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(100)
    os._exit(0)
print("started", flush=True)
time.sleep(100)
"""


async def ran(text, tmp_path, timeout=30.0, mark="m1"):
    lines = []
    one = Command([sys.executable, "-I", "-c", text], tmp_path, {"FERRY_DELIVERY": mark}, mark)
    return await one.run(lines.append, timeout), lines


async def test_status_and_output_are_told(tmp_path):
    status, lines = await ran(
        "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path
    )
    assert (status, sorted(lines)) == (3, ["err", "out"])


async def test_output_is_bounded(tmp_path):
    status, lines = await ran("print('x' * 5000000)", tmp_path)
    assert status == 0
    assert sum(len(line) for line in lines) < MOST_OUTPUT + 10_000
    assert "not kept" in lines[-1]


async def test_a_program_that_takes_too_long_is_ended_with_its_descendants(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 0.3)
    began = time.monotonic()
    status, lines = await ran(ESCAPING, tmp_path, timeout=1.5, mark="escaping-1")
    assert (status, lines) == (None, ["started"])
    assert time.monotonic() - began < 10
    assert marked("escaping-1") == []


async def test_a_cancelled_program_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "GRACE", 0.3)
    task = asyncio.create_task(ran(ESCAPING, tmp_path, mark="escaping-2"))
    while len(marked("escaping-2")) < 2:
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert marked("escaping-2") == []


async def test_what_it_leaves_behind_is_ended_too(tmp_path):
    text = "import subprocess; subprocess.Popen(['sleep', '50'], start_new_session=True); print('left')"
    assert await ran(text, tmp_path, mark="leaving") == (0, ["left"])
    assert marked("leaving") == []


async def test_a_program_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        await Command(["/nothing"], Path("/"), {}, "m").run(lambda _line: None, 1.0)
    assert os.getpid() not in marked("m")

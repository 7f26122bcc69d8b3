"""The thread that writes what was decrypted: the right bytes at the right place, whatever ends the transfer."""

import ctypes
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.digests import Digest
from ferryman.core.errors import Exhausted
from ferryman.testing.nginx import Nginx
from ferryman.testing.tls import Authority
from ferryman.testing.upstream import File, made_up
from ferryman.transfer.disk import PartFile
from ferryman.transfer.journal import Journal
from ferryman.transfer.writer import BUFFER, PAGE, Write, Writer, pieces

from .conftest import LIMIT, Fetcher, wait_for

MIB = 1 << 20
DATA = made_up(48 * MIB + 12345, "writer")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    root = tmp_path_factory.mktemp("root")
    (root / "f").write_bytes(DATA)
    with Nginx(tmp_path_factory.mktemp("nginx"), root, certificate=authority.issue("127.0.0.1")) as running:
        yield running


@given(st.integers(0, 1 << 40), st.integers(0, 3 * MIB))
def test_pieces_are_whole_pages_with_less_than_a_page_on_either_side(at: int, count: int) -> None:
    first, last = pieces(at, count)
    assert 0 <= first <= last <= count
    if first < last:
        assert (at + first) % PAGE == 0 == (at + last) % PAGE
        assert first < PAGE > count - last
    else:
        assert count < 2 * PAGE


def test_buffers_begin_at_pages_and_whoever_misses_one_shows_that_the_disk_is_behind() -> None:
    writer = Writer(lambda call: call())
    assert not writer.behind(time.monotonic())
    buffers = []
    while (buffer := writer.take()) is not None:
        buffers.append(buffer)
    assert writer.behind(time.monotonic())
    assert sum(len(buffer) for buffer in buffers) <= 5 * MIB
    assert all(ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % PAGE == 0 for buffer in buffers)
    writer.give_back(buffers.pop())
    assert writer.take() is not None


@pytest.mark.parametrize("read_again", [False, True])
def test_a_write_puts_exactly_its_bytes_at_its_place(tmp_path: Path, read_again: bool) -> None:
    writer = Writer(lambda call: call())
    draw = random.Random(3)
    part = PartFile(tmp_path / "f")
    if read_again:
        part.needed_from = 0
    expected = bytearray(8 * MIB)
    os.pwrite(part.fd, expected, 0)
    buffer = writer.take()
    assert buffer is not None
    for _ in range(60):
        at, count = draw.randrange(7 * MIB), draw.choice([1, PAGE, 300_000, draw.randrange(1, MIB)])
        skip = at % PAGE
        count = min(count, len(buffer) - skip)
        data = draw.randbytes(count)
        buffer[skip : skip + count] = data
        write = Write(part, buffer, skip, count, at)
        write.run()
        assert write.error is None
        assert write.done.is_set()
        expected[at : at + count] = data
    part.close()
    assert (tmp_path / "f").read_bytes() == expected


def test_whoever_waits_for_a_buffer_gets_one_though_others_want_none_any_more() -> None:
    writer = Writer(lambda call: call())
    held: list[memoryview] = []
    while buffer := writer.take():
        held.append(buffer)
    assert 1 <= len(held) <= 8, "memory is bounded"
    assert all(len(buffer) == BUFFER + PAGE for buffer in held)
    got: list[memoryview | None] = []
    writer.wait(lambda: None)
    writer.wait(lambda: got.append(writer.take()))
    writer.wait(lambda: got.append(writer.take()))
    writer.give_back(held.pop())
    assert len(got) == 1
    assert got[0] is not None
    writer.give_back(held.pop())
    assert len(got) == 2


@pytest.mark.parametrize("checked", [False, True])
def test_what_the_journal_says_is_in_the_file_however_often_it_is_stopped(
    server: Nginx, authority: Authority, fetch: Fetcher, checked: bool
) -> None:
    checksum = Digest("sha256", File(DATA).sha256) if checked else None
    more = {"ca": authority.ca, "connections": 5, "checksum": checksum}
    draw = random.Random(5)
    for _ in range(6):
        transfer = fetch.start(server.url("f"), **more)
        aim = transfer.snapshot().disk + draw.randrange(12 * MIB)
        wait_for(lambda transfer=transfer, aim=aim: transfer.done() or transfer.snapshot().disk >= aim)
        transfer.stop()
        wait_for(transfer.done)
        part = fetch.folder / "file.part"
        if not part.exists():
            break
        journal = Journal(fetch.folder / "file.ferry", "test")
        assert journal.found is not None
        raw = part.read_bytes()
        for start, end in journal.found.done:
            assert raw[start:end] == DATA[start:end]
        journal.close()
    result = fetch(server.url("f"), **more) if not (fetch.folder / "file").exists() else None
    assert (fetch.folder / "file").read_bytes() == DATA
    assert result is None or result.size == len(DATA)


def test_many_transfers_share_few_buffers(server: Nginx, authority: Authority, fetch: Fetcher) -> None:
    transfers = [
        fetch.start(server.url("f"), name=f"f{number}", ca=authority.ca, connections=8, stall_timeout=300.0)
        for number in range(6)
    ]
    for transfer in transfers:
        assert transfer.wait(LIMIT * 2).path.read_bytes() == DATA


def test_a_file_is_closed_only_when_nothing_writes_to_it_any_more(
    server: Nginx, authority: Authority, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, late = threading.Event(), []
    write_through = PartFile.write_through

    def slowly(part: PartFile, data: memoryview, at: int) -> None:
        writing.set()
        time.sleep(0.1)
        if part.closed:
            late.append(at)
        write_through(part, data, at)

    monkeypatch.setattr(PartFile, "write_through", slowly)
    for _ in range(3):
        writing.clear()
        transfer = fetch.start(server.url("f"), ca=authority.ca, connections=4)
        assert writing.wait(LIMIT)
        transfer.stop(keep=False)
        wait_for(transfer.done)
        assert list(fetch.folder.iterdir()) == []
    assert late == []


def test_a_full_disk_is_noticed_by_the_writer_too(
    server: Nginx, authority: Authority, fetch: Fetcher
) -> None:
    small = fetch.folder / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "none", small], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        with pytest.raises(Exhausted) as full:
            fetch(server.url("f"), target=small / "file", ca=authority.ca, connections=2)
        assert full.value.code == "disk_full"
        subprocess.run(["mount", "-o", "remount,size=100m", small], check=True)
        result = fetch(server.url("f"), target=small / "file", ca=authority.ca, connections=2)
        assert result.path.read_bytes() == DATA
        assert result.resumed > 2 * MIB
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_the_page_cache_is_passed_by_only_when_nobody_reads_the_file_back(
    server: Nginx, authority: Authority, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    direct: Callable[[PartFile], int | None] = PartFile._direct_fd

    def noting(part: PartFile) -> int | None:
        opened.append(part)
        return direct(part)

    monkeypatch.setattr(PartFile, "_direct_fd", noting)
    fetch(server.url("f"), name="checked", ca=authority.ca, checksum=Digest("sha256", File(DATA).sha256))
    assert opened == []
    fetch(server.url("f"), name="plain", ca=authority.ca)
    assert opened
    assert (fetch.folder / "plain").read_bytes() == DATA

"""The engine against real servers: whole files, resumed files, changed files, many files."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)
from ferryman.testing.faults import broken_off, first, status, whole
from ferryman.testing.ftp import FtpServer
from ferryman.testing.nginx import Nginx
from ferryman.testing.proxies import HttpProxy, SocksProxy
from ferryman.testing.tls import Authority
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.model import Limits, Options, Overwrite, Request, Result
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.service import Engine, Stopped, Transfer

MIB = 1024 * 1024


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Limits(backoff=0.05)) as running:
        yield running


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch(engine: Engine, url: str, target: Path, **rest: object) -> Result:
    return engine.submit(Request((url,), target, **rest)).wait(30)


def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in {".part", ".ferry", ".corrupt"})


def file_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("connections", [1, 2, 8, 32])
@pytest.mark.parametrize("tls", [False, True])
def test_a_large_file_from_nginx_is_bit_exact(
    engine: Engine, tmp_path: Path, connections: int, tls: bool
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    data = made_up(70 * MIB + 12345, f"{connections}{tls}")
    (root / "big.bin").write_bytes(data)
    authority = Authority(tmp_path / "ca")
    with Nginx(tmp_path / "nginx", root, certificate=authority.issue("127.0.0.1") if tls else None) as server:
        digest = Digest("sha256", hashlib.sha256(data).hexdigest())
        options = Options(connections=connections, ca=authority.ca)
        transfer = engine.submit(Request((server.url("big.bin"),), tmp_path / "out.bin", options, digest))
        result = transfer.wait(60)
    assert (tmp_path / "out.bin").read_bytes() == data
    assert result.size == result.network == len(data)
    assert result.digests == (digest,)
    final = transfer.snapshot()
    assert (final.disk, final.verified, final.total) == (len(data),) * 3
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("size", [0, 1, 100, 65536, MIB, 5 * MIB + 1])
def test_files_of_every_size(engine: Engine, upstream: Upstream, tmp_path: Path, size: int) -> None:
    file = File(made_up(size))
    result = fetch(engine, upstream.serve("/f", file), tmp_path / "f", checksum=Digest("sha256", file.sha256))
    assert (tmp_path / "f").read_bytes() == file.data
    assert result.size == size
    assert {seen.method for seen in upstream.seen()} == {"GET"}
    assert leftovers(tmp_path) == []


def test_progress_never_goes_back_and_knows_its_parts(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    file = File(made_up(6 * MIB), rate=2 * MIB)
    url = upstream.serve("/f", file)
    transfer = engine.submit(
        Request((url,), tmp_path / "f", Options(connections=2), Digest("sha256", file.sha256))
    )
    shots = []
    while not transfer.done():
        shots.append(transfer.snapshot())
        time.sleep(0.02)
    transfer.wait(1)
    for before, after in pairwise(shots):
        assert after.network >= before.network
        assert after.disk >= before.disk
        assert after.verified >= before.verified
    assert any(shot.rate > 0 and shot.eta for shot in shots)


def test_stop_and_go_on_fetches_only_the_rest(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(12 * MIB), rate=3 * MIB)
    request = Request((upstream.serve("/f", file),), tmp_path / "f", Options(connections=2))
    transfer = engine.submit(request)
    until(lambda: transfer.snapshot().disk > 2 * MIB)
    transfer.stop()
    with pytest.raises(Stopped):
        transfer.wait(30)
    until(lambda: leftovers(tmp_path) == ["f.ferry", "f.part"])
    last = transfer.snapshot()
    file.rate = 0
    result = engine.submit(request).wait(30)
    assert (tmp_path / "f").read_bytes() == file.data
    assert result.resumed > 2 * MIB
    assert result.network + result.resumed == len(file.data)
    assert (last.network, last.disk) == (result.resumed, result.resumed), "the last look tells all that came"
    assert leftovers(tmp_path) == []


def test_stop_without_keeping_leaves_nothing(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    url = upstream.serve("/f", File(made_up(8 * MIB), rate=MIB))
    transfer = engine.submit(Request((url,), tmp_path / "f"))
    until(lambda: transfer.snapshot().disk > 0)
    transfer.stop(keep=False)
    with pytest.raises(Stopped):
        transfer.wait(30)
    until(lambda: file_names(tmp_path) == [])


def test_a_changed_object_is_never_mixed(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(8 * MIB, "old"), rate=2 * MIB)
    request = Request((upstream.serve("/f", file),), tmp_path / "f", Options(connections=2))
    transfer = engine.submit(request)
    until(lambda: transfer.snapshot().disk > MIB)
    transfer.stop()
    with pytest.raises(Stopped):
        transfer.wait(30)
    changed = File(made_up(8 * MIB, "new"))
    upstream.serve("/f", changed)
    messages: list[str] = []
    engine.submit(request, log=lambda _, message: messages.append(message)).wait(30)
    assert (tmp_path / "f").read_bytes() == changed.data
    assert any("not the one" in message for message in messages)


def test_a_wrong_checksum_keeps_the_data_aside(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    for size in (1000, 6 * MIB):
        file = File(made_up(size))
        with pytest.raises(Corrupt) as caught:
            fetch(engine, upstream.serve("/f", file), tmp_path / "f", checksum=Digest("sha256", "0" * 64))
        assert caught.value.code == "checksum_mismatch"
        assert str(tmp_path / "f.corrupt") in caught.value.advice
        assert (tmp_path / "f.corrupt").read_bytes() == file.data
        assert file_names(tmp_path) == ["f.corrupt"]


def test_a_checksum_file_is_asked_first(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(200_000))
    url = upstream.serve("/dir/f.iso", file)
    sums = upstream.serve("/dir/SHA256SUMS", File(f"{'1' * 64}  other\n{file.sha256}  f.iso\n".encode()))
    result = fetch(engine, url, tmp_path / "f.iso", checksum_url=sums)
    assert result.digests == (Digest("sha256", file.sha256),)
    upstream.serve("/dir/SHA256SUMS", File(f"{'1' * 64}  f.iso\n".encode()))
    with pytest.raises(Corrupt):
        fetch(engine, url, tmp_path / "g.iso", checksum_url=sums)


def test_mirrors_are_used_together_and_a_dead_one_is_left_out(engine: Engine, tmp_path: Path) -> None:
    data = made_up(48 * MIB)
    with Upstream() as one, Upstream() as two:
        urls = (
            one.serve("/f", File(data, etag='"one"', rate=30 * MIB)),
            two.serve("/g", File(data, etag='"two"', rate=30 * MIB)),
            one.url("/nothing-here"),
        )
        digest = Digest("sha256", hashlib.sha256(data).hexdigest())
        result = engine.submit(Request(urls, tmp_path / "f", Options(connections=6), digest)).wait(60)
        assert result.size == len(data)
        assert one.seen("/f")
        assert two.seen("/g")


def test_a_mirror_with_another_file_is_left_out(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    data = made_up(40 * MIB)
    with Upstream() as other:
        urls = (
            upstream.serve("/f", File(data, rate=40 * MIB)),
            other.serve("/f", File(data[:-7], rate=40 * MIB)),
        )
        messages: list[str] = []
        request = Request(urls, tmp_path / "f", Options(connections=4))
        engine.submit(request, log=lambda _, message: messages.append(message)).wait(60)
    assert (tmp_path / "f").read_bytes() == data


def test_a_folder_target_takes_the_servers_name(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(
        b"hello", headers={"Content-Disposition": "attachment; filename*=UTF-8''na%C3%AFve%2F..%2Fx.txt"}
    )
    result = fetch(engine, upstream.serve("/f", file), tmp_path, folder=True)
    assert result.path.parent == tmp_path
    assert result.path.read_bytes() == b"hello"
    plain = fetch(engine, upstream.serve("/a/b/plain.bin?x=1", File(b"x")), tmp_path, folder=True)
    assert plain.path == tmp_path / "plain.bin"


def test_a_folder_target_is_resumed_too(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(8 * MIB), rate=2 * MIB)
    request = Request((upstream.serve("/f.bin", file),), tmp_path, Options(connections=2), folder=True)
    transfer = engine.submit(request)
    until(lambda: transfer.snapshot().disk > MIB)
    transfer.stop()
    with pytest.raises(Stopped):
        transfer.wait(30)
    file.rate = 0
    result = engine.submit(request).wait(30)
    assert result.path.read_bytes() == file.data
    assert result.resumed > MIB


def test_what_happens_when_the_target_exists(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    url = upstream.serve("/f", File(b"new"))
    target = tmp_path / "f.txt"
    target.write_bytes(b"old")
    with pytest.raises(Conflict) as caught:
        fetch(engine, url, target)
    assert caught.value.code == "target_exists"
    assert fetch(engine, url, target, overwrite=Overwrite.SKIP).skipped
    assert target.read_bytes() == b"old"
    renamed = fetch(engine, url, target, overwrite=Overwrite.RENAME)
    assert renamed.renamed
    assert renamed.path == tmp_path / "f (1).txt"
    assert fetch(engine, url, target, overwrite=Overwrite.OVERWRITE).path.read_bytes() == b"new"
    assert file_names(tmp_path) == ["f (1).txt", "f.txt"]


def test_two_transfers_never_write_one_target(upstream: Upstream, tmp_path: Path) -> None:
    request = Request((upstream.serve("/f", File(made_up(4 * MIB), rate=MIB)),), tmp_path / "f")
    with Engine() as one, Engine() as two:
        transfer = one.submit(request)
        until(lambda: transfer.snapshot().disk > 0)
        with pytest.raises(Conflict) as caught:
            two.submit(request).wait(30)
        assert caught.value.code == "target_busy"


def test_errors_name_what_is_wrong(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    cases: list[tuple[str, Path, type[FerryError], str]] = [
        (upstream.url("/none"), tmp_path / "f", NotFound, "source_not_found"),
        (upstream.serve("/401", status(401)), tmp_path / "f", Denied, "auth_required"),
        (upstream.serve("/403", status(403)), tmp_path / "f", Denied, "forbidden"),
        (upstream.serve("/500", status(500)), tmp_path / "f", Unavailable, "server_error"),
        ("http://127.0.0.1:1/f", tmp_path / "f", Unavailable, "connect_failed"),
        ("http://name.invalid/f", tmp_path / "f", Unavailable, "name_unresolved"),
        (upstream.url("/f"), tmp_path / "no" / "such" / "folder" / "f", Invalid, "target_invalid"),
    ]
    for url, target, kind, code in cases:
        with pytest.raises(kind) as caught:
            fetch(engine, url, target)
        assert caught.value.code == code
    until(lambda: file_names(tmp_path) == [])


def test_refused_addresses_are_never_connected_to(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(b"secret")
    upstream.serve("/f", file)
    public = AddressPolicy(private=False)
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
        with pytest.raises(Denied) as caught:
            fetch(engine, upstream.url("/f", host), tmp_path / "f", allow=public)
        assert caught.value.code == "address_refused"
    assert upstream.seen() == []
    private = AddressPolicy(private=True)
    url = upstream.serve("/away", status(302, {"Location": "http://169.254.169.254/latest/"}))
    with pytest.raises(Denied):
        fetch(engine, url, tmp_path / "f", allow=private)
    assert fetch(engine, upstream.url("/f"), tmp_path / "f", allow=private).size == 6


def test_a_broken_connection_is_picked_up_where_it_ended(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    file = File(made_up(6 * MIB))
    url = upstream.serve("/f", first(3, broken_off(file, MIB, rudely=True), file))
    result = fetch(engine, url, tmp_path / "f", options=Options(connections=1))
    assert (tmp_path / "f").read_bytes() == file.data
    assert result.network == len(file.data)


def test_a_server_without_ranges_is_fetched_whole_after_a_break(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    file = File(made_up(3 * MIB))

    def breaking(exchange: object) -> None:
        exchange.start(200, {"Content-Length": len(file.data)})
        exchange.write(file.data[:MIB])
        exchange.hang_up()

    fetch(engine, upstream.serve("/f", first(2, breaking, whole(file))), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == file.data


def test_500_small_files_share_their_connections(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    files = {f"/{number}": File(made_up(3000 + number, str(number))) for number in range(500)}
    transfers = [
        engine.submit(
            Request(
                (upstream.serve(path, file),), tmp_path / path[1:], checksum=Digest("sha256", file.sha256)
            )
        )
        for path, file in files.items()
    ]
    for transfer, file in zip(transfers, files.values(), strict=True):
        assert transfer.wait(60).path.read_bytes() == file.data
    assert len({seen.connection for seen in upstream.seen()}) <= 40
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_keeps_what_is_there_and_goes_on_later(
    engine: Engine, upstream: Upstream, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.system(f"mount -t tmpfs -o size=6m none {small} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        file = File(made_up(8 * MIB))
        request = Request((upstream.serve("/f", file),), small / "f", Options(connections=2))
        with pytest.raises(Exhausted) as caught:
            engine.submit(request).wait(30)
        assert caught.value.code == "disk_full"
        os.system(f"mount -o remount,size=20m {small}")
        result = engine.submit(request).wait(30)
        assert (small / "f").read_bytes() == file.data
        assert result.resumed > 0
    finally:
        os.system(f"umount -l {small}")


@pytest.mark.filterwarnings("ignore:The async:DeprecationWarning")  # pyftpdlib on Python 3.11
def test_ftp_whole_resumed_and_missing(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    data = made_up(9 * MIB)
    (root / "f.bin").write_bytes(data)
    with FtpServer(root, user="me", password="pass word") as server:
        url = server.url("f.bin", "me:pass%20word")
        slowly = Request((url,), tmp_path / "f", Options(connections=2, rate_limit=3 * MIB))
        transfer = engine.submit(slowly)
        until(lambda: transfer.snapshot().disk > MIB)
        transfer.stop()
        with pytest.raises(Stopped):
            transfer.wait(30)
        result = fetch(engine, url, tmp_path / "f", options=Options(connections=2))
        assert (tmp_path / "f").read_bytes() == data
        assert result.resumed > 0
        with pytest.raises(NotFound):
            fetch(engine, server.url("none", "me:pass%20word"), tmp_path / "g")
        with pytest.raises(Denied):
            fetch(engine, server.url("f.bin", "me:wrong"), tmp_path / "g")


def test_through_proxies(engine: Engine, upstream: Upstream, tmp_path: Path) -> None:
    file = File(made_up(3 * MIB))
    url = upstream.serve("/f", file)
    with HttpProxy() as http, SocksProxy() as socks:
        for number, proxy in enumerate((http, socks)):
            options = Options(connections=3, proxy=proxy.url())
            fetch(
                engine, url, tmp_path / str(number), options=options, checksum=Digest("sha256", file.sha256)
            )
            assert proxy.seen


def test_close_stops_everything_and_keeps_the_partial(upstream: Upstream, tmp_path: Path) -> None:
    engine = Engine()
    engine.start()
    transfer: Transfer = engine.submit(
        Request((upstream.serve("/f", File(made_up(8 * MIB), rate=2 * MIB)),), tmp_path / "f")
    )
    until(lambda: transfer.snapshot().disk > MIB)
    engine.close()
    with pytest.raises(Stopped):
        transfer.wait(30)
    assert leftovers(tmp_path) == ["f.ferry", "f.part"]

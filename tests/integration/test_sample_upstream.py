"""The sample upstream answers as a well-behaved server does."""

import hashlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from ferryman.testing.sample import SampleServer


@pytest.fixture(scope="module")
def upstream() -> Iterator[SampleServer]:
    with SampleServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(url: str, **headers: str):
    request = urllib.request.Request(
        url, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.status, answer.headers, answer.read()


def test_a_whole_file_has_the_digest_it_promises(upstream: SampleServer):
    status, headers, body = fetch(upstream.url("medium.bin"))
    assert (status, len(body)) == (200, int(headers["Content-Length"]))
    sums = fetch(upstream.address + "/SHA256SUMS")[2].decode()
    assert f"{hashlib.sha256(body).hexdigest()}  medium.bin\n" in sums


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, 1024),
        ("bytes=10-19", 10, 20),
        ("bytes=-24", 1000, 1024),
        ("bytes=1000-5000", 1000, 1024),
    ],
)
def test_a_range_is_that_part(upstream: SampleServer, asked: str, start: int, end: int):
    whole = fetch(upstream.url("hello.txt"))[2]
    status, headers, body = fetch(upstream.url("hello.txt"), Range=asked)
    assert (status, body) == (206, whole[start:end])
    assert headers["Content-Range"] == f"bytes {start}-{end - 1}/1024"


def test_a_range_across_blocks_fits_together(upstream: SampleServer):
    whole = fetch(upstream.url("medium.bin"))[2]
    part = fetch(upstream.url("medium.bin"), Range="bytes=1048000-3145999")[2]
    assert part == whole[1048000:3146000]


def test_another_validator_gets_the_whole_file(upstream: SampleServer):
    assert fetch(upstream.url("hello.txt"), Range="bytes=5-", If_Range='"other"')[0] == 200


@pytest.mark.parametrize(
    ("path", "status"), [("/files/hello.txt", 416), ("/files/none", 404), ("/../etc/passwd", 404)]
)
def test_what_is_not_there_is_refused(upstream: SampleServer, path: str, status: int):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetch(upstream.address + path, Range="bytes=2000-")
    assert refused.value.code == status
    refused.value.close()


@pytest.mark.parametrize(
    ("error", "told"),
    [(ConnectionResetError("gone"), False), (ValueError("a fault"), True)],
    ids=["gone", "fault"],
)
def test_only_faults_are_told_not_clients_that_hang_up(upstream: SampleServer, capsys, error, told):
    try:
        raise error
    except type(error):
        upstream.handle_error(None, ("127.0.0.1", 1))
    assert bool(capsys.readouterr().err) is told

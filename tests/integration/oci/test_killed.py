"""`kill -9` in the middle: what was received or sent is not moved again, counted on the wire."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.liar_registry import Fault, LiarRegistry
from tests.integration.oci import carrier
from tests.integration.oci.registries import layer, made_up

SIZE = 12 * 1024 * 1024
CONTENT = made_up(SIZE)
BLOB = layer(CONTENT)


class Work:
    def __init__(self, folder: Path, host: str, chunk: int) -> None:
        self.file, self.state = folder / "file", folder / "state.json"
        self.host, self.chunk = host, chunk

    def begin(self, what: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, carrier.__file__, what, self.host, str(BLOB.digest), self.file, self.state]
        return subprocess.Popen([*map(str, program), str(self.chunk), str(SIZE)])

    def finish(self, what: str) -> None:
        carrier.main(what, self.host, str(BLOB.digest), self.file, self.state, self.chunk, SIZE)

    @property
    def saved(self):
        return json.loads(self.state.read_text()) if self.state.exists() else None


def kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def liar():
    with LiarRegistry() as registry:
        yield registry


def test_a_killed_download_fetches_only_the_rest(liar, tmp_path):
    liar.put("team/app", CONTENT)
    liar.faults.append(Fault("GET", "/blobs/", after=5_000_000, hold=True))
    work = Work(tmp_path, liar.host, SIZE)
    process = work.begin("fetch")
    try:
        assert liar.wait_for(lambda: any(one.sent == 5_000_000 for one in liar.seen("GET", "/blobs/")))
    finally:
        kill(process)
    there = work.file.stat().st_size
    work.finish("fetch")
    assert work.file.read_bytes() == CONTENT
    assert liar.seen("GET", "/blobs/")[-1].sent == SIZE - there


@pytest.mark.parametrize("chunk", [SIZE, 3 * 1024 * 1024], ids=["whole", "parts"])
def test_a_killed_upload_sends_only_the_rest(liar, tmp_path, chunk):
    method, after = ("PUT", 5_000_000) if chunk == SIZE else ("PATCH", 2_000_000)
    liar.faults.append(Fault(method, "/blobs/uploads/", skip=int(method == "PATCH"), after=after, hold=True))
    work = Work(tmp_path, liar.host, chunk)
    work.file.write_bytes(CONTENT)
    process = work.begin("send")
    try:
        assert liar.wait_for(lambda: any(one.received == after for one in liar.seen(method)))
    finally:
        kill(process)
    assert work.saved
    arrived = len(next(iter(liar.uploads.values())))
    before = len(liar.seen())
    work.finish("send")
    assert liar.blobs[str(BLOB.digest)] == CONTENT
    assert sum(one.received for one in liar.seen()[before:]) == SIZE - arrived
    assert arrived >= after
    assert work.saved is None


def test_a_killed_upload_that_expired_begins_again(tmp_path):
    with LiarRegistry() as liar:
        liar.faults.append(Fault("PUT", "/blobs/uploads/", after=5_000_000, hold=True))
        work = Work(tmp_path, liar.host, SIZE)
        work.file.write_bytes(CONTENT)
        process = work.begin("send")
        try:
            assert liar.wait_for(lambda: any(one.received == 5_000_000 for one in liar.seen("PUT")))
        finally:
            kill(process)
        liar.uploads.clear()
        work.finish("send")
        assert liar.seen("PUT")[-1].received == SIZE
        assert liar.blobs[str(BLOB.digest)] == CONTENT


@pytest.mark.skipif(not DockerRegistry.program(), reason="docker-registry is not installed")
def test_docker_registry_goes_on_after_whole_parts_and_begins_again_after_half_ones(tmp_path):
    """It keeps a part only when its request ended: the saved state is that of the last whole part."""
    chunk = 4 * 1024 * 1024
    with DockerRegistry(tmp_path / "registry") as registry:
        work = Work(tmp_path, registry.host, chunk)
        work.file.write_bytes(CONTENT)
        states = []
        stop = KeyError("as if killed")

        def save(state):
            states.append(state)
            if state and state.offset == 2 * chunk:
                raise stop

        moved = []
        with carrier.RegistryClient(
            registry.host, "team/app", carrier.RegistryOptions(plain_http=True, chunk=chunk)
        ) as client:

            def send(resume):
                client.target().put_blob(
                    BLOB, lambda at: carrier.FileStream(work.file, at), moved.append, resume
                )

            with pytest.raises(KeyError):
                send(carrier.ResumeUpload(None, save))
            assert sum(moved) == 2 * chunk
            moved.clear()
            send(carrier.ResumeUpload(states[-1], states.append))
            assert sum(moved) == chunk
            assert client.target().has_blob(BLOB)

"""An archive is written whole or not at all; what was fetched for it before a kill -9 is not fetched again, bytes counted."""

import hashlib
import signal
import tarfile
from pathlib import Path

import pytest

from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images
from tests.integration.depot.relay import Relay
from tests.integration.depot.test_copying import Ferry, needs_registry, wait_for_journal

MIB = 1 << 20
pytestmark = needs_registry


def content(archive: Path) -> dict[str, str]:
    """Names and SHA-256 of what is in an archive; the order is that in which it arrived."""
    with tarfile.open(archive) as tar:
        files = {one.name: tar.extractfile(one) for one in tar if one.isfile()}
        return {name: hashlib.sha256(file.read()).hexdigest() for name, file in files.items() if file}


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_killed_copy_into_an_archive_fetches_only_the_rest(tmp_path: Path, kind: str) -> None:
    images = Images(tmp_path / "made", seed=7)
    made = images.image([images.noise(64 * MIB, seed=7)], tag="1")
    size = sum(made.sizes().values())
    ferry = Ferry(tmp_path / "home")
    with DockerRegistry(tmp_path / "registry") as registry, Relay(registry.port, hold_down=48 * MIB) as relay:
        images.push(f"127.0.0.1:{registry.port}", "team/app", made, "1")
        source = f"docker://{relay.host}/team/app:1"

        def words(file: str) -> tuple[str, ...]:
            name = "example.test/app:1" if kind == "docker-archive" else "1"
            return ("copy", source, f"{kind}:{tmp_path}/{file}:{name}", "--plain-http", "-c", "1", "--json")

        process = ferry.begin(*words("a.tar"))
        assert relay.held.wait(100)
        safe = wait_for_journal(tmp_path / "home/depot/partial")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "a.tar").exists()
        relay.release()
        relay.count()
        done = ferry(*words("a.tar"))
        assert done.code == 0, done.err
        assert relay.down < size - safe + 16 * MIB  # what was on its way when the first process died
        assert (tmp_path / "a.tar").stat().st_size > size
        relay.count()
        other = ferry(*words("b.tar"))
        assert other.code == 0, other.err
        assert relay.down < MIB, "only local bytes are written again"
        assert content(tmp_path / "b.tar") == content(tmp_path / "a.tar")

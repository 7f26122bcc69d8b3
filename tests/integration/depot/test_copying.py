"""`ferry copy` between real registries: equal bytes as skopeo sees them, resumed after kill -9 with bytes counted, and
what is said when it cannot be done.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ferryman.testing.docker_registry import PASSWORD, USER, DockerRegistry
from ferryman.testing.images import Images, Made
from ferryman.testing.tls import Authority
from tests.integration.depot.faulty import Faulty
from tests.integration.depot.relay import Relay

MIB = 1 << 20
FERRY = (sys.executable, "-c", "import sys; from ferryman.cli import main; sys.exit(main())")
needs_registry = pytest.mark.skipif(not DockerRegistry.program(), reason="docker-registry is not installed")
needs_skopeo = pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
pytestmark = [needs_registry, needs_skopeo]


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Ferry:
    """The command with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "FERRY_HOME": str(home), "HOME": str(home.parent), "NO_COLOR": "1"}

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*FERRY, *words], env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str) -> Said:
        process = self.begin(*words)
        out, err = process.communicate(timeout=100)
        return Said(process.returncode, out, err)


@dataclass
class Site:
    source: DockerRegistry
    target: DockerRegistry
    images: Images
    ferry: Ferry

    def push(self, repository: str, made: Made, tag: str = "1") -> str:
        self.images.push(f"127.0.0.1:{self.source.port}", repository, made, tag)
        return f"docker://127.0.0.1:{self.source.port}/{repository}:{tag}"

    def to(self, rest: str) -> str:
        return f"docker://127.0.0.1:{self.target.port}/{rest}"


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DockerRegistry, DockerRegistry]]:
    folder = tmp_path_factory.mktemp("registries")
    with DockerRegistry(folder / "a") as source, DockerRegistry(folder / "b") as target:
        yield source, target


@pytest.fixture
def site(registries: tuple[DockerRegistry, DockerRegistry], tmp_path: Path) -> Site:
    seed = int.from_bytes(hashlib.sha256(str(tmp_path).encode()).digest()[:4])
    return Site(*registries, Images(tmp_path / "made", seed), Ferry(tmp_path / "home"))


def raw(reference: str) -> bytes:
    return subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", reference], check=True, capture_output=True
    ).stdout


def wait_for_journal(folder: Path) -> int:
    """Wait until what has arrived is written down, and return how many bytes are safe."""
    deadline = time.monotonic() + 30
    safe = -1
    while True:
        assert time.monotonic() < deadline
        found = [safe_bytes(path) for path in folder.rglob("*.ferry")]
        if found and found[0] > 16 * MIB and found[0] == safe:
            return safe
        safe = found[0] if found else -1
        time.sleep(0.5)


def safe_bytes(journal: Path) -> int:
    """The bytes that the newest record of a journal calls safe."""
    records = re.findall(rb'"n":(\d+),.*?"safe":(\[.*?\]),"boot"', journal.read_bytes())
    newest = max(records, key=lambda one: int(one[0]), default=(b"0", b"[]"))
    return sum(end - start for start, end in json.loads(newest[1]))


@pytest.mark.parametrize("more", [("--no-store",), ()])
def test_a_family_arrives_once_and_equal(site: Site, tmp_path: Path, more: tuple[str, ...]) -> None:
    family = site.images.family(4, 3 * MIB, 256 * 1024)
    sources = [site.push(f"{tmp_path.name}/{made.tag}", made) for made in family]
    whole = len({size for made in family for size in made.sizes().items()})
    assert whole
    unique = {digest: size for made in family for digest, size in made.sizes().items()}
    with Relay(site.target.port) as relay:
        target = f"docker://{relay.host}/new/{tmp_path.name}/"
        dry = site.ferry("copy", *sources, target, "--plain-http", "--json", "--dry-run", *more)
        assert dry.json["plan"]["bytes"] == sum(unique.values())
        relay.count()
        said = site.ferry("copy", *sources, target, "--plain-http", "--json", *more)
        assert said.code == 0, said.err
        assert said.json["copied"] == 4
        assert sum(unique.values()) <= relay.up < sum(unique.values()) + 200_000
        for source, made in zip(sources, family, strict=True):
            assert raw(source) == made.raw == raw(site.to(f"new/{tmp_path.name}/{made.tag}:1"))
        relay.count()
        again = site.ferry("copy", *sources, target, "--plain-http", "--json", *more)
        assert again.json["unchanged"] == 4
        assert relay.up < 50_000
    check = ["skopeo", "copy", "-q", "--src-tls-verify=false", site.to(f"new/{tmp_path.name}/image-00:1")]
    subprocess.run([*check, f"oci:{tmp_path}/judged"], check=True)


def test_platforms_signatures_and_referrers_come_along(site: Site, tmp_path: Path) -> None:
    both = site.images.two_platforms()
    signature, attestation = site.images.signed(both), site.images.attested(both)
    name = f"signed/{tmp_path.name}"
    source = site.push(name, both)
    site.push(name, signature, signature.tag or "")
    site.images.push(f"127.0.0.1:{site.source.port}", name, attestation, attestation.digest)
    listing = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [attestation.descriptor],
    }
    data = json.dumps(listing).encode()
    fallback = Made(listing["mediaType"], "", data)  # type: ignore[arg-type]
    site.images.push(f"127.0.0.1:{site.source.port}", name, fallback, both.digest.replace(":", "-"))
    said = site.ferry("copy", source, site.to(name), "--plain-http", "--no-store", "--json")
    assert said.code == 0, said.err
    assert raw(site.to(f"{name}:1")) == both.raw
    assert raw(site.to(f"{name}:{signature.tag}")) == signature.raw
    assert raw(site.to(f"{name}@{attestation.digest}")) == attestation.raw
    tags = site.ferry("tags", site.to(name), "--plain-http").out.split()
    assert both.digest.replace(":", "-") in tags
    shown = site.ferry("inspect", site.to(f"{name}:1"), "--plain-http", "--json").json
    assert shown["digest"] == both.digest
    assert {one["digest"] for one in shown["referrers"]} == {signature.digest, attestation.digest}
    bare = site.ferry("copy", source, site.to(f"bare/{name}"), "--plain-http", "--no-store", "--no-referrers")
    assert bare.code == 0, bare.err
    assert site.ferry("tags", site.to(f"bare/{name}"), "--plain-http").out.split() == ["1"]


def test_one_platform_keeps_the_index_in_the_depot_and_says_where_not(site: Site, tmp_path: Path) -> None:
    both = site.images.two_platforms()
    source = site.push(f"two/{tmp_path.name}", both)
    said = site.ferry("get", source, "--plain-http", "--platform", "linux/amd64", "--json")
    assert said.code == 0, said.err
    assert said.json["images"][0]["digest"] == both.digest
    assert said.json["images"][0]["left_out"] == 1
    kept = f"depot:127.0.0.1:{site.source.port}/two/{tmp_path.name}:1"
    assert site.ferry("inspect", kept, "--raw").out.encode() == both.raw
    flat = site.ferry(
        "copy", source, site.to("flat/x"), "--plain-http", "--no-store", "--platform", "linux/arm64"
    )
    assert flat.code == 0, flat.err
    assert "takes no index without all its platforms" in flat.err
    assert raw(site.to("flat/x:1")) == both.children[1].raw
    whole = site.ferry("get", source, "--plain-http", "--json")
    assert whole.code == 0, whole.err
    assert whole.json["moved"] > 0


def test_folders_and_archives_as_ends(site: Site, tmp_path: Path) -> None:
    both = site.images.two_platforms()
    source = site.push(f"ends/{tmp_path.name}", both)
    assert site.ferry("get", source, "--plain-http", "-o", f"oci:{tmp_path}/layout").code == 0
    assert site.ferry("inspect", f"oci:{tmp_path}/layout", "--raw").out.encode() == both.raw
    said = site.ferry("copy", f"oci:{tmp_path}/layout", f"oci-archive:{tmp_path}/a.tar", "--quiet")
    assert (said.code, said.out) == (0, ""), said.err
    back = site.ferry(
        "copy", f"oci-archive:{tmp_path}/a.tar", site.to(f"back/{tmp_path.name}:2"), "--plain-http"
    )
    assert back.code == 0, back.err
    assert raw(site.to(f"back/{tmp_path.name}:2")) == both.raw


def test_a_download_killed_in_the_middle_goes_on(site: Site, tmp_path: Path) -> None:
    layer = site.images.noise(96 * MIB, seed=3)
    source = site.push(f"big/{tmp_path.name}", site.images.image([layer], tag="1"))
    with Relay(site.source.port, hold_down=64 * MIB) as relay:
        through = source.replace(f"127.0.0.1:{site.source.port}", relay.host)
        words = ("get", through, "--plain-http", "-c", "1")
        process = site.ferry.begin(*words)
        assert relay.held.wait(60)
        safe = wait_for_journal(tmp_path / "home/depot/partial")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        relay.release()
        relay.count()
        said = site.ferry(*words, "--json")
        assert said.code == 0, said.err
        assert safe > 16 * MIB
        assert said.json["resumed"] >= safe
        assert said.json["network"] <= layer.size - safe + MIB
        assert relay.down < layer.size - safe + 16 * MIB  # what was on its way when the first process died


def test_an_interrupt_says_how_to_go_on(site: Site, tmp_path: Path) -> None:
    layer = site.images.noise(48 * MIB, seed=5)
    source = site.push(f"int/{tmp_path.name}", site.images.image([layer], tag="1"))
    with Relay(site.source.port, hold_down=20 * MIB) as relay:
        through = source.replace(f"127.0.0.1:{site.source.port}", relay.host)
        process = site.ferry.begin("get", through, "--plain-http")
        assert relay.held.wait(60)
        process.send_signal(signal.SIGINT)
        relay.release()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in err


@pytest.mark.parametrize(
    ("size", "limit", "least", "more"),
    [
        pytest.param(4 * MIB, "2MB/s", 1.5, ("--no-store",), id="straight through"),
        pytest.param(40 * MIB, "12MB/s", 2.8, (), id="large, over several connections"),
    ],
)
def test_a_speed_limit_holds(
    site: Site, tmp_path: Path, size: int, limit: str, least: float, more: tuple[str, ...]
) -> None:
    layer = site.images.noise(size, seed=6)
    source = site.push(f"slow/{tmp_path.name}", site.images.image([layer], tag="1"))
    target = site.to(f"slow/{tmp_path.name}") if more else "depot:"
    said = site.ferry("copy", source, target, "--plain-http", *more, "--json", "--limit", limit)
    assert said.code == 0, said.err
    assert said.json["seconds"] > least


def test_credentials_come_from_the_environment(site: Site, tmp_path: Path) -> None:
    source = site.push(f"auth/{tmp_path.name}", site.images.image(tag="1"))
    with DockerRegistry(tmp_path / "locked", htpasswd=True) as locked:
        target = f"docker://127.0.0.1:{locked.port}/x/y:1"
        refused = site.ferry("copy", source, target, "--plain-http", "--no-store", "--json")
        assert refused.code == 4, refused.out
        site.ferry.environment["LOCKED"] = f"{USER}:{PASSWORD}"
        said = site.ferry("copy", source, target, "--plain-http", "--no-store", "--dst-creds", "env:LOCKED")
        assert said.code == 0, said.err
        assert PASSWORD not in said.out + said.err
        secret = tmp_path / "secret"
        secret.write_text(f"{USER}:{PASSWORD}\n")
        tags = site.ferry("tags", target.removesuffix(":1"), "--plain-http", "--creds", str(secret))
        assert tags.out.split() == ["1"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("copy", "docker://SOURCE/none/such:1", "docker://TARGET/x/y", "--plain-http", "--no-store"), 3, "none/such"),
        (("copy", "docker://SOURCE/Upper/case", "docker://TARGET/x/y"), 2, "lower case"),
        (("copy", "docker://SOURCE/a/b:1"), 2, "needs SOURCE"),
        (("copy", "http://x/y", "docker://TARGET/x/y"), 2, "kind of place"),
        (("copy", "docker://SOURCE/a/b:1", "docker://TARGET/x/y", "--platform", "linux"), 2, "platform"),
        (("copy", "docker://SOURCE/a/b:1", "docker://TARGET/x/y", "--limit", "fast"), 2, "fast"),
        (("copy", "docker://SOURCE/a/b:1", "docker://TARGET/x/y", "--priority", "1"), 2, "--detach"),
        (("copy", "docker://SOURCE/a/b:1", "docker://TARGET/x/y", "--no-store"), 5, "SOURCE"),
        (("tags", "docker://CLOSED/a/b", "--plain-http"), 5, "CLOSED"),
        (("inspect", "oci:/nonexistent/folder"), 3, "/nonexistent/folder"),
        (("copy", "docker://SOURCE/a/b:1", "docker://TARGET/x/y", "--detach"), 5, "No daemon"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_with_its_code(
    site: Site, words: tuple[str, ...], code: int, said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = f"127.0.0.1:{closed.getsockname()[1]}"
    names = {
        "SOURCE": f"127.0.0.1:{site.source.port}",
        "TARGET": f"127.0.0.1:{site.target.port}",
        "CLOSED": free,
    }

    def filled(text: str) -> str:
        if text == "needs SOURCE":
            return text
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    answer = site.ferry(*(filled(word) for word in words))
    assert answer.code == code, answer.err
    assert filled(said) in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("size", [3 * MIB, 40 * MIB])
def test_a_full_depot_is_said_and_nothing_is_half_there(site: Site, tmp_path: Path, size: int) -> None:
    source = site.push(f"full/{tmp_path.name}", site.images.image([site.images.noise(size)], tag="1"))
    site.ferry.environment["FERRY_DEPOT_QUOTA"] = "1MB"
    said = site.ferry("get", source, "--plain-http")
    assert said.code == 1, said.err
    assert "full" in said.err
    assert site.ferry("images", "ls", "--json").json == []
    site.ferry.environment["FERRY_DEPOT_QUOTA"] = "0"
    assert site.ferry("get", source, "--plain-http").code == 0


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_refusals_in_the_middle_are_overcome(site: Site, tmp_path: Path, status: int) -> None:
    family = site.images.family(3, 2 * MIB, 64 * 1024)
    sources = [site.push(f"faults/{tmp_path.name}/{made.tag}", made) for made in family]
    with Faulty(site.source.port, status) as source, Faulty(site.target.port, status) as target:
        through = [one.replace(f"127.0.0.1:{site.source.port}", source.host) for one in sources]
        place = f"docker://{target.host}/faults/{tmp_path.name}/"
        said = site.ferry("copy", *through, place, "--plain-http", "--no-store", "--json")
        for _ in range(12):  # who refuses without a challenge is believed, at once: the next run goes on
            if status != 401 or said.code == 0:
                break
            assert said.code in {1, 4}, said.out
            said = site.ferry("copy", *through, place, "--plain-http", "--no-store", "--json")
        assert said.code == 0, said.err
        assert source.refused >= 1
        assert target.refused >= 3
    for made in family:
        assert raw(site.to(f"faults/{tmp_path.name}/{made.tag}:1")) == made.raw


def test_plain_http_is_never_tried_by_itself(site: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with DockerRegistry(tmp_path / "tls", certificate=authority.issue("127.0.0.1")) as tls:
        name = f"docker://127.0.0.1:{tls.port}/a/b"
        unknown = site.ferry("tags", name)
        assert unknown.code == 4, unknown.err
        assert "certificate" in unknown.err
        plain = site.ferry("tags", name, "--plain-http")
        assert plain.code != 0
        known = site.ferry("tags", name, "--cacert", str(authority.ca))
        assert known.code == 3, known.err  # there is no such repository
    against = site.ferry("tags", f"docker://127.0.0.1:{site.source.port}/a/b")
    assert against.code == 5
    assert "plain" in against.err.lower() or "tls" in against.err.lower()

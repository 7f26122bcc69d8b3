"""Every place that images can be written to and read from again unchanged, with the servers that some of them need."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ferryman.oci.location import parse_location
from ferryman.oci.options import RegistryOptions
from ferryman.oci.ports import Source, Target
from ferryman.oci.transports import TransportOptions, open_source, open_target
from ferryman.testing.containerd import Containerd, containerd
from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images, Made

REPOSITORY = "example.test/team/tools"


@dataclass(frozen=True)
class Place:
    """A new, empty place: `write` and `read` open it, which may be done once each for archives."""

    kind: str
    location: str
    options: TransportOptions

    def write(self) -> Target:
        return open_target(parse_location(self.location), self.options)

    def read(self) -> Source:
        return open_source(parse_location(self.location), self.options)

    @property
    def grows(self) -> bool:
        """Whether what is there can be added to."""
        return "archive" not in self.kind


@dataclass(frozen=True)
class Store:
    """What is copied: a layout with `two` platforms, signed and attested, and `one` image."""

    folder: Path
    one: Made
    two: Made

    def source(self) -> Source:
        return open_source(parse_location(f"oci:{self.folder}"))


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("made") / "layout"
    images = Images(folder, seed=21)
    one = images.image([images.noise(1_500_000), images.layer({"etc/greeting": b"hello\n"})], tag="one")
    two = images.two_platforms("two")
    images.signed(two, "tag")
    images.attested(two, "referrer")
    return Store(folder, one, two)


@pytest.fixture(scope="package")
def ctrd() -> Iterator[Containerd]:
    try:
        with containerd() as server:
            yield server
    except (FileNotFoundError, PermissionError) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    try:
        with DockerRegistry(tmp_path_factory.mktemp("registry")) as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def numbers() -> "itertools.count[int]":
    return itertools.count()


@pytest.fixture(params=["oci", "oci-archive", "docker-archive", "containerd", "docker"])
def place(request: pytest.FixtureRequest, tmp_path: Path, numbers: "itertools.count[int]") -> Iterator[Place]:
    number = next(numbers)
    makers: dict[str, Callable[[], tuple[str, TransportOptions]]] = {
        "oci": lambda: (f"oci:{tmp_path}/place", TransportOptions()),
        "oci-archive": lambda: (f"oci-archive:{tmp_path}/place.tar", TransportOptions()),
        "docker-archive": lambda: (f"docker-archive:{tmp_path}/place.tar:{REPOSITORY}", TransportOptions()),
        "containerd": lambda: (
            f"containerd:n{number}/{REPOSITORY}",
            TransportOptions(containerd_address=request.getfixturevalue("ctrd").address),
        ),
        "docker": lambda: (
            f"docker://{request.getfixturevalue('registry').host}/n{number}/tools",
            TransportOptions(registry=RegistryOptions(plain_http=True)),
        ),
    }
    location, options = makers[request.param]()
    return Place(request.param, location, options)

"""How to reach places on this machine. Values only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ferryman.core.archives.model import ArchiveLimits
from ferryman.oci.options import RegistryOptions

DOCKER_SOCKET: Final = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """What `open_source` and `open_target` take. Times are seconds.

    `docker_host` is `unix:PATH` or `unix://PATH`, as in `DOCKER_HOST`; empty means Docker's own socket.
    `containerd_address` is the path of its socket; empty means that of `CONTAINERD_ADDRESS`, or the one `ctr` knows.
    `containerd_namespace` is for images that name none; empty means that of `CONTAINERD_NAMESPACE`, or `default`. `temporary` is where archives are laid down
    that cannot be read where they are: compressed ones, and what the Docker Engine exports. `replace` lets an archive take
    the place of a file that is there. `platform` (OS/ARCHITECTURE) is the image that places get which know no index.
    """

    registry: RegistryOptions = field(default_factory=RegistryOptions)
    docker_host: str = ""
    containerd_address: str = ""
    containerd_namespace: str = ""
    ctr: str = "ctr"
    temporary: Path | None = None
    replace: bool = False
    platform: str = ""
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    connect_timeout: float = 15.0
    answer_timeout: float = 600.0

"""Where images can be besides registries: folders, archives, the Docker Engine and containerd on this machine.

Words: a *layout* is a folder of blobs with a list of manifests (image-spec, "Image Layout"); an *archive* is a tar of
one, or what `docker save` writes. Each has a `Source` and a `Target` (`oci.ports`). Nothing is ever unpacked: archives
are read by an index of their members, and names inside them never become paths.
"""

import platform
from pathlib import Path

from ferryman.core.errors import Invalid
from ferryman.oci.client import RegistryClient
from ferryman.oci.location import Location, Transport
from ferryman.oci.ports import Source, Target
from ferryman.oci.transports.archive import open_docker_archive, open_oci_archive
from ferryman.oci.transports.containerd import containerd_source, containerd_target
from ferryman.oci.transports.docker import engine_source, engine_target
from ferryman.oci.transports.layout import LayoutTarget, open_layout
from ferryman.oci.transports.options import TransportOptions
from ferryman.oci.transports.packed import FileDelivery, PackedTarget
from ferryman.oci.transports.packing import Style

__all__ = ["TransportOptions", "open_source", "open_target"]


def open_source(location: Location, options: TransportOptions | None = None) -> Source:
    """Open a place to read images from; `location.wanted` is what to `resolve` in it.

    Raises `NotFound` (`place_missing`), `Corrupt` (`layout_damaged`, `archive_damaged`), `Invalid` for archives that
    are refused and for places that are not opened here (`transport_unsupported`), `Unavailable` when a daemon is not there.
    """
    options = options or TransportOptions()
    reference = location.reference
    match location.transport:
        case Transport.OCI:
            return open_layout(Path(location.place))
        case Transport.OCI_ARCHIVE:
            return open_oci_archive(Path(location.place), options)
        case Transport.DOCKER_ARCHIVE:
            return open_docker_archive(Path(location.place), reference, options)
        case Transport.DOCKER_DAEMON if reference:
            return engine_source(reference, options)
        case Transport.CONTAINERD if reference:
            return containerd_source(location.place, reference, options)
        case Transport.DOCKER if reference:
            return RegistryClient(reference.host, reference.repository, options.registry).source()
    raise _unsupported(location)


def open_target(location: Location, options: TransportOptions | None = None) -> Target:
    """Open a place to write images to.

    Archives and daemons take what was put when the target is closed; `abandon()`, which all of these but registries have,
    closes them without. Raises what `open_source` raises, and `Conflict` (`folder_in_use`, `archive_exists`).
    """
    options = options or TransportOptions()
    reference = location.reference
    match location.transport:
        case Transport.OCI:
            return LayoutTarget(Path(location.place))
        case Transport.OCI_ARCHIVE:
            return PackedTarget(FileDelivery(Path(location.place), replace=options.replace), Style())
        case Transport.DOCKER_ARCHIVE:
            style = Style(
                reference, saved=True, full_names=True, platform=options.platform or _this_machine()
            )
            return PackedTarget(FileDelivery(Path(location.place), replace=options.replace), style)
        case Transport.DOCKER_DAEMON if reference:
            return engine_target(reference, options)
        case Transport.CONTAINERD if reference:
            return containerd_target(location.place, reference, options)
        case Transport.DOCKER if reference:
            return RegistryClient(reference.host, reference.repository, options.registry).target()
    raise _unsupported(location)


def _this_machine() -> str:
    return f"linux/{platform.machine()}"


def _unsupported(location: Location) -> Invalid:
    return Invalid(
        "transport_unsupported",
        f"'{location}' is not opened this way.",
        advice="Use docker://, oci:, oci-archive:, docker-archive:, docker-daemon: or containerd:.",
    )

"""Where images can be besides registries: folders, archives, the Docker Engine and containerd on this machine.

Words: a *layout* is a folder of blobs with a list of manifests (image-spec, "Image Layout"); an *archive* is a tar of
one, or what `docker save` writes. Each has a `Source` and, where it can be written, a `Target` (`oci.ports`). Nothing is
ever unpacked: archives are read by an index of their members, and names inside them never become paths.
"""

from pathlib import Path

from ferryman.core.errors import Invalid
from ferryman.oci.location import Location, Transport
from ferryman.oci.ports import Source, Target
from ferryman.oci.transports.layout import LayoutTarget, open_layout
from ferryman.oci.transports.options import TransportOptions

__all__ = ["TransportOptions", "open_source", "open_target"]


def open_source(location: Location, options: TransportOptions | None = None) -> Source:
    """Open a place to read images from; `location.wanted` is what to `resolve` in it.

    Raises `NotFound` (`place_missing`), `Corrupt` (`layout_damaged`, `archive_damaged`), `Invalid` for archives that
    are refused and for places that are not opened here (`transport_unsupported`), `Unavailable` when a daemon is not there.
    """
    del options
    if location.transport is Transport.OCI:
        return open_layout(Path(location.place))
    raise _unsupported(location)


def open_target(location: Location, options: TransportOptions | None = None) -> Target:
    """Open a place to write images to.

    Archives and daemons take what was put when the target is closed, and forget it when it has `abandon` called instead.
    Raises what `open_source` raises, and `Conflict` (`folder_in_use`, `archive_exists`).
    """
    del options
    if location.transport is Transport.OCI:
        return LayoutTarget(Path(location.place))
    raise _unsupported(location)


def _unsupported(location: Location) -> Invalid:
    return Invalid(
        "transport_unsupported",
        f"'{location}' is not opened this way.",
        advice="Use docker://, oci:, oci-archive:, docker-archive:, docker-daemon: or containerd:.",
    )

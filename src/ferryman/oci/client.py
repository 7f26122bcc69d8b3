"""A registry over the distribution protocol 1.1: what is read from it, and what is written to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ferryman.core.digests import Digest
from ferryman.oci.manifest import Descriptor
from ferryman.oci.options import RegistryOptions
from ferryman.oci.ports import Source, Target


@dataclass(frozen=True, slots=True)
class BlobRequest:
    """How another engine fetches a blob: its address, and headers that are for the host of that address only."""

    url: str
    headers: tuple[tuple[str, str], ...]


class RegistryClient:
    """One repository of a registry (an empty name: the registry as such). Blocking and thread-safe.

    Connections, tokens and what was learned about the registry's pace are shared by all clients that were made with the
    same `Registries`; without one, the client has its own and closes it.
    """

    def __init__(self, host: str, repository: str, options: RegistryOptions | None = None) -> None:
        """Connect with the first request only. Raises `Invalid` for names that are none."""
        self.host, self.repository, self.options = host, repository, options or RegistryOptions()

    def source(self) -> Source:
        """The repository to read from, through mirrors when there are some."""
        raise NotImplementedError

    def target(self) -> Target:
        """The repository to write to: always the registry itself."""
        raise NotImplementedError

    def ping(self) -> None:
        """Ask `/v2/`: raises `Denied`, `Unavailable`, or `NotFound` (`registry_unknown`) when nobody speaks the protocol."""
        raise NotImplementedError

    def catalog(self) -> Iterator[str]:
        """Yield the repositories of the registry. Many registries refuse that (`Denied`, `NotFound`)."""
        raise NotImplementedError

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository in the registry's order."""
        raise NotImplementedError

    def delete_manifest(self, reference: str | Digest) -> None:
        """Delete a tag, or a manifest with all its tags. Raises `NotFound`, `Invalid` (`delete_unsupported`)."""
        raise NotImplementedError

    def blob_request(self, blob: Descriptor) -> BlobRequest:
        """Return where a blob is fetched and with which headers, valid for about a minute."""
        raise NotImplementedError

    def close(self) -> None:
        """Close connections. Repeatable."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

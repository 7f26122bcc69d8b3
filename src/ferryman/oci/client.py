"""A registry over the distribution protocol 1.1: what is read from it, and what is written to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ferryman.core.digests import Digest
from ferryman.core.errors import NotFound
from ferryman.oci.capitals import lowered
from ferryman.oci.manifest import Descriptor
from ferryman.oci.mirrors import Endpoint
from ferryman.oci.options import RegistryOptions
from ferryman.oci.pulling import RegistrySource
from ferryman.oci.pushing import RegistryTarget
from ferryman.oci.reference import check_host, check_repository, check_tag
from ferryman.oci.repository import Repository
from ferryman.oci.session import Ask, Registries


@dataclass(frozen=True, slots=True)
class BlobRequest:
    """How another engine fetches a blob: its address, and headers that are for the host of that address only."""

    url: str
    headers: tuple[tuple[str, str], ...]


class RegistryClient:
    """One repository of a registry (an empty name: the registry as such). Blocking and thread-safe.

    Connections, tokens and what was learned about a registry's pace are shared by all clients that were made with the
    same `Registries`; without one, the client has its own and closes it.
    """

    def __init__(
        self,
        host: str,
        repository: str,
        options: RegistryOptions | None = None,
        registries: Registries | None = None,
        *,
        spelled: str = "",
    ) -> None:
        """Connect with the first request only. `options` are those of `registries` when that is given.

        `spelled` is how the registry of a model spells `repository`, with capitals. Raises `Invalid` (`reference_invalid`) for names
        that are none.
        """
        self.host = check_host(host)
        self.repository = check_repository(repository) if repository else ""
        self._spelled = spelled if spelled and lowered(spelled) == repository else self.repository
        self._registries = registries or Registries(options or RegistryOptions())
        self._own = registries is None
        self.options = self._registries.options

    def source(self, *, retries: int | None = None) -> RegistrySource:
        """The repository to read from, through mirrors when there are some. Raises `Invalid` (`registry_blocked`).

        `retries` are those of a blob that breaks off, when not those of the options.
        """
        places = self.options.mirrors.reading(self.host, self.options.plain_http)
        return RegistrySource(tuple(self._place(endpoint) for endpoint in places), self.close, retries)

    def target(self) -> RegistryTarget:
        """The repository to write to: always the registry itself."""
        return RegistryTarget(self._origin(), self.close)

    def ping(self) -> None:
        """Ask `/v2/`. Raises `Denied`, `Unavailable`, or `NotFound` (`registry_unknown`) when nobody speaks the protocol."""
        place = self._origin()
        ask = Ask("GET", "", f"{self.host}/v2/", place.scopes, expected={404})
        with place.registry.ask(ask) as answer:
            if answer.status == 404:
                raise NotFound(
                    "registry_unknown",
                    f"{self.host} is no registry: /v2/ is not there.",
                    advice="Check host and port.",
                )

    def catalog(self) -> Iterator[str]:
        """Yield the repositories of the registry. Many registries refuse that (`Denied`, `NotFound`)."""
        return self._origin().catalog()

    def tags(self) -> Iterator[str]:
        """Yield the tags of the repository in the registry's order. Raises `NotFound` (`repository_unknown`)."""
        return self.source().tags()

    def delete_manifest(self, reference: str | Digest) -> None:
        """Delete a tag, or a manifest with all its tags. Raises `NotFound`, `Invalid` (`unsupported`)."""
        wanted = str(reference) if isinstance(reference, Digest) else check_tag(reference)
        self._origin().delete(wanted)

    def blob_request(self, blob: Descriptor) -> BlobRequest:
        """Return where a blob is fetched and with which headers, valid for about a minute.

        Asks the registry once, so that it says how it wants to be asked. Raises `NotFound` (`blob_unknown`).
        """
        place = self._place(self.options.mirrors.reading(self.host, self.options.plain_http)[-1])
        if not place.has_blob(blob.digest):
            raise NotFound(
                "blob_unknown",
                f"{place.what(blob.digest)} does not exist.",
                advice="Push the image there again.",
            )
        url = place.registry.url(f"{place.name}/blobs/{blob.digest}")
        headers = place.registry.headers(url, place.scopes)
        return BlobRequest(
            url, tuple((name, value) for name, value in headers.items() if name == "Authorization")
        )

    def close(self) -> None:
        """Close connections, unless they belong to others. Repeatable."""
        if self._own:
            self._registries.close()

    def _origin(self) -> Repository:
        return self._place(self.options.mirrors.origin(self.host, self.options.plain_http))

    def _place(self, endpoint: Endpoint) -> Repository:
        host = endpoint.host if endpoint.mirror else self.host
        login = self._registries.login(
            f"{host}/{endpoint.repository(self.repository)}", mirror=endpoint.mirror
        )
        return Repository(self._registries.at(endpoint, login), self._spelled)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

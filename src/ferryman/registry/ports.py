"""What the protocol needs from others: who may do what, and where content comes from that is not here yet."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from ferryman.accounts.model import Principal
from ferryman.core.digests import Digest
from ferryman.oci.manifest import Descriptor

Action = Literal["pull", "push", "delete", "catalog", "base"]
"""`base` is the bare `/v2/`: whoever may sign in at all. `catalog` and `base` have an empty repository."""

Headers = list[tuple[bytes, bytes]]
"""Header lines as ASGI has them: lower-case names, in the order they came."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go on.

    `who` is the name of the person or machine, for origins; `principal` the whole of it, for the audit log. Refused with `challenge` (the value of
    `WWW-Authenticate`) is answered 401; refused without it is answered 403. `headers` are added to a refusal. For
    `catalog`, `visible` says which repositories are listed, None all of them; it is called in a thread.
    """

    allowed: bool
    who: str = "anonymous"
    challenge: bytes | None = None
    message: str = ""
    visible: Callable[[str], bool] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    principal: Principal | None = None


Record = Callable[[Any, Principal | str, str, str, dict[str, Any]], None]
"""Writes an entry of the audit log in a transaction of the database: connection, actor, action, target, detail."""


class Access(Protocol):
    """Who may do what. Asked once for each request and each repository it touches."""

    def known(self, authorization: bytes | None, repository: str, action: Action, /) -> Decision | None:
        """Decide from memory only, in microseconds; None when that takes more: `decide` is called then.

        Called on the event loop, for every request. `authorization` is the value of that header. A token whose
        signature was checked a moment ago is known; so is the absence of one.
        """
        ...

    async def decide(
        self, headers: Headers, repository: str, action: Action, /, *, client: str = ""
    ) -> Decision:
        """Decide, with time for passwords and the database. `client` is the address of the caller.

        The challenge names realm, service and scope of what was asked for. Never raises for wrong credentials.
        """
        ...


class Arriving(Protocol):
    """A blob that comes from upstream while it is served. It lands in the depot too, checked."""

    size: int

    def chunks(self, first: int, length: int, /) -> AsyncIterator[bytes]:
        """Yield `length` bytes from `first` on, in order, as they arrive; may be called by many at once.

        The last bytes of each part come only when the digest of the whole blob is right: raises `Unavailable`, `Corrupt`
        and other errors before them when the blob stops arriving or turns out wrong.
        """
        ...


class Upstreams(Protocol):
    """Registries whose content is fetched when it is asked for and not here (pull-through)."""

    def place(self, repository: str, ns: str | None, /) -> str:
        """Under which name the depot keeps what a client calls `repository` (with `?ns=`). Pure and quick.

        Called for every pull. Without upstreams it returns `repository`. The name is what access is asked for.
        """
        ...

    def covers(self, repository: str, /) -> bool:
        """Whether an upstream may have this repository (a name `place` returned). Pure and quick."""
        ...

    async def manifest(self, repository: str, reference: str, /) -> bool:
        """Bring a manifest into the depot; return whether it is there now. Concurrent calls share one fetch.

        Called for a tag of a covered repository each time it is asked for (the implementation knows how long one is
        fresh, and answers False when neither upstream nor the depot has it, True when upstream does not answer or does
        not have it but the depot has), and for a digest only when the depot lacks it. Raises `Unavailable`, and
        `Corrupt` (`upstream_wrong`).
        """
        ...

    async def blob(self, repository: str, digest: Digest, /) -> Arriving | bool:
        """Bring a blob: True when the depot has it now, False when upstream lacks it, or the blob as it arrives.

        Concurrent calls share one fetch. Raises as `manifest`.
        """
        ...

    async def tags(self, repository: str, /) -> Sequence[str]:
        """Return the tags upstream has, in the order of their bytes. Raises `Unavailable` when it does not answer."""
        ...

    async def referrers(self, repository: str, digest: Digest, /) -> Sequence[Descriptor]:
        """Return what refers to a manifest upstream, in the order of the digests. Raises `Unavailable`."""
        ...


class NoUpstreams:
    """There are none: names stay as they are and nothing is fetched."""

    def place(self, repository: str, ns: str | None, /) -> str:  # noqa: ARG002 - the port has it
        """Return the name as it is."""
        return repository

    def covers(self, repository: str, /) -> bool:  # noqa: ARG002 - the port has it
        """Return False."""
        return False

    async def manifest(self, repository: str, reference: str, /) -> bool:  # noqa: ARG002 - the port has it
        """Return False."""
        return False

    async def blob(self, repository: str, digest: Digest, /) -> Arriving | bool:  # noqa: ARG002 - the port has it
        """Return False."""
        return False

    async def tags(self, repository: str, /) -> Sequence[str]:  # noqa: ARG002 - the port has it
        """Return none."""
        return ()

    async def referrers(self, repository: str, digest: Digest, /) -> Sequence[Descriptor]:  # noqa: ARG002 - the port has it
        """Return none."""
        return ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the registry permits whoever asks. Read anew for each change.

    `immutable` are patterns of `REPOSITORY:TAG` with `*` and `?`: such tags are set once. `delete` permits DELETE.
    `largest_upload` is in bytes, 0 for no limit. `upload_hours` is how long an untouched upload is kept. `sparse`
    takes manifests whose blobs or children are not all there; refused, they are `MANIFEST_BLOB_UNKNOWN`.
    """

    read_only: bool = False
    delete: bool = True
    immutable: tuple[str, ...] = ()
    largest_upload: int = 0
    upload_hours: float = 24.0
    sparse: bool = True


OPEN_RULES: Final = Rules()
"""Everything is permitted."""

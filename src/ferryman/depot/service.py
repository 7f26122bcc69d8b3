"""The depot: what callers use. Every method blocks and is thread-safe; several processes may use one folder at once.

All raise `Unavailable` when the database does not answer, and `Exhausted` (`disk_full`) when the disk has no room.
A repository, tag or digest that is not there is `NotFound` (`repository_unknown`, `manifest_unknown`, `blob_unknown`).
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.db import Database
from ferryman.depot.model import (
    Blob,
    Change,
    CheckTotals,
    Finding,
    GcReport,
    ManifestEntry,
    Origin,
    Pin,
    Ref,
    Removal,
    Usage,
    WriterState,
)
from ferryman.oci.manifest import Descriptor, Manifest
from ferryman.oci.ports import BlobStream, Source, Target

Repair = Callable[[Digest, Origin], bool]


class Hold:
    """Keeps content from the sweep while a job or an upload works; a context manager that releases at the end."""

    holder: str

    def keep(self, digests: Iterable[Digest]) -> set[Digest]:
        """Hold all of `digests`, there or not yet, in one transaction; return those whose content is there.

        What a held manifest names is kept as well. Raises `Conflict` (`hold_lost`) when another process took it over.
        """
        raise NotImplementedError

    def renew(self, lifetime_s: float | None = None) -> None:
        """Let it live for `lifetime_s` (as at the beginning) from now on. Raises `Conflict` (`hold_lost`)."""
        raise NotImplementedError

    def release(self) -> None:
        """End it. Idempotent; nothing happens when another process took it over."""
        raise NotImplementedError

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class BlobWriter:
    """Takes content in order; nothing of it is visible before `commit`. For one thread at a time; a context manager that
    aborts what was not committed. `id` names it for `Depot.resume`.
    """

    id: str
    offset: int

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append `data` and hash it. Raises `Exhausted` (`disk_full`, `depot_full`)."""
        raise NotImplementedError

    def state(self) -> WriterState:
        """Make what was written durable, and return what `Depot.resume` needs to go on after this process."""
        raise NotImplementedError

    def commit(self, digest: Digest | None = None) -> Blob:
        """Verify, make durable, make visible; `digest` (or `expected`) must be that of the content.

        Raises `Corrupt` (`blob_mismatch`), after which the content is gone, and `Exhausted` (`depot_full`).
        """
        raise NotImplementedError

    def suspend(self) -> WriterState:
        """`state`, then close the file: what was written stays for `Depot.resume`."""
        raise NotImplementedError

    def abort(self) -> None:
        """Throw away what was written. Idempotent."""
        raise NotImplementedError

    def __enter__(self) -> "BlobWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class Depot:
    """Content by digest and the names for it."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        clock: Clock,
        *,
        quota: Callable[[], int] = lambda: 0,
        rules: Callable[[], str] = lambda: "",
    ) -> None:
        """Keep content in `folder` (made when needed), records in `database` (migrated).

        `quota` (bytes, 0 is none) and `rules` (see `core.retention`) are asked each time.
        """
        raise NotImplementedError

    # Content

    def has(self, digest: Digest) -> bool:
        """Tell whether content is there."""
        raise NotImplementedError

    def size(self, digest: Digest) -> int:
        """Return the bytes of a blob. Raises `NotFound` (`blob_unknown`)."""
        raise NotImplementedError

    def blob(self, digest: Digest) -> Blob:
        """Return what is known of a blob. Raises `NotFound` (`blob_unknown`)."""
        raise NotImplementedError

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, Blob]:
        """Return those of many that are there, in one transaction."""
        raise NotImplementedError

    def path(self, digest: Digest) -> Path:
        """Return the file of a blob, for sending; never write to it. Raises `NotFound` (`blob_unknown`)."""
        raise NotImplementedError

    def open(self, digest: Digest, offset: int = 0) -> BlobStream:
        """Open a blob. Raises `NotFound` (`blob_unknown`), `Invalid` (`offset_invalid`)."""
        raise NotImplementedError

    def begin(self, holder: str, lifetime_s: float = 3600.0) -> Hold:
        """Begin a hold, or take over that of the same `holder` with all it holds; it survives `kill -9` for its lifetime.

        Names: `job:ID` for jobs, `upload:ID` for unfinished uploads (keeps the upload `ID` too).
        """
        raise NotImplementedError

    def writer(
        self,
        origin: Origin,
        expected: Digest | None = None,
        algorithm: str = "sha256",
        *,
        hold: Hold | None = None,
        size: int | None = None,
    ) -> BlobWriter:
        """Begin new content. `size`, when known, is checked against quota and disk at once.

        With `hold` the blob is held from the moment it is visible. Raises `Exhausted` (`depot_full`, `disk_full`).
        """
        raise NotImplementedError

    def resume(self, state: WriterState, *, hold: Hold | None = None) -> BlobWriter:
        """Go on with an upload: reads and hashes what is there up to `state.offset`, cuts off what is behind.

        Raises `NotFound` (`upload_unknown`), `Conflict` (`upload_busy`) while another writer has it.
        """
        raise NotImplementedError

    def fetching(
        self, digest: Digest, origin: Origin, *, hold: Hold | None = None, size: int | None = None
    ) -> BlobWriter:
        """Begin or go on with content of a known digest: `offset` says how much an earlier attempt left.

        When another writer has it at the same time, this one begins anew beside it.
        """
        raise NotImplementedError

    def adopt(
        self, path: Path, digest: Digest, origin: Origin, hold: Hold | None = None, *, verify: bool = False
    ) -> Blob:
        """Move a complete file in. `verify` hashes it first. Raises `Corrupt` (`blob_mismatch`); the file stays then."""
        raise NotImplementedError

    def partial(self, digest: Digest) -> Path:
        """Return where the transfer engine writes (`depot/partial/ALGORITHM/HEX`); a hold on `digest` keeps it."""
        raise NotImplementedError

    # References

    def put_manifest(
        self,
        repository: str,
        manifest: Manifest,
        tag: str | None,
        origin: Origin,
        hold: Hold | None = None,
        *,
        sparse: bool = False,
        linked: bool = False,
        immutable: bool = False,
    ) -> None:
        """Store a manifest and, with `tag`, name it, atomically. Blobs must be there and become linked to `repository`.

        `linked`: they must be linked already, as a registry demands of pushes. `sparse`: children of an index may be
        missing. `immutable`: a tag that names something else stays. A subject may always be missing.
        Raises `Invalid` (`manifest_blob_unknown`, with `details["missing"]`), `Conflict` (`tag_immutable`),
        `Exhausted` (`depot_full`).
        """
        raise NotImplementedError

    def manifest(self, repository: str | None, tag_or_digest: str | Digest) -> Manifest:
        """Return a manifest; without `repository` by digest, whoever has it. Raises `NotFound`, `Corrupt`."""
        raise NotImplementedError

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository has this manifest."""
        raise NotImplementedError

    def tagged(self, repository: str, tag: str) -> Digest | None:
        """Return what a tag names."""
        raise NotImplementedError

    def tag(self, repository: str, digest: Digest, tag: str, origin: Origin) -> None:
        """Name a manifest that is in `repository`. Raises `NotFound` (`manifest_unknown`)."""
        raise NotImplementedError

    def untag(self, repository: str, tag: str, origin: Origin) -> Digest:
        """Take a tag away; the manifest stays. Returns what it named. Raises `NotFound`, `Conflict` (`pinned`)."""
        raise NotImplementedError

    def delete_manifest(self, repository: str, digest: Digest, origin: Origin) -> Removal:
        """Take a manifest and all tags that name it out of a repository. Raises `NotFound`, `Conflict` (`pinned`)."""
        raise NotImplementedError

    def removal(self, repository: str, tag_or_digest: str) -> Removal:
        """Say what `remove` would take. Raises `NotFound`."""
        raise NotImplementedError

    def remove(self, repository: str, tag_or_digest: str, origin: Origin) -> Removal:
        """Take away a tag, and its manifest with children and signatures when nothing else in the repository names them.

        Content goes with the next sweep. Raises `NotFound`, `Conflict` (`pinned`).
        """
        raise NotImplementedError

    def repositories(self, after: str = "", limit: int = 100, prefix: str = "") -> list[str]:
        """Return repositories behind `after`, in the order of their bytes."""
        raise NotImplementedError

    def tags(self, repository: str, after: str = "", limit: int = 100) -> list[str]:
        """Return tags of a repository behind `after`, in the order of their bytes. Raises `NotFound`."""
        raise NotImplementedError

    def refs(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Ref]:
        """Return references whose repository begins with `prefix`, behind `after` (`REPOSITORY:TAG`)."""
        raise NotImplementedError

    def manifests(self, repository: str, after: str = "", limit: int = 100) -> list[ManifestEntry]:
        """Return the manifests of a repository behind the digest `after`, tagged or not."""
        raise NotImplementedError

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """Return the manifests of `repository` whose subject is `digest`, as descriptors of OCI 1.1 section Referrers."""
        raise NotImplementedError

    def history(self, repository: str, tag: str | None = None, limit: int = 100) -> list[Change]:
        """Return what tags named, the newest first."""
        raise NotImplementedError

    def link_blob(self, repository: str, digest: Digest) -> None:
        """Make a blob part of a repository (a mount). Idempotent. Raises `NotFound` (`blob_unknown`)."""
        raise NotImplementedError

    def unlink_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob out of a repository. Raises `NotFound` (`blob_unknown`), `Conflict` (`blob_needed`)."""
        raise NotImplementedError

    def has_blob_in(self, repository: str, digest: Digest) -> bool:
        """Tell whether a blob is linked to a repository and there."""
        raise NotImplementedError

    def blob_size_in(self, repository: str, digest: Digest) -> int | None:
        """Return the size of a blob that is linked to a repository, None when it is not."""
        raise NotImplementedError

    def repositories_of(self, digest: Digest, limit: int = 100) -> list[str]:
        """Return which repositories have a blob or manifest (for mounts without a source)."""
        raise NotImplementedError

    def generation(self) -> int:
        """Return a number that is another one after every change of a reference or link, by whatever process; very cheap."""
        raise NotImplementedError

    def source(self, repository: str) -> Source:
        """Return a repository as a source to copy from."""
        raise NotImplementedError

    def target(self, repository: str, origin: Origin, hold: Hold) -> Target:
        """Return a repository as a target to copy to; what it takes is held by `hold`."""
        raise NotImplementedError

    # Keeping

    def pin(self, target: str, by: str) -> Pin:
        """Let a reference (`REPOSITORY:TAG`) or a digest stay, with all it names. Idempotent. Raises `NotFound`, `Invalid`."""
        raise NotImplementedError

    def unpin(self, target: str) -> None:
        """Take a pin away. Raises `NotFound` (`pin_unknown`)."""
        raise NotImplementedError

    def pins(self) -> list[Pin]:
        """Return all pins by target."""
        raise NotImplementedError

    def used(self) -> int:
        """Return the bytes of all content; very cheap."""
        raise NotImplementedError

    def check_room(self, size: int) -> None:
        """Raise `Exhausted` (`depot_full`, `disk_full`) unless `size` more bytes fit now."""
        raise NotImplementedError

    def du(self, prefix: str = "") -> Usage:
        """Return what is used, and by which references below `prefix`."""
        raise NotImplementedError

    def gc(
        self,
        now: float | None = None,
        grace: float = 86_400.0,
        dry_run: bool = False,
        *,
        tell: Callable[[str, int, int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> GcReport:
        """Apply the rules, then remove what nothing needs and is older than `grace` seconds. May run beside everything else.

        `tell(phase, done, total)` hears how far it is; it ends early, consistent, when `stop()` is true.
        """
        raise NotImplementedError

    def fsck(
        self,
        deep: bool = True,
        repair: Repair | None = None,
        *,
        totals: CheckTotals | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Finding]:
        """Compare records, files and, with `deep`, every byte; yield what is wrong. Damaged content is set aside at once.

        `repair(digest, origin)` may bring content again (through `fetching` or `adopt`) and tell whether it did;
        what it brought is verified before it counts. `totals` is kept up to date while it runs.
        """
        raise NotImplementedError

"""Values of the depot: blobs, references, findings and what reports say. Pure; sizes are bytes, times UNIX seconds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ferryman.core.digests import Digest

Note = Callable[[Any, dict[str, Any]], None]
"""Writes down in the transaction of a removal (its connection) what it took: `tags`, `manifests`, `digest`."""

Expect = Callable[[str | None], bool]
"""Whether a change may be made while a reference names this digest (None: nothing); asked in the transaction."""

ALGORITHMS: Final = ("sha256", "sha512")
"""Digests that name content here."""
UPLOAD_HOLDER: Final = "upload:"
"""A hold `upload:ID` keeps the unfinished upload `ID` from the sweep, also while nobody has it open."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where content came from: an address (`docker://quay.io/a/b`, `push:USER`, `bundle:NAME`), when, and for which job."""

    source: str
    at: float
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """Content that is there. `origin` is that of its first arrival."""

    digest: Digest
    size: int
    created_at: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class Ref:
    """A tag of a repository, and the manifest it names now."""

    repository: str
    tag: str
    digest: Digest
    media_type: str
    updated_at: float

    def __str__(self) -> str:
        """Render `REPOSITORY:TAG`."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A manifest of a repository, with all tags that name it, its subject and its artifact type when it has them."""

    repository: str
    digest: Digest
    media_type: str
    size: int
    created_at: float
    tags: tuple[str, ...] = ()
    subject: Digest | None = None
    artifact_type: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a tag: to `digest`, or away (None). `there` is whether the content of that manifest still is."""

    repository: str
    tag: str
    digest: Digest | None
    at: float
    origin: Origin
    there: bool = False
    restores: bool = False
    """Whether it put something back."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A reference (`REPOSITORY:TAG`) or a digest that stays."""

    target: str
    at: float
    by: str


@dataclass(frozen=True, slots=True)
class RefUsage:
    """What one reference needs: `unique` is what only it needs, `shared` what others need as well."""

    ref: Ref
    blobs: int
    unique: int
    shared: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What the depot holds. `unreferenced` is what a sweep without grace would remove; `quota` 0 means none."""

    blobs: int
    size: int
    quota: int
    referenced: int
    unreferenced: int
    repositories: int
    refs: tuple[RefUsage, ...] = ()


@dataclass(frozen=True, slots=True)
class WriterState:
    """What it takes to go on with an upload in another process: its id, algorithm, and how much is certain to be there."""

    id: str
    algorithm: str
    offset: int
    origin: Origin


class Trouble(StrEnum):
    """What a check finds."""

    MISSING = "missing"
    """The content is gone."""
    DAMAGED = "damaged"
    """The content is not what its digest says; it was set aside."""
    STRAY = "stray"
    """A file that no record knows; the sweep removes it."""
    INCOMPLETE = "incomplete"
    """A manifest needs content that is not there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault found by a check. `repaired` is whether the content is there again, verified."""

    trouble: Trouble
    what: str
    """A digest, or the path of a stray file below the depot."""
    size: int
    origin: Origin | None
    detail: str
    repaired: bool = False
    set_aside: str | None = None
    """Path below the depot of what was set aside."""
    used_by: tuple[str, ...] = ()
    """Some of the references that need it."""


@dataclass(slots=True)
class CheckTotals:
    """How far a check is; changes while it runs."""

    blobs: int = 0
    size: int = 0
    done: int = 0
    done_size: int = 0
    last: str = ""
    """The last digest that was looked at."""


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a sweep removed, or with `dry_run` would remove."""

    dry_run: bool
    tags: tuple[str, ...] = ()
    """References removed by the rules, as `REPOSITORY:TAG`."""
    manifests: int = 0
    """Manifests removed from repositories by the rules."""
    blobs: int = 0
    size: int = 0
    strays: int = 0
    """Files without a record, unfinished uploads and partial files."""
    stray_size: int = 0
    kept_by_hold: int = 0
    """Blobs that nothing but a hold needs."""
    kept_for_undo: int = 0
    """Blobs of what was removed within the grace, so that it can be put back."""
    kept_for_undo_size: int = 0

    def to_dict(self) -> Mapping[str, object]:
        """Return plain values."""
        return {
            "dry_run": self.dry_run,
            "tags": list(self.tags),
            "manifests": self.manifests,
            "blobs": self.blobs,
            "size": self.size,
            "strays": self.strays,
            "stray_size": self.stray_size,
            "kept_by_hold": self.kept_by_hold,
            "kept_for_undo": self.kept_for_undo,
            "kept_for_undo_size": self.kept_for_undo_size,
        }


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes when something is deleted: tags, manifests (its children and signatures with it), and bytes nothing else needs."""

    tags: tuple[str, ...] = ()
    manifests: tuple[Digest, ...] = ()
    freed: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """What an undo put back: tags with what they name now, and manifests that had left the repository."""

    repository: str
    digest: Digest
    """The manifest that was asked for."""
    tags: tuple[str, ...] = ()
    manifests: tuple[Digest, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything had to be put back: what is as it was stays as it is."""
        return bool(self.tags or self.manifests)

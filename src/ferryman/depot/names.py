"""Names for content: repositories, manifests, tags and what follows from them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Invalid
from ferryman.core.ids import new_id
from ferryman.depot import content, files, listing, reading, references, removing, restoring, sweeping
from ferryman.depot.holds import Hold
from ferryman.depot.model import Blob, Change, Expect, ManifestEntry, Note, Origin, Ref, Removal, Restored
from ferryman.depot.store import Content
from ferryman.depot.writer import take
from ferryman.oci.manifest import Descriptor, Manifest, parse_manifest
from ferryman.oci.reference import LONGEST_REPOSITORY, check_tag, parse_digest, parse_local

MOST: Final = 10_000
"""Entries of a page at most."""


class Names(Content):
    """Content, and names for it."""

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
        incomplete: bool = False,
        expect: Expect | None = None,
    ) -> None:
        """Store a manifest and, with `tag`, name it, atomically. Blobs must be there and become linked to `repository`.

        `linked`: they must be linked already, as a registry demands of pushes. `sparse`: children of an index may be
        missing. `incomplete`: blobs may be missing as well. `immutable`: a tag that names something else stays.
        `expect` judges what the tag named before, or without a tag whether the manifest was there. A subject may always
        be missing.
        Raises `Invalid` (`manifest_blob_unknown`, with `details["missing"]`), `Conflict` (`tag_immutable`,
        `precondition_failed`), `Exhausted` (`depot_full`).
        """
        check_names(repository, tag)
        arriving = references.Arriving(
            repository,
            manifest,
            Blob(manifest.digest, len(manifest.raw), self.clock.now(), origin),
            tag,
            hold.holder if hold else None,
            self.quota(),
            sparse=sparse,
            linked=linked,
            immutable=immutable,
            incomplete=incomplete,
            expect=expect,
        )
        while not self._placed(arriving):
            pass

    def _placed(self, arriving: references.Arriving) -> bool:
        """Store a manifest; False when its content was swept just now, and has to be written after all."""
        if not self._is_there(arriving.manifest.digest):
            with self._written(arriving.manifest.raw) as path, self._lock.shared():
                # What is wrong with it is found before it has a name.
                self._read(lambda c: references.needed(c, arriving))
                with files.translated(path):
                    self._files.settle(path, arriving.manifest.digest)
                self._name(arriving)
            return True
        with self._lock.shared():
            if not self._is_there(arriving.manifest.digest):
                return False
            self._name(arriving)
        return True

    def _name(self, arriving: references.Arriving) -> None:
        names = [f"{arriving.repository}@{arriving.manifest.digest}"]
        if arriving.tag is not None:
            names.append(f"{arriving.repository}:{arriving.tag}")
        with self._generation.changing(*names):
            self.database.write_now(lambda c: references.put_manifest(c, arriving))

    def _is_there(self, digest: Digest) -> bool:
        return self.has(digest) and self._files.blob(digest).exists()

    @contextmanager
    def _written(self, raw: bytes) -> Iterator[Path]:
        """Write content to a file, durably; it is locked, so that no sweep takes it, and goes at the end."""
        path = self._files.uploads / new_id()
        with files.translated(path, len(raw)):
            handle = take(path, make=True)
        assert handle is not None, "nobody else knows the name"
        try:
            with files.translated(path, len(raw)):
                done = 0
                while done < len(raw):
                    done += os.write(handle, raw[done:])
                os.fsync(handle)
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)

    def manifest(self, repository: str | None, tag_or_digest: str | Digest) -> Manifest:
        """Return a manifest; without `repository` by digest, whoever has it. Raises `NotFound`, `Corrupt`."""
        digest, text = _as_digest(tag_or_digest), str(tag_or_digest)
        if digest is not None:
            row = self._read(lambda c: reading.entry(c, repository, str(digest)))
        else:
            row = self._read(lambda c: reading.tag(c, repository, text)) if repository else None
        if row is None:
            raise references.unknown_manifest(repository, text)
        found = Digest.parse(row.digest)
        try:
            raw = self._files.blob(found).read_bytes()
        except FileNotFoundError as error:
            raise Corrupt(
                "blob_lost",
                f"The content of {found} is gone from the depot.",
                advice="Run 'ferry depot fsck --repair', which fetches it again.",
            ) from error
        return parse_manifest(raw, row.media_type, found)

    def has_manifest(self, repository: str, digest: Digest) -> bool:
        """Tell whether a repository has this manifest."""
        return self._read(lambda c: reading.entry(c, repository, str(digest))) is not None

    def tagged(self, repository: str, tag: str) -> Digest | None:
        """Return what a tag names."""
        ref = self.ref(repository, tag)
        return ref.digest if ref else None

    def ref(self, repository: str, tag: str) -> Ref | None:
        """Return a reference by its name."""
        row = self._read(lambda c: reading.tag(c, repository, tag))
        return reading.ref_of(row) if row else None

    def tag(
        self, repository: str, digest: Digest, tag: str, origin: Origin, *, immutable: bool = False
    ) -> None:
        """Name a manifest that is in `repository`. Raises `NotFound` (`manifest_unknown`), `Conflict` (`tag_immutable`)."""
        check_names(repository, tag)
        now = self.clock.now()
        self._change(
            lambda c: references.tag(c, repository, digest, tag, origin, now, immutable=immutable),
            f"{repository}:{tag}",
        )

    def tag_all(self, tags: Sequence[tuple[str, Digest, str]], origin: Origin) -> None:
        """Set many tags (repository, manifest, tag) in one transaction: all or none. Raises `NotFound`, `Invalid`."""
        for repository, _, tag in tags:
            check_names(repository, tag)
        now = self.clock.now()

        def work(connection: Any) -> None:
            for repository, digest, tag in tags:
                references.tag(connection, repository, digest, tag, origin, now, immutable=False)

        self._change(work, *(f"{repository}:{tag}" for repository, _, tag in tags))

    def untag(
        self,
        repository: str,
        tag: str,
        origin: Origin,
        note: Note | None = None,
        *,
        expect: Expect | None = None,
    ) -> Digest:
        """Take a tag away; the manifest stays. Returns what it named.

        Raises `NotFound`, `Conflict` (`pinned`, `precondition_failed`).
        """
        now = self.clock.now()

        def work(connection: Any) -> Digest:
            named = removing.untag(connection, repository, tag, origin, now, expect)
            if note is not None:
                note(connection, {"digest": str(named)})
            return named

        return self._change(work, f"{repository}:{tag}")

    def delete_manifest(
        self, repository: str, digest: Digest, origin: Origin, note: Note | None = None
    ) -> Removal:
        """Take a manifest and all tags that name it out of a repository. Raises `NotFound`, `Conflict` (`pinned`)."""
        return self._removed(repository, str(digest), origin, note, alone_only=True)

    def removal(self, repository: str, tag_or_digest: str) -> Removal:
        """Say what `remove` would take. Raises `NotFound`, `Conflict` (`pinned`)."""
        wanted = _wanted(tag_or_digest)
        return self._read(lambda c: sweeping.removal(c, repository, wanted))

    def remove(
        self, repository: str, tag_or_digest: str, origin: Origin, note: Note | None = None
    ) -> Removal:
        """Take away a tag, and its manifest with children and signatures when nothing else in the repository names them.

        Content goes with the next sweep. Raises `NotFound`, `Conflict` (`pinned`).
        """
        return self._removed(repository, _wanted(tag_or_digest), origin, note, alone_only=False)

    def _removed(
        self, repository: str, wanted: str, origin: Origin, note: Note | None, *, alone_only: bool
    ) -> Removal:
        now = self.clock.now()

        def work(connection: Any) -> Removal:
            gone = sweeping.remove(connection, repository, wanted, origin, now, alone_only=alone_only)
            if note is not None:
                note(connection, {"tags": list(gone.tags), "manifests": [str(one) for one in gone.manifests]})
            return gone

        return self._change(work, repository)

    def restore(
        self,
        repository: str,
        tag_or_digest: str,
        origin: Origin,
        *,
        to: Digest | None = None,
        dry_run: bool = False,
    ) -> Restored:
        """Undo: a tag names again what it named before its last change (or `to`); a manifest is in the repository again.

        What left with a manifest comes back with it: its children, signatures and other referrers. Idempotent: an undo is
        not undone. Safe beside sweeps: it happens whole or, when one was faster, not at all. Raises `NotFound`
        (`history_unknown`, `restore_gone` with `details["missing"]`), `Conflict` (`restore_nothing`), `Invalid`.
        """
        check_names(repository, None)
        now, wanted, target = self.clock.now(), _wanted(tag_or_digest), str(to) if to else None

        def work(connection: Any) -> Restored:
            return restoring.restore(connection, repository, wanted, target, origin, now, dry_run=dry_run)

        return self._read(work) if dry_run else self._change(work)

    def repositories(self, after: str = "", limit: int = 100, prefix: str = "") -> list[str]:
        """Return repositories behind `after`, in the order of their bytes."""
        return self._read(lambda c: reading.repositories(c, after, _page(limit), prefix))

    def tags(self, repository: str, after: str = "", limit: int = 100) -> list[str]:
        """Return tags of a repository behind `after`, in the order of their bytes. Raises `NotFound`."""
        found = self._read(lambda c: reading.tags(c, repository, after, _page(limit)))
        if not found and not self._read(lambda c: reading.has_repository(c, repository)):
            raise references.unknown_repository(repository)
        return found

    def refs(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Ref]:
        """Return references whose repository begins with `prefix`, behind `after` (`REPOSITORY:TAG`)."""
        repository, _, tag = after.rpartition(":")
        return self._read(lambda c: reading.refs(c, prefix, (repository, tag), _page(limit)))

    def manifests(self, repository: str, after: str = "", limit: int = 100) -> list[ManifestEntry]:
        """Return the manifests of a repository behind the digest `after`, tagged or not."""
        return self._read(lambda c: reading.manifests(c, repository, after, _page(limit)))

    def referrers(
        self, repository: str, digest: Digest, artifact_type: str | None = None
    ) -> list[Descriptor]:
        """Return the manifests of `repository` whose subject is `digest`, as descriptors of OCI 1.1 section Referrers."""
        return self._read(lambda c: reading.referrers(c, repository, str(digest), artifact_type))

    def history(self, repository: str, tag: str | None = None, limit: int = 100) -> list[Change]:
        """Return what tags named, the newest first."""
        return self._read(lambda c: reading.history(c, repository, tag, _page(limit)))

    def link_blob(self, repository: str, digest: Digest) -> None:
        """Make a blob part of a repository (a mount, a finished upload). Idempotent. Raises `NotFound` (`blob_unknown`)."""
        check_names(repository, None)
        now = self.clock.now()
        self._change(lambda c: references.link(c, repository, str(digest), now), f"{repository}@{digest}")

    def unlink_blob(self, repository: str, digest: Digest, note: Note | None = None) -> None:
        """Take a blob out of a repository. Raises `NotFound` (`blob_unknown`), `Conflict` (`blob_needed`)."""

        def work(connection: Any) -> None:
            references.unlink(connection, repository, str(digest))
            if note is not None:
                note(connection, {})

        self._change(work, repository)

    def has_blob_in(self, repository: str, digest: Digest) -> bool:
        """Tell whether a blob is linked to a repository and there."""
        return self.blob_size_in(repository, digest) is not None

    def blob_size_in(self, repository: str, digest: Digest) -> int | None:
        """Return the size of a blob that is linked to a repository, None when it is not."""
        return self._read(lambda c: reading.linked_size(c, repository, str(digest)))

    def files_in(self, repository: str, digests: Sequence[Digest]) -> dict[Digest, tuple[Path, int]]:
        """Return file and size of those of some blobs that are linked to a repository; never write to a file."""
        texts = {str(digest): digest for digest in digests}
        found = self._read(lambda c: reading.linked_sizes(c, repository, list(texts)))
        return {texts[text]: (self._files.blob(texts[text]), size) for text, size in found.items()}

    def repositories_of(self, digest: Digest, limit: int = 100) -> list[str]:
        """Return which repositories have a blob or manifest (for mounts without a source)."""
        return self._read(lambda c: content.repositories_of(c, str(digest), _page(limit)))

    def media_type_of(self, digest: Digest) -> str | None:
        """Return the media type of a manifest, also of one whose content is lost; None for other blobs."""
        return self._read(lambda c: reading.media_type_of(c, str(digest)))

    def lost_size(self, digest: Digest) -> int | None:
        """Return how many bytes a blob had that a check found lost; None when it is not lost."""
        return self._read(lambda c: content.lost_size(c, str(digest)))

    def origins(self, digest: Digest) -> list[Origin]:
        """Return every place a blob came from, also when it was there already, the newest first."""
        return self._read(lambda c: content.origins(c, str(digest)))

    def remember(self, origins: Iterable[tuple[Digest, Origin]]) -> None:
        """Add to the places that contents came from. Idempotent."""
        rows = [(str(digest), origin) for digest, origin in origins]
        self.database.write_now(lambda c: content.remember(c, rows))

    def tags_that_named(self, digest: Digest, limit: int = 20) -> list[str]:
        """Return tags, of whatever repository, that name or named a manifest; the newest first."""
        return self._read(lambda c: reading.tags_that_named(c, str(digest), _page(limit)))

    def users(self, digest: Digest, limit: int = 100) -> list[str]:
        """Return references that need a blob; manifests (`REPOSITORY@DIGEST`) when no reference does."""
        return self._read(lambda c: reading.users(c, str(digest), _page(limit)))

    def find_blobs(
        self, text: str = "", sort: str = "digest", cursor: str = "", limit: int = 50
    ) -> tuple[list[Blob], str | None]:
        """Return a page of blobs whose digest or origin has `text`, and the cursor of the next one. Raises `Invalid`.

        `sort` is `digest`, `size` or `created`, with `-` in front for the other way round.
        """
        return self._read(lambda c: listing.find(c, text, sort, cursor, _page(limit)))

    def generation(self) -> int:
        """Return a number that is another one after every change of a reference or link, by whatever process; very cheap."""
        return self._generation.now()

    def watch(self, repository: str, reference: str | None = None) -> Callable[[], int]:
        """Return what gives a number that is another one when a tag or digest names something else, or is gone; very cheap.

        Without `reference`: after everything that left the repository, and not after what came.
        """
        if reference is None:
            return self._generation.of(repository, repository)
        return self._generation.of(repository, f"{repository}{'@' if ':' in reference else ':'}{reference}")


def check_names(repository: str, tag: str | None) -> None:
    """Raise `Invalid` (`reference_invalid`) unless these name a repository of the depot and a tag."""
    found = parse_local(repository)
    if found.repository != repository or len(repository) > LONGEST_REPOSITORY:
        raise Invalid(
            "reference_invalid",
            f"'{repository[:200]}' cannot name a repository of the depot.",
            advice="Write NAME/NAME in lower case, perhaps with a host in front, at most 255 characters.",
        )
    if tag is not None:
        check_tag(tag)


def _as_digest(text: str | Digest) -> Digest | None:
    """Return the digest, None for what is a tag. Raises `Invalid` (`digest_invalid`)."""
    if isinstance(text, Digest):
        return text
    return parse_digest(text) if ":" in text else None


def _wanted(tag_or_digest: str) -> str:
    digest = _as_digest(tag_or_digest)
    return str(digest) if digest else tag_or_digest


def _page(limit: int) -> int:
    return max(0, min(limit, MOST))

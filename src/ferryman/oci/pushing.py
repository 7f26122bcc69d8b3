"""Writing to a repository: the port `Target` on a registry. Always the registry itself, never a mirror."""

import json
import threading
from collections.abc import Callable
from typing import Any, Final

from ferryman.core.digests import Digest, new_hasher
from ferryman.core.errors import Conflict, Corrupt, Denied, Invalid, NotFound
from ferryman.oci import media
from ferryman.oci.auth import pull_scope, push_scope
from ferryman.oci.manifest import Descriptor, Manifest, parse_manifest
from ferryman.oci.ports import BlobStream, ResumeUpload
from ferryman.oci.pulling import fallback_tag
from ferryman.oci.reference import check_repository, check_tag, parse_digest
from ferryman.oci.repository import Repository
from ferryman.oci.session import Ask
from ferryman.oci.uploads import Upload

_NO_MOUNT: Final = (Denied, NotFound, Invalid, Conflict)


class RegistryTarget:
    """The port `Target`. Thread-safe."""

    def __init__(self, place: Repository, close: Callable[[], None]) -> None:
        """Write to the repository at its registry. `place` is the target's own: it asks with the right to push."""
        self._place, self._close = place, close
        self._scopes = place.scopes = (push_scope(place.name),)
        self._lock = threading.Lock()
        self._referring = threading.Lock()
        self._absent: set[Digest] = set()
        self._begun: dict[Digest, str] = {}

    def has_manifest(self, digest: Digest) -> bool:
        """Whether the manifest is there."""
        return self._place.tagged(str(digest)) is not None

    def tagged(self, tag: str) -> Digest | None:
        """Return what a tag points to; None when there is no such tag."""
        return self._place.tagged(check_tag(tag))

    def has_blob(self, blob: Descriptor) -> bool:
        """Whether the blob is in this repository."""
        there = self._place.has_blob(blob.digest)
        if not there:
            with self._lock:
                self._absent.add(blob.digest)
        return there

    def mount(self, blob: Descriptor, repository: str) -> bool:
        """Take a blob over from another repository of the registry; False also when that is not allowed."""
        source = check_repository(repository)
        path = f"{self._place.name}/blobs/uploads/?mount={blob.digest}&from={source}"
        ask = Ask(
            "POST", path, self._place.what(blob.digest), (*self._scopes, pull_scope(source)), timed=False
        )
        try:
            with self._place.registry.ask(ask) as answer:
                if answer.status == 201:
                    return True
                location = answer.headers.get("location")
                if answer.status == 202 and location:
                    with self._lock:
                        self._absent.add(blob.digest)
                        self._begun[blob.digest] = self._place.registry.named(location, answer.url)
        except _NO_MOUNT:
            return False
        return False

    def put_blob(
        self,
        blob: Descriptor,
        source: Callable[[int], BlobStream],
        tell: Callable[[int], None],
        resume: ResumeUpload | None,
    ) -> None:
        """Upload a blob, going on with what `resume` knows. The registry checks its digest; a wrong one is `Corrupt`."""
        with self._lock:
            absent, begun = blob.digest in self._absent, self._begun.pop(blob.digest, None)
            self._absent.discard(blob.digest)
        resuming = resume or ResumeUpload()
        if not absent and self._place.has_blob(blob.digest):
            if resuming.state:
                resuming.save(None)
            return
        Upload(self._place, self._scopes, blob, source, tell, resuming, begun).run()

    def put_manifest(self, manifest: Manifest, tag: str | None) -> None:
        """Store a manifest; lists it as a referrer where the registry does not do that itself."""
        wanted = check_tag(tag) if tag is not None else str(manifest.digest)
        ask = self._place.ask("PUT", f"manifests/{wanted}", self._place.what(wanted))
        ask.scopes, ask.content = self._scopes, manifest.raw
        ask.headers, ask.timed = {"Content-Type": manifest.media_type}, False
        with self._place.registry.ask(ask) as answer:
            stored = answer.headers.get("docker-content-digest")
            lists = "oci-subject" in answer.headers
        if stored and not _same(stored, manifest):
            raise Corrupt(
                "digest_refused",
                f"{self._place.what(wanted)}: the registry stored {stored[:140]} instead of {manifest.digest}.",
                advice="The registry changed the manifest: push again, and tell who runs it.",
            )
        if manifest.subject and not lists and not _is_listing(manifest, tag):
            self._refer(manifest, manifest.subject.digest)

    def close(self) -> None:
        """Give connections back. Repeatable."""
        self._close()

    def _refer(self, manifest: Manifest, subject: Digest) -> None:
        """Add a manifest to the list under the subject's tag (distribution-spec, "Referrers Tag Schema")."""
        tag = fallback_tag(subject)
        with self._referring:
            try:
                known = self._place.manifest(tag, None)
            except NotFound:
                known = None
            if known and (not known.is_index or any(one.digest == manifest.digest for one in known.children)):
                return
            listing = parse_manifest(_with_entry(known, manifest), media.OCI_INDEX)
            self.put_manifest(listing, tag)


def _is_listing(manifest: Manifest, tag: str | None) -> bool:
    return manifest.is_index and (tag or "").startswith(("sha256-", "sha512-"))


def _with_entry(known: Manifest | None, manifest: Manifest) -> bytes:
    document: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}
    if known:
        document |= json.loads(known.raw)
    entry = manifest.descriptor.as_json()
    if manifest.artifact_type:
        entry["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        entry["annotations"] = dict(manifest.annotations)
    document["manifests"] = [*document["manifests"], entry]
    return json.dumps(document, separators=(",", ":")).encode()


def _same(stored: str, manifest: Manifest) -> bool:
    """Whether the digest a registry names is one of these bytes, with whichever algorithm."""
    try:
        digest = parse_digest(stored)
    except Invalid:
        return True  # an algorithm that we do not know says nothing
    hasher = new_hasher(digest.algorithm)
    hasher.update(manifest.raw)
    return digest.matches(hasher.hexdigest())

"""What is asked of one repository at one endpoint: manifests, tags, referrers. One question each, no memory."""

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid, Unavailable
from ferryman.oci import media
from ferryman.oci.auth import CATALOG_SCOPE, delete_scope, pull_scope
from ferryman.oci.failures import answer_error
from ferryman.oci.http import Response
from ferryman.oci.links import next_link
from ferryman.oci.manifest import MOST_MANIFEST, Manifest, parse_manifest, too_large
from ferryman.oci.reference import parse_digest
from ferryman.oci.session import Ask, Registry
from ferryman.transfer.http import host_key

ACCEPT: Final = {"Accept": ", ".join(media.ACCEPTED)}
_MOST_PAGE: Final = 8 * 1024 * 1024
_MOST_PAGES: Final = 10_000


class Repository:
    """A repository at an endpoint. Thread-safe."""

    def __init__(self, registry: Registry, name: str) -> None:
        """`name` is that at the registry itself; mirrors may have something before it."""
        self.registry = registry
        self.name = registry.endpoint.repository(name) if name else ""
        self.scopes = (pull_scope(self.name),) if name else ()
        self.shown = f"{registry.endpoint.host}/{self.name}"

    def manifest(self, wanted: str, digest: Digest | None) -> Manifest:
        """Fetch a manifest by tag or digest; with `digest` it must match. Raises `NotFound`, `Corrupt`, `Invalid`."""
        ask = self.ask("GET", f"manifests/{wanted}", self.what(wanted), headers=ACCEPT)
        try:
            answer, raw = self.registry.small(ask, MOST_MANIFEST)
        except Invalid as error:
            if error.code == "answer_too_large":
                raise too_large(None) from error
            raise
        promised = _promised(answer.headers.get("docker-content-digest"))
        try:
            return parse_manifest(raw, answer.headers.get("content-type", ""), digest or promised)
        except FerryError as error:
            raise _named(error, self.what(wanted)) from error

    def tagged(self, wanted: str) -> Digest | None:
        """Ask what a tag points to, or whether a digest is there, without fetching it. None: nothing."""
        ask = self.ask("HEAD", f"manifests/{wanted}", self.what(wanted), headers=ACCEPT, expected={404})
        with self.registry.ask(ask) as answer:
            if answer.status == 404:
                return None
            promised = _promised(answer.headers.get("docker-content-digest"))
        return promised or self.manifest(wanted, None).digest

    def has_blob(self, digest: Digest) -> bool:
        """Whether the blob is in the repository."""
        ask = self.ask("HEAD", f"blobs/{digest}", self.what(digest), expected={403, 404, 405})
        with self.registry.ask(ask) as answer:
            if answer.status in {403, 405} and host_key(answer.url) == host_key(self.registry.base):
                raise answer_error(answer.status, self.what(digest))
            # Storage that a registry leads to may take its signed address for GET only: then the blob is there.
            return answer.status != 404

    def blob(self, digest: Digest, offset: int) -> Response:
        """Open a blob at `offset`: 206, or 200 when the registry ignores ranges. Raises `NotFound` (`blob_unknown`)."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        ask = self.ask("GET", f"blobs/{digest}", self.what(digest), headers=headers, expected={404})
        answer = self.registry.ask(ask)
        if answer.status == 404:
            answer.close()
            raise answer_error(404, self.what(digest), b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        return answer

    def tags(self) -> Iterator[str]:
        """Yield the tags, page by page. Raises `NotFound` (`repository_unknown`)."""
        yield from self._pages(f"{self.name}/tags/list", "tags", f"the tags of {self.shown}", self.scopes)

    def catalog(self) -> Iterator[str]:
        """Yield the repositories of the registry."""
        host = self.registry.endpoint.host
        yield from self._pages("_catalog", "repositories", f"the catalogue of {host}", (CATALOG_SCOPE,))

    def referrers(self, digest: Digest) -> list[dict[str, Any]] | None:
        """Ask the referrers API; None when the registry has none (distribution-spec, "Listing Referrers")."""
        path, what = f"{self.name}/referrers/{digest}", f"the referrers of {self.what(digest)}"
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            headers = {"Accept": media.OCI_INDEX}
            ask = Ask("GET", path, what, self.scopes, headers, expected={400, 404, 405})
            answer, raw = self.registry.small(ask, _MOST_PAGE)
            kind = media.plain(answer.headers.get("content-type", ""))
            if answer.status >= 400 or kind != media.OCI_INDEX:
                return None
            listed = _document(raw, what).get("manifests")
            found += [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
            link = next_link(answer.headers.get("link"))
            if link is None:
                return found
            path = self.registry.named(link, answer.url)
        raise _endless(what)

    def delete(self, wanted: str) -> None:
        """Delete a tag or manifest. Raises `NotFound`, `Invalid` (`unsupported`)."""
        ask = self.ask("DELETE", f"manifests/{wanted}", self.what(wanted))
        ask.scopes = (delete_scope(self.name),)
        self.registry.ask(ask).close()

    def ask(self, method: str, path: str, what: str, **more: Any) -> Ask:
        """Make a question about something below the repository."""
        return Ask(method, f"{self.name}/{path}", what, self.scopes, **more)

    def what(self, wanted: str | Digest) -> str:
        """Name something of the repository for people."""
        text = str(wanted)
        return f"{self.shown}{'@' if ':' in text else ':'}{text}"

    def _pages(self, path: str, key: str, what: str, scopes: tuple[str, ...]) -> Iterator[str]:
        for _ in range(_MOST_PAGES):
            answer, raw = self.registry.small(Ask("GET", path, what, scopes), _MOST_PAGE)
            items = _document(raw, what).get(key) or []
            if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
                raise Unavailable("answer_invalid", f"{what}: the answer is no list.")
            yield from items
            link = next_link(answer.headers.get("link"))
            if link is None:
                return
            path = self.registry.named(link, answer.url)
        raise _endless(what)


def quoted(text: str) -> str:
    """Return a value for a query."""
    return quote(text, safe="")


def _promised(value: str | None) -> Digest | None:
    try:
        return parse_digest(value) if value else None
    except Invalid:
        return None


def _document(raw: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unavailable("answer_invalid", f"{what}: the answer is no JSON.") from error
    if not isinstance(document, dict):
        raise Unavailable("answer_invalid", f"{what}: the answer is no JSON object.")
    return document


def _named(error: FerryError, what: str) -> FerryError:
    """The same error, saying which manifest it is about."""
    message = error.message.replace("The manifest", f"The manifest {what}", 1).replace(
        "This image", f"The image {what}", 1
    )
    kind = Corrupt if isinstance(error, Corrupt) else Invalid
    return kind(error.code, message, advice=error.advice)


def _endless(what: str) -> Unavailable:
    return Unavailable("answer_invalid", f"{what}: the list has no end.")

"""Lists: tags, referrers, the catalogue (distribution-spec 1.1, "Content Discovery")."""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from ferryman.core.errors import NotFound
from ferryman.depot.service import Depot
from ferryman.oci import media
from ferryman.oci.manifest import MOST_MANIFEST, Descriptor
from ferryman.oci.reference import parse_digest
from ferryman.registry.answers import Answer, json_answer
from ferryman.registry.asked import Asked
from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers
from ferryman.registry.threads import Threads

MOST: Final = 10_000
"""Entries of one answer; more come by `Link`."""
CATALOG: Final = 1000
_INDEX: Final = b'{"schemaVersion":2,"mediaType":"%s","manifests":[' % media.OCI_INDEX.encode()


class Lists:
    """Answers for `/v2/NAME/tags/list`, `/v2/NAME/referrers/DIGEST` and `/v2/_catalog`."""

    def __init__(self, depot: Depot, threads: Threads) -> None:
        """List what `depot` has."""
        self._depot = depot
        self._threads = threads

    async def tags(self, asked: Asked) -> Answer:
        """Return tags in the order of their bytes. An unknown repository is 404."""
        limit, last = _limit(asked, MOST), asked.query.one("last") or ""
        found = await self._threads.call(self._depot.tags, asked.repository, last, limit + 1)
        names, link = _page(found, limit, asked, f"/v2/{asked.name}/tags/list")
        return json_answer(200, _json({"name": asked.name, "tags": names}), link)

    async def catalog(self, asked: Asked) -> Answer:
        """Return the repositories the caller may see, in the order of their bytes."""
        limit, last = _limit(asked, CATALOG), asked.query.one("last") or ""
        found = await self._threads.call(self._repositories, last, limit + 1, asked.visible)
        names, link = _page(found, limit, asked, "/v2/_catalog")
        return json_answer(200, _json({"repositories": names}), link)

    def _repositories(self, after: str, most: int, visible: Callable[[str], bool] | None) -> list[str]:
        found: list[str] = []
        while len(found) < most and (page := self._depot.repositories(after, most)):
            after = page[-1]
            found += [name for name in page if visible is None or visible(name)]
            if len(page) < most:
                break
        return found[:most]

    async def referrers(self, asked: Asked) -> Answer:
        """Return an index of what refers to a manifest; an empty one when nothing does."""
        digest, kind = parse_digest(asked.route.last), asked.query.one("artifactType")
        try:
            found = await self._threads.call(self._depot.referrers, asked.repository, digest, kind or None)
        except NotFound:
            found = []
        body, following = _index(found, asked.query.one("last"))
        headers: Headers = [(b"content-type", media.OCI_INDEX.encode())]
        if kind:
            headers.append((b"oci-filters-applied", b"artifactType"))
        if following:
            fields = {"artifactType": kind, "last": following} if kind else {"last": following}
            headers.append(_link(f"/v2/{asked.name}/referrers/{digest}", fields))
        return Answer(200, [*headers, (b"content-length", str(len(body)).encode())], body)


def _index(found: list[Descriptor], last: str | None, most: int = MOST_MANIFEST) -> tuple[bytes, str | None]:
    """Return the body with as many as fit into a manifest, and behind which digest the next page begins."""
    if last:
        known = next((at for at, one in enumerate(found) if str(one.digest) == last), -1)
        found = found[known + 1 :]
    parts: list[bytes] = []
    room, following = most - len(_INDEX) - 2, None
    for number, descriptor in enumerate(found):
        part = _json(descriptor.as_json())
        room -= len(part) + 1
        if room < 0 and parts:
            following = str(found[number - 1].digest)
            break
        parts.append(part)
    return _INDEX + b",".join(parts) + b"]}", following


def _limit(asked: Asked, most: int) -> int:
    text = asked.query.one("n")
    if text is None:
        return most
    if not (text.isascii() and text.isdigit()):
        raise Refusal(400, "UNSUPPORTED", f"n='{text[:40]}' is not a number of entries.")
    return min(int(text[:9]), most)


def _page(found: list[str], limit: int, asked: Asked, path: str) -> tuple[list[str], Headers]:
    names = found[:limit]
    if len(found) <= limit or not names:
        return names, []
    fields = {"n": asked.query.one("n") or str(limit), "last": names[-1]}
    return names, [_link(path, fields)]


def _link(path: str, fields: dict[str, str]) -> tuple[bytes, bytes]:
    return b"link", f'<{path}?{urlencode(fields)}>; rel="next"'.encode()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

"""Lists: tags, referrers, the catalogue (distribution-spec 1.1, "Content Discovery")."""

import json
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from ferryman.core.errors import NotFound, Unavailable
from ferryman.depot.service import Depot
from ferryman.oci import media
from ferryman.oci.manifest import MOST_MANIFEST, Descriptor
from ferryman.oci.reference import parse_digest
from ferryman.registry.answers import Answer, json_answer
from ferryman.registry.asked import Asked
from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers, Upstreams
from ferryman.registry.threads import Threads

T = TypeVar("T")
MOST: Final = 5_000
"""Entries of one answer; more come by `Link`. The depot gives one more than that, which tells whether there are more."""
CATALOG: Final = 1000
_INDEX: Final = b'{"schemaVersion":2,"mediaType":"%s","manifests":[' % media.OCI_INDEX.encode()


class Lists:
    """Answers for `/v2/NAME/tags/list`, `/v2/NAME/referrers/DIGEST` and `/v2/_catalog`."""

    def __init__(self, depot: Depot, upstreams: Upstreams, threads: Threads) -> None:
        """List what `depot` has, and what `upstreams` have of repositories that they cover."""
        self._depot, self._upstreams = depot, upstreams
        self._threads = threads

    async def tags(self, asked: Asked) -> Answer:
        """Return tags in the order of their bytes. An unknown repository is 404."""
        limit, last = _limit(asked, MOST), asked.query.one("last") or ""
        found = await self._tags(asked.repository, last, limit + 1)
        names, link = _page(found, limit, asked, f"/v2/{asked.name}/tags/list")
        return json_answer(200, _json({"name": asked.name, "tags": names}), link)

    async def _tags(self, repository: str, after: str, most: int) -> list[str]:
        """Return our tags and those of upstream. Without an answer of upstream ours count, if there are any."""
        if not self._upstreams.covers(repository):
            return await self._threads.call(self._depot.tags, repository, after, most)
        far, problem = await _asked(self._upstreams.tags(repository))
        try:
            ours = await self._threads.call(self._depot.tags, repository, after, most)
        except NotFound:
            if problem is not None:
                raise problem from None
            if not far:
                raise
            ours = []
        return merged(ours, far, after, most)

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
        last = asked.query.one("last")
        if self._upstreams.covers(asked.repository):
            far, _ = await _asked(self._upstreams.referrers(asked.repository, digest))
            found, last = joined(found, far, kind, last), None
        body, following = _index(found, last)
        headers: Headers = [(b"content-type", media.OCI_INDEX.encode())]
        if kind:
            headers.append((b"oci-filters-applied", b"artifactType"))
        if following:
            fields = {"artifactType": kind, "last": following} if kind else {"last": following}
            headers.append(_link(f"/v2/{asked.name}/referrers/{digest}", fields))
        return Answer(200, [*headers, (b"content-length", str(len(body)).encode())], body)


async def _asked(question: Awaitable[Sequence[T]]) -> tuple[Sequence[T], Unavailable | None]:
    """Return what upstream has, nothing and why when it does not answer."""
    try:
        return await question, None
    except Unavailable as error:
        return (), error


def merged(ours: list[str], far: Sequence[str], after: str, most: int) -> list[str]:
    """Return the first `most` names behind `after`. Pure; `ours` are the first of ours, `far` is all there is, in order."""
    begin = bisect_right(far, after)
    return sorted({*ours, *far[begin : begin + most]})[:most]


def joined(
    ours: list[Descriptor], far: Sequence[Descriptor], kind: str | None, last: str | None
) -> list[Descriptor]:
    """Return our descriptors and those of upstream that are of `kind`, by digest, behind `last`. Pure.

    What both have is ours: of upstream it is only hearsay.
    """
    every = {str(one.digest): one for one in far if not kind or one.artifact_type == kind}
    every |= {str(one.digest): one for one in ours}
    return [every[text] for text in sorted(every) if text > (last or "")]


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

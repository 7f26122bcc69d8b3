"""Manifests: read by tag or digest, pushed, deleted (distribution-spec 1.1, "Pulling manifests", "Pushing manifests")."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Invalid, NotFound
from ferryman.depot.references import refuse_unexpected
from ferryman.depot.service import Depot
from ferryman.oci.manifest import MOST_MANIFEST, Manifest, parse_manifest
from ferryman.oci.reference import check_tag, parse_digest
from ferryman.registry.answers import Answer, empty_answer
from ferryman.registry.asked import Asked, read_body
from ferryman.registry.cache import Cache, Kept
from ferryman.registry.conditions import condition_of
from ferryman.registry.errors import Refusal
from ferryman.registry.located import Located
from ferryman.registry.ports import Rules, Upstreams
from ferryman.registry.ranges import tags_match
from ferryman.registry.threads import Threads

MOST_TAGS: Final = 100
"""Tags in one push by digest (the specification asks for at least 10)."""


class Manifests:
    """Answers for `/v2/NAME/manifests/REFERENCE`."""

    def __init__(
        self,
        depot: Depot,
        upstreams: Upstreams,
        rules: Callable[[], Rules],
        *,
        clock: Clock,
        threads: Threads,
        cache: Cache[Kept],
        located: Located,
    ) -> None:
        """Serve what `depot` has, read by `located`, and `upstreams` bring; `cache` is filled with what was read, by path."""
        self._depot = depot
        self._upstreams = upstreams
        self._rules = rules
        self._clock = clock
        self._threads = threads
        self._cache = cache
        self._located = located

    async def answer(self, asked: Asked) -> Answer:
        """Answer one request. Raises `Refusal` and errors of the depot."""
        if asked.method == "PUT":
            return await self._put(asked)
        if asked.method == "DELETE":
            return await self._delete(asked)
        return await self._get(asked)

    async def _get(self, asked: Asked) -> Answer:
        kept = self._cache.get(asked.scope["path"])
        if (
            kept is None or kept.repository != asked.repository
        ):  # `?ns=` asks the same path of another repository
            kept = await self._read(asked)
        condition = asked.header(b"if-none-match")
        if condition is not None and tags_match(condition, kept.etag):
            return Answer(304, [*kept.said, *asked.extra])
        return Answer(200, [*kept.lines, *asked.extra], kept.raw)

    async def _read(self, asked: Asked) -> Kept:
        reference = asked.route.last
        watched = self._depot.watch(asked.repository, reference)
        # What another name leads to depends on which names there are.
        seen = self._cache.seen(watched if asked.name == asked.repository else self._depot.generation)
        manifest = await self._find(asked.repository, _reference(reference))
        kept = Kept(asked.repository, manifest.raw, manifest.media_type, str(manifest.digest))
        if not asked.extra and (":" in reference or not self._upstreams.covers(asked.repository)):
            self._cache.put(asked.scope["path"], kept, seen)
        return kept

    async def _find(self, repository: str, reference: str) -> Manifest:
        covered = self._upstreams.covers(repository)
        if covered and ":" not in reference and not await self._upstreams.manifest(repository, reference):
            raise _unknown(repository, reference)
        try:
            return await self._located.manifest(repository, reference)
        except NotFound:
            if not covered or not await self._upstreams.manifest(repository, reference):
                raise
        return await self._located.manifest(repository, reference)

    async def _put(self, asked: Asked) -> Answer:
        digest, tags = _target(asked)
        condition_of(asked.scope["headers"])  # what cannot be read is refused before the body comes
        raw = await read_body(asked, MOST_MANIFEST)
        stored = await self._threads.call(self._store, asked, raw, digest, tags)
        headers = [
            (b"location", f"/v2/{asked.name}/manifests/{stored.digest}".encode()),
            (b"docker-content-digest", str(stored.digest).encode()),
        ]
        if stored.subject:
            headers.append((b"oci-subject", str(stored.subject.digest).encode()))
        if digest and tags:
            headers.append((b"oci-tag", ", ".join(tags).encode()))
        return empty_answer(201, headers)

    def _store(self, asked: Asked, raw: bytes, digest: Digest | None, tags: list[str]) -> Manifest:
        manifest = parse_manifest(raw, asked.header(b"content-type") or "", digest)
        rules, origin = self._rules(), asked.origin(self._clock.now())
        frozen = [tag for tag in tags if is_immutable(rules, asked.repository, tag)]
        for tag in frozen:
            now = self._depot.tagged(asked.repository, tag)
            if now is not None and now != manifest.digest:
                raise _frozen(asked.repository, tag)
        condition = condition_of(asked.scope["headers"])
        # A condition is about what the address names: the tag, or the manifest itself.
        first = tags[0] if tags and not (condition and digest) else None
        self._depot.put_manifest(
            asked.repository,
            manifest,
            first,
            origin,
            sparse=rules.sparse,
            incomplete=rules.sparse,
            linked=True,
            immutable=first in frozen,
            expect=condition.holds if condition else None,
        )
        for tag in tags[1:] if first else tags:
            self._depot.tag(asked.repository, manifest.digest, tag, origin, immutable=tag in frozen)
        return manifest

    async def _delete(self, asked: Asked) -> Answer:
        await self._threads.call(self._remove, asked)
        return empty_answer(202, [])

    def _remove(self, asked: Asked) -> None:
        repository, reference = asked.repository, _reference(asked.route.last)
        rules, origin = self._rules(), asked.origin(self._clock.now())
        condition = condition_of(asked.scope["headers"])
        if ":" not in reference:
            if is_immutable(rules, repository, reference):
                raise _frozen(repository, reference)
            note = asked.note("depot.untag", f"{repository}:{reference}")
            expect = condition.holds if condition else None
            self._depot.untag(repository, reference, origin, note, expect=expect)
            return
        digest = parse_digest(reference)
        if rules.immutable:
            self._keep_frozen(rules, repository, digest)
        if condition and self._depot.has_manifest(repository, digest):
            refuse_unexpected(condition.holds, f"{repository}@{digest}", str(digest))
        note = asked.note("depot.delete", f"{repository}@{digest}")
        self._depot.delete_manifest(repository, digest, origin, note)

    def _keep_frozen(self, rules: Rules, repository: str, digest: Digest) -> None:
        after = ""
        while tags := self._depot.tags(repository, after, 1000):
            after = tags[-1]
            for tag in tags:
                if is_immutable(rules, repository, tag) and self._depot.tagged(repository, tag) == digest:
                    raise _frozen(repository, tag)


def is_immutable(rules: Rules, repository: str, tag: str) -> bool:
    """Tell whether a tag may be set only once. Pure."""
    return any(fnmatchcase(f"{repository}:{tag}", pattern) for pattern in rules.immutable)


def _target(asked: Asked) -> tuple[Digest | None, list[str]]:
    """Return the digest that the body must have, and the tags to set."""
    last = asked.route.last
    if ":" not in last:
        return None, [_tag(last)]
    tags = list(dict.fromkeys(asked.query.all("tag")))
    if len(tags) > MOST_TAGS:
        raise Refusal(
            414, "UNSUPPORTED", f"{len(tags)} tags are too many for one push; {MOST_TAGS} are taken."
        )
    return parse_digest(last), [_tag(tag) for tag in tags]


def _tag(text: str) -> str:
    try:
        return check_tag(text)
    except Invalid as error:
        raise Refusal(400, "MANIFEST_INVALID", error.message, detail={"advice": error.advice}) from error


def _reference(text: str) -> str:
    """Return a tag or digest; what is neither cannot be there."""
    if ":" in text:
        return str(parse_digest(text))
    try:
        return check_tag(text)
    except Invalid as error:
        raise Refusal(404, "MANIFEST_UNKNOWN", error.message) from error


def _unknown(repository: str, reference: str) -> NotFound:
    return NotFound("manifest_unknown", f"{repository} has no manifest '{reference[:160]}'.")


def _frozen(repository: str, tag: str) -> Conflict:
    return Conflict(
        "tag_immutable",
        f"The tag {repository}:{tag} may not be changed.",
        advice="Push another tag; which ones are immutable is among the settings of the registry.",
    )

"""The API of the depot: `/api/v1/depot`: what is used, its blobs, pins, names to take away, clean-ups and checks."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Principal
from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.depot.model import Blob, Change, Origin, Pin, Removal, Restored, Usage
from ferryman.depot.service import Depot
from ferryman.images.upkeep import FsckSpec, GcSpec, Upkeep
from ferryman.oci.reference import parse_digest, parse_local
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view
from ferryman.web.shapes import PRINTABLE, Cursor, IdempotencyKey, Limit, Listed, Moment, Strict, Text, moment

Reader = Annotated[Principal, allow("depot:read")]
Writer = Annotated[Principal, allow("depot:write")]
Deleter = Annotated[Principal, allow("depot:delete")]
DigestPath = Annotated[
    str, Path(max_length=135, pattern=r"^sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})$", description="Its digest.")
]
Target = Annotated[str, Field(min_length=1, max_length=390, pattern=PRINTABLE)]
Sort = Literal["digest", "size", "-size", "created", "-created"]


class OriginShown(BaseModel):
    """Where content came from."""

    source: str
    at: Moment
    job: str | None = Field(description="Id of the job that brought it.")


class BlobShown(BaseModel):
    """Content of the depot."""

    digest: str
    size: int
    created_at: Moment
    origin: OriginShown


class BlobDetail(BlobShown):
    """Content, and who needs it."""

    media_type: str | None = Field(description="Of a manifest; null for other content.")
    repositories: list[str] = Field(description="Repositories that have it, at most 100.")
    used_by: list[str] = Field(description="References that need it, at most 100.")
    pinned: bool
    origins: list[OriginShown] = Field(
        description="Every place it came from, the newest first: a check that finds it damaged asks them in turn."
    )


class RefUsageShown(BaseModel):
    """What one reference needs."""

    name: str
    digest: str
    blobs: int
    unique: int = Field(description="Bytes that only it needs.")
    shared: int = Field(description="Bytes that others need as well.")


class UsageShown(BaseModel):
    """What the depot holds; sizes are bytes, a quota of 0 is none."""

    blobs: int
    size: int
    quota: int
    referenced: int
    unreferenced: int
    repositories: int
    references: list[RefUsageShown]


class PinShown(BaseModel):
    """A reference or digest that stays."""

    target: str
    by: str
    at: Moment


class NewPin(Strict):
    """What to pin."""

    target: Target = Field(description="`REPOSITORY:TAG`, or a digest.")


class ChangeShown(BaseModel):
    """What a tag named at some time; null when it was taken away."""

    tag: str
    digest: str | None
    at: Moment
    source: str = Field(description="Where it came from, or who did it: `user:NAME`, `push:NAME`, `rules`.")
    there: bool = Field(
        description="Whether that manifest is still in the depot, so that it can be put back."
    )
    restores: bool = Field(description="Whether this put back what was there before.")


class NewRemoval(Strict):
    """What to take away."""

    target: Target = Field(description="`REPOSITORY:TAG` or `REPOSITORY@DIGEST`.")
    dry_run: bool = Field(False, strict=True, description="Only tell what would go.")


class RemovalShown(BaseModel):
    """What goes, or went, with a name."""

    dry_run: bool
    tags: list[str]
    manifests: list[str]
    freed: int = Field(description="Bytes that nothing else needs; the next clean-up frees them.")


class NewRestoration(Strict):
    """What to put back."""

    target: Target = Field(
        description="`REPOSITORY:TAG` that was removed or moved, or `REPOSITORY@DIGEST` that was removed."
    )
    digest: Annotated[str, Field(max_length=135, pattern=PRINTABLE)] | None = Field(
        None, description="What the tag is to name again; otherwise what it named before its last change."
    )
    dry_run: bool = Field(False, strict=True, description="Only tell what would come back.")


class RestorationShown(BaseModel):
    """What comes, or came, back."""

    dry_run: bool
    digest: str = Field(description="What the name is for.")
    changed: bool = Field(description="False when it was as asked for already.")
    tags: list[str]
    manifests: list[str]


def router(depot: Depot, upkeep: Upkeep, clock: Clock) -> APIRouter:
    """Return the routes of the depot, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/depot", tags=["depot"])
    _add_reading(routes, depot)
    _add_keeping(routes, depot, clock, Audit(depot.database, clock))
    _add_upkeep(routes, upkeep)
    return routes


def _add_reading(routes: APIRouter, depot: Depot) -> None:
    @routes.get("")
    async def usage(
        _caller: Reader,
        repository: Annotated[
            Text, Query(description="Only references whose repository begins with this.")
        ] = "",
    ) -> UsageShown:
        """Tell what is used, and by which references."""
        return usage_view(await asyncio.to_thread(depot.du, repository))

    @routes.get("/blobs")
    async def blobs(
        _caller: Reader,
        q: Annotated[Text, Query(description="Part of a digest or of where it came from.")] = "",
        sort: Annotated[Sort, Query(description="Order.")] = "digest",
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Listed[BlobShown]:
        """List the content."""
        found, following = await asyncio.to_thread(depot.find_blobs, q, sort, cursor or "", limit)
        return Listed(items=[blob_view(one) for one in found], next_cursor=following)

    @routes.get("/blobs/{digest}")
    async def blob(_caller: Reader, digest: DigestPath) -> BlobDetail:
        """Show one blob: where it came from, and who needs it."""
        return await asyncio.to_thread(_detail, depot, parse_digest(digest))

    @routes.get("/history")
    async def history(
        _caller: Reader,
        repository: Annotated[
            str, Query(min_length=1, max_length=255, pattern=PRINTABLE, description="Its name.")
        ],
        tag: Annotated[
            str | None, Query(max_length=128, pattern=PRINTABLE, description="Only this tag.")
        ] = None,
        limit: Limit = 50,
    ) -> Listed[ChangeShown]:
        """List what the tags of a repository named, the newest first."""
        found = await asyncio.to_thread(depot.history, repository, tag, limit)
        return Listed(items=[_change(one) for one in found], next_cursor=None)


def _add_keeping(routes: APIRouter, depot: Depot, clock: Clock, audit: Audit) -> None:
    @routes.post("/removals")
    async def remove(request: Request, caller: Deleter, body: NewRemoval) -> RemovalShown:
        """Take a name away, with the manifests and signatures that nothing else names."""
        reference = parse_local(body.target)
        repository, wanted = reference.repository, reference.wanted
        if body.dry_run:
            gone = await asyncio.to_thread(depot.removal, repository, wanted)
        else:
            origin = Origin(f"user:{caller.name}", clock.now())
            client = request.client.host if request.client else ""

            def note(connection: Any, detail: dict[str, Any]) -> None:
                audit.within(connection, caller, "depot.remove", body.target, {**detail, "client": client})

            gone = await asyncio.to_thread(depot.remove, repository, wanted, origin, note)
        return removal_view(repository, gone, dry_run=body.dry_run)

    @routes.post("/restorations")
    async def restore(caller: Writer, body: NewRestoration) -> RestorationShown:
        """Undo the removal or the move of a name, as long as no clean-up took what it named."""
        reference = parse_local(body.target)
        back = await asyncio.to_thread(
            depot.restore,
            reference.repository,
            reference.wanted,
            Origin(f"user:{caller.name}", clock.now()),
            to=parse_digest(body.digest) if body.digest else None,
            dry_run=body.dry_run,
        )
        return restoration_view(back, dry_run=body.dry_run)

    @routes.get("/pins")
    async def pins(_caller: Reader) -> Listed[PinShown]:
        """List what is pinned."""
        return Listed(items=[pin_view(one) for one in await asyncio.to_thread(depot.pins)], next_cursor=None)

    @routes.post("/pins", status_code=201)
    async def pin(caller: Writer, body: NewPin) -> PinShown:
        """Let a reference or a digest stay, with all it names."""
        return pin_view(await asyncio.to_thread(depot.pin, body.target, caller.name))

    @routes.delete("/pins", status_code=204)
    async def unpin(
        _caller: Writer,
        target: Annotated[
            str, Query(min_length=1, max_length=390, pattern=PRINTABLE, description="What was pinned.")
        ],
    ) -> None:
        """Take a pin away."""
        await asyncio.to_thread(depot.unpin, target)


def _add_upkeep(routes: APIRouter, upkeep: Upkeep) -> None:
    @routes.post("/gc", status_code=202)
    async def gc(caller: Deleter, order: GcSpec, idempotency_key: IdempotencyKey = None) -> JobView:
        """Clean up: apply the rules for tags, and remove what nothing refers to."""
        return job_view(await upkeep.gc(order, caller, idempotency_key))

    @routes.post("/fsck", status_code=202)
    async def fsck(caller: Writer, order: FsckSpec, idempotency_key: IdempotencyKey = None) -> JobView:
        """Check: read everything, set damaged content aside, fetch it again."""
        return job_view(await upkeep.fsck(order, caller, idempotency_key))


def _detail(depot: Depot, digest: Digest) -> BlobDetail:
    found = blob_view(depot.blob(digest))
    return BlobDetail(
        **dict(found),
        media_type=depot.media_type_of(digest),
        repositories=depot.repositories_of(digest),
        used_by=depot.users(digest),
        pinned=any(pin.target == str(digest) for pin in depot.pins()),
        origins=[_origin(one) for one in depot.origins(digest)],
    )


def blob_view(blob: Blob) -> BlobShown:
    """Return a blob as the API shows it."""
    return BlobShown(
        digest=str(blob.digest), size=blob.size, created_at=_at(blob.created_at), origin=_origin(blob.origin)
    )


def _origin(origin: Origin) -> OriginShown:
    return OriginShown(source=origin.source, at=_at(origin.at), job=origin.job)


def usage_view(usage: Usage) -> UsageShown:
    """Return usage as the API shows it."""
    return UsageShown(
        blobs=usage.blobs,
        size=usage.size,
        quota=usage.quota,
        referenced=usage.referenced,
        unreferenced=usage.unreferenced,
        repositories=usage.repositories,
        references=[
            RefUsageShown(
                name=str(one.ref),
                digest=str(one.ref.digest),
                blobs=one.blobs,
                unique=one.unique,
                shared=one.shared,
            )
            for one in usage.refs
        ],
    )


def pin_view(pin: Pin) -> PinShown:
    """Return a pin as the API shows it."""
    return PinShown(target=pin.target, by=pin.by, at=_at(pin.at))


def removal_view(repository: str, gone: Removal, *, dry_run: bool) -> RemovalShown:
    """Return what goes as the API shows it."""
    return RemovalShown(
        dry_run=dry_run,
        tags=[f"{repository}:{tag}" for tag in gone.tags],
        manifests=[str(digest) for digest in gone.manifests],
        freed=gone.freed,
    )


def restoration_view(back: Restored, *, dry_run: bool) -> RestorationShown:
    """Return what comes back as the API shows it."""
    return RestorationShown(
        dry_run=dry_run,
        digest=str(back.digest),
        changed=back.changed,
        tags=[f"{back.repository}:{tag}" for tag in back.tags],
        manifests=[str(digest) for digest in back.manifests],
    )


def _change(change: Change) -> ChangeShown:
    return ChangeShown(
        tag=change.tag,
        digest=str(change.digest) if change.digest else None,
        at=_at(change.at),
        source=change.origin.source,
        there=change.there,
        restores=change.restores,
    )


def _at(seconds: float) -> Moment:
    found = moment(seconds)
    assert found is not None
    return found

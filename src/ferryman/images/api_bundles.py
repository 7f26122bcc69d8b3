"""The API of bundles: `/api/v1/bundles`: write and load them as jobs, see what lies there; and the keys that are trusted."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError
from ferryman.depot.bundles.folder import NAME, BundleFolder, Stored
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.volume import Volume, open_all
from ferryman.images.bundle_handler import Bundles, BundleSpec
from ferryman.web.auth import allow
from ferryman.web.job import JobView, job_view
from ferryman.web.shapes import Cursor, IdempotencyKey, Limit, Listed, Moment, Strict, moment

Reader = Annotated[Principal, allow("depot:read")]
Writer = Annotated[Principal, allow("depot:write")]
Deleter = Annotated[Principal, allow("depot:delete")]
Ruler = Annotated[Principal, allow("settings:write")]
BundleName = Annotated[
    str, Path(max_length=150, pattern=NAME, description="Its name; that of a split one without `.001`.")
]
KeyName = Annotated[
    str,
    Path(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of the other site."),
]


class BundleFileShown(BaseModel):
    """A file; `GET /bundle-files/NAME` sends it."""

    name: str
    size: int
    modified_at: Moment


class BundleShown(BaseModel):
    """What lies in the folder of bundles under one name."""

    name: str
    kind: str = Field(description="What it looks like: `bundle`, `inventory` or `other`.")
    size: int = Field(description="Bytes of all files.")
    modified_at: Moment
    files: list[BundleFileShown]


class VolumeShown(BaseModel):
    """A volume of a bundle, there or not."""

    number: int
    file: str | None = Field(description="The file that is it; null when it is not there.")
    fault: str | None = Field(description="What is seen to be wrong with it without reading all of it.")


class ReferenceShown(BaseModel):
    """An image that a bundle brings."""

    name: str
    digest: str
    media_type: str


class BundleContent(BaseModel):
    """What the signed list of a bundle says."""

    id: str
    key_id: str = Field(description="Fingerprint of the key it is signed with.")
    key: str = Field(description="That key, as `PUT /bundle-keys/NAME` takes it.")
    key_name: str | None = Field(description="What the key is called here; null when it is not trusted.")
    created_at: Moment
    size: int = Field(description="Bytes of all blobs in it.")
    blobs: int
    left_out: int = Field(description="Blobs that the receiver has according to its inventory.")
    references: list[ReferenceShown] = Field(description="At most 1000.")
    volumes: list[VolumeShown]


class BundleDetail(BundleShown):
    """A bundle with what is in it; `content` is null when its beginning cannot be read, and `fault` says why."""

    content: BundleContent | None
    fault: str | None
    advice: str | None


class TrustedKey(BaseModel):
    """The key of a site whose bundles and inventories are accepted."""

    name: str
    key_id: str
    key: str


class KeysShown(BaseModel):
    """The key of this site, and those of others."""

    key_id: str
    key: str = Field(description="What other sites have to trust.")
    trusted: list[TrustedKey]


class NewKey(Strict):
    """A key to trust."""

    key: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description="What `ferry bundle key` printed at the other site."
    )


def router(bundles: Bundles, folder: BundleFolder, keys: Keys, audit: Audit) -> APIRouter:
    """Return the routes of bundles and keys, to be mounted under `/api/v1`."""
    routes = APIRouter(tags=["bundles"])
    _add_bundles(routes, bundles, folder, keys, audit)
    _add_keys(routes, keys, audit)
    return routes


def _add_bundles(routes: APIRouter, bundles: Bundles, folder: BundleFolder, keys: Keys, audit: Audit) -> None:
    @routes.post("/bundles", status_code=202)
    async def carry(caller: Writer, order: BundleSpec, idempotency_key: IdempotencyKey = None) -> JobView:
        """Write a bundle into the folder `bundles` of the home, or load or check one that lies there."""
        return job_view(await bundles.add(order, caller, idempotency_key))

    @routes.get("/bundles")
    async def listed(_caller: Reader, cursor: Cursor = None, limit: Limit = 50) -> Listed[BundleShown]:
        """List what lies in the folder of bundles, by name."""
        found = [one for one in await asyncio.to_thread(folder.all) if one.name > (cursor or "")]
        page = found[:limit]
        following = page[-1].name if len(found) > limit else None
        return Listed(items=[BundleShown(**_shown(one)) for one in page], next_cursor=following)

    @routes.get("/bundles/{name}")
    async def shown(_caller: Reader, name: BundleName) -> BundleDetail:
        """Show what is in a bundle, who signed it, and which volumes are there. Its bytes are not checked."""
        return await asyncio.to_thread(detail_of, folder, keys, name)

    @routes.delete("/bundles/{name}", status_code=204)
    async def remove(caller: Deleter, name: BundleName) -> None:
        """Delete the files of a bundle; what was loaded from it stays."""
        gone = await asyncio.to_thread(folder.remove, name)
        await audit.record(caller, "bundle.delete", name, {"files": len(gone.files), "size": gone.size})


def _add_keys(routes: APIRouter, keys: Keys, audit: Audit) -> None:
    @routes.get("/bundle-keys")
    async def all_keys(_caller: Reader) -> KeysShown:
        """Show the key of this site, and those of others that are trusted."""
        return await asyncio.to_thread(_keys, keys)

    @routes.put("/bundle-keys/{name}")
    async def trust(caller: Ruler, name: KeyName, body: NewKey) -> TrustedKey:
        """Accept bundles and inventories that are signed with a key. Compare its id with the other site first."""
        made = await asyncio.to_thread(keys.trust, name, body.key)
        await audit.record(caller, "key.trust", name, {"key_id": made.id})
        return TrustedKey(name=name, key_id=made.id, key=str(made))

    @routes.delete("/bundle-keys/{name}", status_code=204)
    async def untrust(caller: Ruler, name: KeyName) -> None:
        """Accept no more what is signed with the key of that name."""
        await asyncio.to_thread(keys.untrust, name)
        await audit.record(caller, "key.untrust", name)


def _keys(keys: Keys) -> KeysShown:
    own = keys.own()
    others = [TrustedKey(name=one.name, key_id=one.id, key=str(one)) for one in keys.trusted()]
    return KeysShown(key_id=own.id, key=str(own), trusted=others)


def _shown(stored: Stored) -> dict[str, object]:
    return {
        "name": stored.name,
        "kind": stored.kind,
        "size": stored.size,
        "modified_at": moment(stored.modified_at),
        "files": [
            BundleFileShown(name=one.name, size=one.size, modified_at=moment(one.modified_at))
            for one in stored.files
        ],
    }


def detail_of(folder: BundleFolder, keys: Keys, name: str) -> BundleDetail:
    """Return what is in a bundle of the folder, as the API shows it. Blocks. Raises `NotFound` (`bundle_unknown`)."""
    stored = folder.find(name)
    try:
        volumes, broken = open_all([folder.path / one.name for one in stored.files], keys, trusted=False)
    except FerryError as error:
        return BundleDetail(**_shown(stored), content=None, fault=error.message, advice=error.advice)
    for one in volumes:
        one.close()
    fault = "; ".join(why for _, why in broken[:20]) or None
    advice = "Bring the damaged volumes again." if broken else None
    return BundleDetail(**_shown(stored), content=_content(volumes), fault=fault, advice=advice)


def _content(volumes: list[Volume]) -> BundleContent:
    bundle, key = volumes[0].bundle, volumes[0].key
    there = {one.number: one for one in volumes}
    tagged = ((one, tag) for one in bundle.named for tag in one.tags)
    return BundleContent(
        id=bundle.id,
        key_id=key.id,
        key=str(key),
        key_name=key.name or None,
        created_at=moment(bundle.created_at),
        size=bundle.size,
        blobs=len(bundle.parts),
        left_out=len(bundle.assumed),
        references=[
            ReferenceShown(name=f"{one.repository}:{tag}", digest=str(one.digest), media_type=one.media_type)
            for one, tag in tagged
        ][:1000],
        volumes=[
            VolumeShown(
                number=number,
                file=there[number].path.name if number in there else None,
                fault=(there[number].fault or None) if number in there else None,
            )
            for number in range(1, len(bundle.volumes) + 1)
        ],
    )

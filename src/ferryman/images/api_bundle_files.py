"""The API of the files of bundles: uploads that go on from an offset, downloads with ranges, and the inventory."""

import asyncio
import os
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import Principal
from ferryman.core.errors import NotFound
from ferryman.core.ids import new_id
from ferryman.depot.bundles.folder import NAME, BundleFolder
from ferryman.depot.bundles.inventory import write_inventory
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.uploads import Arrival, Upload, Uploads
from ferryman.depot.service import Depot
from ferryman.web.arriving import DESCRIBED, pieces
from ferryman.web.auth import allow
from ferryman.web.files import ANSWERS, SentFile
from ferryman.web.shapes import Listed, Moment, Strict, moment

Reader = Annotated[Principal, allow("depot:read")]
Writer = Annotated[Principal, allow("depot:write")]
FileName = Annotated[str, Path(max_length=150, pattern=NAME, description="Name of the file.")]
UploadId = Annotated[str, Path(max_length=60, description="Id of the upload.")]
BODIES: Final = {"/api/v1/bundle-uploads/": 1 << 62}


class NewUpload(Strict):
    """A file that is going to be sent."""

    name: Annotated[str, Field(max_length=150, pattern=NAME)] = Field(
        description="What it is called in the folder of bundles; a volume keeps its `.001`."
    )
    size: Annotated[int, Field(ge=1, le=1 << 50)] = Field(description="Its bytes.")
    replace: bool = Field(
        False, strict=True, description="Take the place of a file of that name, when all of it is there."
    )


class UploadShown(BaseModel):
    """A file on its way. Send what is behind `offset`; the file is there when `complete` is true."""

    id: str
    name: str
    size: int
    offset: int
    complete: bool
    created_at: Moment
    touched_at: Moment = Field(description="When somebody last sent some of it.")


def router(folder: BundleFolder, uploads: Uploads, depot: Depot, keys: Keys, audit: Audit) -> APIRouter:
    """Return the routes of files, to be mounted under `/api/v1`."""
    routes = APIRouter(tags=["bundles"])
    _add_uploads(routes, uploads, audit)
    _add_files(routes, folder, depot, keys)
    return routes


def _add_uploads(routes: APIRouter, uploads: Uploads, audit: Audit) -> None:
    @routes.post("/bundle-uploads", status_code=201)
    async def begin(caller: Writer, order: NewUpload) -> UploadShown:
        """Begin to upload a volume, a bundle or an inventory into the folder of bundles."""
        made = await asyncio.to_thread(
            uploads.begin, order.name, order.size, caller.user_id, replace=order.replace
        )
        return _view(made)

    @routes.get("/bundle-uploads")
    async def under_way(caller: Writer) -> Listed[UploadShown]:
        """List the uploads of the caller that are not complete."""
        found = await asyncio.to_thread(uploads.all)
        mine = [_view(one) for one in found if not one.complete and caller.reaches(one.owner)]
        return Listed(items=mine, next_cursor=None)

    @routes.get("/bundle-uploads/{upload_id}")
    async def shown(caller: Writer, upload_id: UploadId) -> UploadShown:
        """Tell how much of it is there: what is behind `offset` has to be sent."""
        return _view(await asyncio.to_thread(_mine, uploads, upload_id, caller))

    @routes.patch("/bundle-uploads/{upload_id}", openapi_extra=DESCRIBED)
    async def go_on(
        caller: Writer,
        request: Request,
        upload_id: UploadId,
        upload_offset: Annotated[
            int, Header(ge=0, le=1 << 50, description="Where in the file the body begins: its `offset`.")
        ],
    ) -> UploadShown:
        """Send bytes from the offset on, all or some. What came before a cut connection is kept.

        Another offset than where it is answers 409 with the right one in `details`.
        """
        found = await asyncio.to_thread(_mine, uploads, upload_id, caller)
        arrival = await _received(uploads, upload_id, upload_offset, request)
        done = await asyncio.to_thread(uploads.find, upload_id)
        if done.complete and arrival.complete:
            await audit.record(caller, "bundle.upload", found.name, {"size": found.size})
        return _view(done)

    @routes.delete("/bundle-uploads/{upload_id}", status_code=204)
    async def cancel(caller: Writer, upload_id: UploadId) -> None:
        """Throw an upload away."""
        await asyncio.to_thread(_mine, uploads, upload_id, caller)
        await asyncio.to_thread(uploads.cancel, upload_id)


def _add_files(routes: APIRouter, folder: BundleFolder, depot: Depot, keys: Keys) -> None:
    async def download(_caller: Reader, request: Request, file: FileName) -> Response:
        """Download a file of the folder of bundles, or a range of it."""
        return await asyncio.to_thread(_sent, folder, request, file)

    routes.get("/bundle-files/{file}", response_class=Response, responses=ANSWERS)(download)
    routes.head("/bundle-files/{file}", response_class=Response, include_in_schema=False)(download)

    @routes.get("/depot/inventory", response_class=Response, responses=ANSWERS)
    async def inventory(_caller: Reader, request: Request) -> Response:
        """Download what this depot holds, signed: another site makes bundles without it."""
        return await asyncio.to_thread(_inventory, folder, depot, keys, request)


def _sent(folder: BundleFolder, request: Request, name: str) -> SentFile:
    path = folder.file(name)
    try:
        return SentFile(request, path, name)
    except FileNotFoundError as error:
        raise NotFound(
            "bundle_unknown", f"The file '{name}' is gone.", advice="List them with GET /api/v1/bundles."
        ) from error


def _inventory(folder: BundleFolder, depot: Depot, keys: Keys, request: Request) -> SentFile:
    folder.make()
    path = folder.path / f".inventory-{os.getpid()}-{new_id()}"
    made = write_inventory(depot, keys, path)
    return SentFile(request, path, f"{made.key.id[:8]}.inventory", once=True)


def _mine(uploads: Uploads, upload_id: str, caller: Principal) -> Upload:
    """Return an upload that `caller` may see; all others look as if they were not there."""
    found = uploads.find(upload_id)
    if not caller.reaches(found.owner):
        raise NotFound("upload_unknown", f"There is no upload '{upload_id}'.", advice="Begin one with POST.")
    return found


async def _received(uploads: Uploads, upload_id: str, offset: int, request: Request) -> Arrival:
    """Write the body of a request; whatever ends it, what came is kept."""
    taking = uploads.arriving(upload_id, offset)
    arrival = await asyncio.to_thread(taking.__enter__)
    try:
        async for piece in pieces(request):
            await asyncio.to_thread(arrival.write, piece)
    except BaseException as error:
        await asyncio.to_thread(taking.__exit__, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(taking.__exit__, None, None, None)
    return arrival


def _view(upload: Upload) -> UploadShown:
    return UploadShown(
        id=upload.id,
        name=upload.name,
        size=upload.size,
        offset=upload.offset,
        complete=upload.complete,
        created_at=moment(upload.created_at),
        touched_at=moment(upload.touched_at),
    )

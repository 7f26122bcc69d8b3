"""The API before adding: read a list or a Metalink, and look at what an order leads to. Nothing is added here."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from ferryman.accounts.model import Principal
from ferryman.core.errors import Invalid
from ferryman.downloads.model import BODY, DownloadOrder
from ferryman.downloads.preview import MOST_LOOKED_AT, Previewed, Previews
from ferryman.downloads.reading import ReadView, Uploaded, read_upload
from ferryman.web.auth import allow
from ferryman.web.shapes import PRINTABLE

BODIES: Final = {f"/api/v1/downloads{path}": BODY for path in ("", "/preview", "/read")}
"""Paths that take long lists."""
_RAW: Final = ("text/plain", "text/uri-list", "application/metalink4+xml", "application/octet-stream")
_TEXT: Final[dict[str, Any]] = {"schema": {}}
_FORM: Final[dict[str, Any]] = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}, "base": {"type": "string"}},
        "required": ["file"],
        "additionalProperties": False,
    }
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {**dict.fromkeys(_RAW, _TEXT), "multipart/form-data": _FORM},
    }
}
Writer = Annotated[Principal, allow("downloads:write")]
Name = Annotated[
    str, Query(max_length=255, pattern=PRINTABLE, description="Name of the file, which tells a Metalink.")
]
Base = Annotated[
    str, Query(max_length=1000, pattern=PRINTABLE, description="Where the files of checksum lines are.")
]


class PreviewOrder(DownloadOrder):
    """An order to look at; it takes what an order takes."""

    look: Annotated[int, Field(ge=0, le=MOST_LOOKED_AT)] = Field(
        MOST_LOOKED_AT, description="How many of the downloads are looked at, from the first."
    )


def add_reading(routes: APIRouter, previews: Previews) -> None:
    """Add the routes to those of downloads."""

    @routes.post("/preview")
    async def preview(caller: Writer, order: PreviewOrder) -> Previewed:
        """Look at what would be fetched: name, size, whether it can be resumed, whether it is there. Adds nothing."""
        return await previews.look(order, caller, order.look)

    @routes.post("/read", openapi_extra=_BODY)
    async def read(request: Request, _caller: Writer, name: Name = "", base: Base = "") -> ReadView:
        """Read a text list or a Metalink 4 file into entries that an order takes. Adds nothing.

        The file is the body, or `file` of a form. Lines that are wrong are told, the others are entries.
        """
        uploaded = await _uploaded(request, name, base)
        return await asyncio.to_thread(read_upload, uploaded)


async def _uploaded(request: Request, name: str, base: str) -> Uploaded:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _RAW:
        return Uploaded(await request.body(), name, kind, base or None)
    if kind != "multipart/form-data":
        raise HTTPException(415, f"The media type '{kind[:80]}' is not taken here.")
    async with request.form(max_files=1, max_fields=20, max_part_size=64 * 1024) as form:
        file, said = form.get("file"), form.get("base")
        if unknown := sorted(set(form) - {"file", "base"}):
            raise Invalid(
                "field_unknown",
                f"The form has a field '{unknown[0][:80]}', which is not known.",
                advice="Send 'file', and 'base' where the list needs it.",
                fields={unknown[0][:80]: "is not known"},
            )
        if not isinstance(file, UploadFile):
            raise Invalid(
                "file_missing",
                "The form has no file.",
                advice="Send it as the field 'file'.",
                fields={"file": "is missing"},
            )
        given = said if isinstance(said, str) and said else base
        return Uploaded(
            await file.read(), name or file.filename or "", file.content_type or "", given or None
        )

"""The API of models: `/api/v1/models`: which the depot has, and what is in them. They are fetched as images are."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.downloads.models.library import Library, Model
from ferryman.downloads.models.look import Looked, Looks
from ferryman.oci.manifest import Descriptor
from ferryman.oci.ollama import kind_of
from ferryman.web.auth import allow
from ferryman.web.shapes import PRINTABLE, Listed, Moment, moment

Reader = Annotated[Principal, allow("depot:read")]
Writer = Annotated[Principal, allow("depot:write")]
Name = Annotated[
    str,
    Query(min_length=1, max_length=400, pattern=PRINTABLE, description="Its name, such as llama3.2:1b."),
]
Plain = Annotated[bool, Query(description="Talk to the registry over HTTP without TLS.")]


class LayerShown(BaseModel):
    """One layer of a model; `size` is bytes."""

    kind: str = Field(description="`model`, `template`, `license` and so on, or its media type.")
    digest: str
    size: int


class ModelShown(BaseModel):
    """A model of the depot."""

    name: str
    repository: str
    tag: str
    digest: str
    size: int = Field(description="Bytes of all layers.")
    updated_at: Moment
    layers: list[LayerShown]


class ModelDetail(ModelShown):
    """A model, with what people can read of it."""

    texts: dict[str, list[str]] = Field(description="Licence, template, parameters and the like, by kind.")


class ModelPreview(BaseModel):
    """A model as its registry has it, before it is fetched."""

    name: str
    source: str = Field(description="What `POST /images/copies` takes as a source to fetch it.")
    digest: str
    size: int = Field(description="Bytes of all layers and the configuration.")
    here: int = Field(description="Bytes of those that the depot has already.")
    same: bool = Field(description="Whether the depot has just this model under this name.")
    layers: list[LayerShown]
    texts: dict[str, list[str]] = Field(description="Licence, template, parameters and the like, by kind.")


def router(library: Library, looks: Looks, private: Callable[[Principal], bool]) -> APIRouter:
    """Return the routes of models, to be mounted under `/api/v1`; `private` says who may reach private addresses."""
    routes = APIRouter(prefix="/models", tags=["models"])

    @routes.get("")
    async def models(
        _caller: Reader,
        cursor: Annotated[
            str, Query(max_length=400, pattern=PRINTABLE, description="From `next_cursor`.")
        ] = "",
        limit: Annotated[int, Query(ge=1, le=1000, description="Most models of the page.")] = 500,
    ) -> Listed[ModelShown]:
        """List the models of the depot in the order of their names."""
        found, more = await asyncio.to_thread(library.page, cursor, limit)
        return Listed(items=[model_view(one) for one in found], next_cursor=more)

    @routes.get("/show")
    async def show(
        _caller: Reader,
        name: Name,
    ) -> ModelDetail:
        """Show a model with its licence, template and parameters."""
        return await asyncio.to_thread(_detail, library, name)

    @routes.get("/preview")
    async def preview(caller: Writer, name: Name, plain_http: Plain = False) -> ModelPreview:
        """Look at a model at its registry: size, layers, licence. Nothing of it is kept."""
        found = await asyncio.to_thread(looks.look, name, plain_http=plain_http, private=private(caller))
        return _preview(found)

    return routes


def _detail(library: Library, name: str) -> ModelDetail:
    found = library.find(name)
    return ModelDetail(**dict(model_view(found)), texts=library.texts(found))


def _preview(found: Looked) -> ModelPreview:
    return ModelPreview(
        name=found.name,
        source=found.source,
        digest=str(found.manifest.digest),
        size=found.size,
        here=found.here,
        same=found.same,
        layers=[_layer(one) for one in found.manifest.layers],
        texts=found.texts,
    )


def _layer(layer: Descriptor) -> LayerShown:
    return LayerShown(kind=kind_of(layer), digest=str(layer.digest), size=layer.size)


def model_view(model: Model) -> ModelShown:
    """Return a model as the API shows it."""
    return ModelShown(
        name=model.name,
        repository=model.ref.repository,
        tag=model.ref.tag,
        digest=str(model.ref.digest),
        size=model.size,
        updated_at=moment(model.ref.updated_at),
        layers=[_layer(one) for one in model.manifest.layers],
    )

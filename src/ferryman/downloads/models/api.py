"""The API of models: `/api/v1/models`: which the depot has, and what is in them. They are fetched as images are."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.downloads.models.library import Library, Model
from ferryman.oci.ollama import kind_of
from ferryman.web.auth import allow
from ferryman.web.shapes import PRINTABLE, Listed, Moment, moment

Reader = Annotated[Principal, allow("depot:read")]


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


def router(library: Library) -> APIRouter:
    """Return the routes of models, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/models", tags=["models"])

    @routes.get("")
    async def models(_caller: Reader) -> Listed[ModelShown]:
        """List the models of the depot."""
        found = await asyncio.to_thread(lambda: list(library.all()))
        return Listed(items=[model_view(one) for one in found], next_cursor=None)

    @routes.get("/show")
    async def show(
        _caller: Reader,
        name: Annotated[
            str,
            Query(
                min_length=1, max_length=400, pattern=PRINTABLE, description="Its name, such as llama3.2:1b."
            ),
        ],
    ) -> ModelDetail:
        """Show a model with its licence, template and parameters."""
        return await asyncio.to_thread(_detail, library, name)

    return routes


def _detail(library: Library, name: str) -> ModelDetail:
    found = library.find(name)
    return ModelDetail(**dict(model_view(found)), texts=library.texts(found))


def model_view(model: Model) -> ModelShown:
    """Return a model as the API shows it."""
    return ModelShown(
        name=model.name,
        repository=model.ref.repository,
        tag=model.ref.tag,
        digest=str(model.ref.digest),
        size=model.size,
        updated_at=moment(model.ref.updated_at),
        layers=[
            LayerShown(kind=kind_of(layer), digest=str(layer.digest), size=layer.size)
            for layer in model.manifest.layers
        ],
    )

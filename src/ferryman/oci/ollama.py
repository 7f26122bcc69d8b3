"""Names, layers and the folder of Ollama models. Pure; hostile.

A `Reference` to a model has its repository in lower case, as `oci.capitals` writes it; people and Ollama see it as it is spelled.

A model is an artifact of a registry whose layers are named by media type. On disk it is `models/blobs/sha256-HEX` and
`models/manifests/HOST/NAMESPACE/MODEL/TAG`, the manifest byte for byte (Ollama, server/internal/manifest and modelpath).
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Invalid
from ferryman.oci.capitals import lowered, spelled
from ferryman.oci.manifest import Descriptor
from ferryman.oci.reference import Reference, check_host, check_repository, check_tag

HOST: Final = "registry.ollama.ai"
NAMESPACE: Final = "library"
PREFIX: Final = "application/vnd.ollama.image."
KINDS: Final = (
    "model",
    "adapter",
    "projector",
    "template",
    "prompt",
    "system",
    "params",
    "messages",
    "license",
    "embed",
    "tensor",
    "draft",
    "json",
)
"""What a layer can be; others are kept and shown by their media type."""
TEXTS: Final = frozenset({"template", "prompt", "system", "params", "messages", "license"})
"""Kinds of layers that people can read."""


def parse_model(text: str, host: str = HOST) -> Reference:
    """Read `[HOST/][NAMESPACE/]MODEL[:TAG]`; `host` stands where none is written, the tag is `latest` then.

    Raises `Invalid` (`model_invalid`).
    """
    parts = text.strip().split("/")
    last, _, tag = parts[-1].partition(":")
    if parts[0:1] == [""] or len(parts) > 3 or not last:
        raise _wrong(text, "it is not [HOST/][NAMESPACE/]MODEL[:TAG]")
    namespace = parts[-2] if len(parts) > 1 else NAMESPACE
    try:
        where = check_host(parts[0]) if len(parts) == 3 else check_host(host)
        return Reference(where, check_repository(lowered(f"{namespace}/{last}")), check_tag(tag or "latest"))
    except Invalid as error:
        raise _wrong(text, error.message.rpartition(": ")[2].rstrip(".")) from error


def named_at(text: str, host: str) -> str:
    """Return a location for the model `text` names, with `host` where it names none. Raises `Invalid` (`model_invalid`)."""
    model = parse_model(text, host)
    name = spelled(model.repository)
    scheme = "docker://" if name == model.repository else "ollama:"
    return f"{scheme}{model.host}/{name}:{model.tag}"


def parse_registry(text: str) -> tuple[str, bool]:
    """Read the address of a registry, `HOST[:PORT]` or a URL: the host, and whether it speaks plain HTTP.

    Raises `Invalid` (`registry_invalid`).
    """
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if (
        parts.scheme not in {"http", "https"}
        or parts.path not in {"", "/"}
        or parts.query
        or "@" in parts.netloc
    ):
        raise Invalid(
            "registry_invalid",
            f"'{text[:200]}' is no address of a registry.",
            advice="Write HOST, HOST:PORT, or http://HOST:PORT for one without TLS.",
        )
    try:
        return check_host(parts.netloc), parts.scheme == "http"
    except Invalid as error:
        raise Invalid("registry_invalid", error.message, advice=error.advice) from error


def model_name(reference: Reference) -> str:
    """Return the name as people write it, without what Ollama adds by itself."""
    repository = spelled(reference.repository)
    namespace, _, model = repository.rpartition("/")
    short = model if namespace == NAMESPACE else repository
    name = short if reference.host == HOST else f"{reference.host}/{repository}"
    return f"{name}:{reference.tag or 'latest'}"


def kind_of(layer: Descriptor) -> str:
    """Return what a layer is: one of `KINDS`, or its media type."""
    kind = layer.media_type.removeprefix(PREFIX)
    return kind if kind in KINDS else layer.media_type


def blob_path(digest: Digest) -> PurePosixPath:
    """Return the path of a blob below `models`."""
    return PurePosixPath("blobs", f"{digest.algorithm}-{digest.hex}")


def manifest_path(reference: Reference) -> PurePosixPath:
    """Return the path of a manifest below `models`."""
    return PurePosixPath(
        "manifests", reference.host, spelled(reference.repository), reference.tag or "latest"
    )


def named_by(parts: Sequence[str]) -> Reference:
    """Return the model whose manifest has a path of these parts below `manifests`. Raises `Invalid`."""
    host, *names, tag = parts
    return Reference(check_host(host), check_repository(lowered("/".join(names))), check_tag(tag))


def same_for_ollama(one: Reference, other: Reference) -> bool:
    """Tell whether two models are one for Ollama, which does not heed capitals (types/model, Name.EqualFold)."""
    return str(manifest_path(one)).lower() == str(manifest_path(other)).lower()


def check_apart(models: Iterable[Reference]) -> None:
    """Raise `Conflict` (`model_names_collide`) when two of `models` differ only in capitals: one folder cannot have both."""
    seen: dict[str, Reference] = {}
    for model in models:
        other = seen.setdefault(str(manifest_path(model)).lower(), model)
        if other != model:
            raise Conflict(
                "model_names_collide",
                f"'{model_name(other)}' and '{model_name(model)}' differ only in capitals, which Ollama does not heed.",
                advice="Carry them one by one, to different homes.",
            )


def _wrong(text: str, why: str) -> Invalid:
    return Invalid(
        "model_invalid",
        f"'{text.strip()[:200]}' names no model: {why}.",
        advice="Write MODEL, MODEL:TAG, NAMESPACE/MODEL:TAG or HOST/NAMESPACE/MODEL:TAG, such as llama3.2:1b.",
    )

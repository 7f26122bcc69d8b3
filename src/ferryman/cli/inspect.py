"""`ferry inspect` and `ferry tags`: look at images and repositories, wherever they are."""

import json
import os
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ferryman.cli.copy_run import host_platform
from ferryman.cli.copy_sides import sides_of
from ferryman.cli.get_words import Words
from ferryman.cli.output import line, pairs, print_json, table
from ferryman.core.digests import new_hasher
from ferryman.core.errors import Corrupt, Invalid
from ferryman.core.units import format_size
from ferryman.depot.copying.ends import Ends
from ferryman.depot.copying.movers import DEPOT
from ferryman.depot.copying.places import place_of
from ferryman.oci.location import parse_location
from ferryman.oci.manifest import Manifest, Platform, choose_platforms
from ferryman.oci.ports import Source

if TYPE_CHECKING:
    from ferryman.cli.copy_home import OpenDepot

_LARGEST_CONFIG: Final = 8 * 1024 * 1024


class _Opened:
    """The source that one word names."""

    def __init__(self, words: Words, what: str) -> None:
        if len(words.sources) != 1:
            raise Invalid(
                "usage",
                f"{what} needs one address.",
                advice=f"Write '{what} docker://HOST/NAME', or see '{what} --help'.",
            )
        location = parse_location(words.sources[0])
        place = place_of(location)
        self._home: OpenDepot | None = None
        kept = None
        if place.registry == DEPOT:
            self._home = _open_depot()
            kept = self._home.kept()
        source, target = sides_of(words)
        self._ends = Ends({place: location}, source, target, kept=kept)
        self.wanted, self.said, self._place = location.wanted, str(location), place

    def source(self) -> Source:
        """Open it."""
        return self._ends.source(self._place)

    def close(self) -> None:
        self._ends.close()
        if self._home is not None:
            self._home.close()


def _open_depot() -> "OpenDepot":
    from ferryman.cli.copy_home import OpenDepot  # noqa: PLC0415 - loads the database

    return OpenDepot(f"inspect:{os.getpid()}")


def list_tags(words: Words) -> int:
    """Print the tags of a repository. Raises `FerryError`."""
    most = words.value("limit")
    if most is not None and not (most.isascii() and most.isdigit()):
        raise Invalid("limit_invalid", f"'{most[:40]}' is no number.", advice="Write --limit 100.")
    opened = _Opened(words, "ferry tags")
    try:
        tags = list(islice(opened.source().tags(), int(most) if most else None))
    finally:
        opened.close()
    if words.has("json"):
        print_json({"repository": opened.said, "tags": tags})
    else:
        for tag in tags:
            line(tag)
    return 0


def inspect_image(words: Words) -> int:
    """Show one image. Raises `FerryError`."""
    opened = _Opened(words, "ferry inspect")
    try:
        source = opened.source()
        manifest = source.resolve(opened.wanted)
        if named := words.all("platform"):
            manifest = _of_platform(source, manifest, Platform.parse(named[-1]))
        if words.has("raw"):
            sys.stdout.buffer.write(manifest.raw)
            sys.stdout.buffer.flush()
            return 0
        if words.has("config"):
            return _show_config(source, manifest)
        document = document_of(opened.said, source, manifest)
    finally:
        opened.close()
    if words.has("json"):
        print_json(document)
    else:
        _show(document)
    return 0


def document_of(said: str, source: Source, manifest: Manifest) -> dict[str, Any]:
    """Return what is known of an image as a JSON object; sizes are bytes."""
    document: dict[str, Any] = {
        "name": said,
        "digest": str(manifest.digest),
        "media_type": manifest.media_type,
        "size": len(manifest.raw),
        "annotations": dict(manifest.annotations),
    }
    if manifest.is_index:
        document["manifests"] = [
            {
                "digest": str(child.digest),
                "media_type": child.media_type,
                "size": child.size,
                "platform": str(child.platform) if child.platform else None,
            }
            for child in manifest.children
        ]
    else:
        config = _config(source, manifest)
        document["platform"] = _platform(config)
        document["created"] = config.get("created")
        inner = config.get("config")
        document["labels"] = (inner.get("Labels") if isinstance(inner, dict) else None) or {}
        document["artifact_type"] = manifest.artifact_type
        document["layers"] = [
            {"digest": str(one.digest), "media_type": one.media_type, "size": one.size}
            for one in manifest.layers
        ]
        document["bytes"] = sum({one.digest: one.size for one in manifest.blobs}.values())
    document["referrers"] = [
        {"digest": str(one.digest), "artifact_type": one.artifact_type, "size": one.size}
        for one in source.referrers(manifest.digest)
    ]
    return document


def _of_platform(source: Source, manifest: Manifest, platform: Platform) -> Manifest:
    if not manifest.is_index:
        return manifest
    return source.manifest(choose_platforms(manifest, [platform])[0].digest)


def _show_config(source: Source, manifest: Manifest) -> int:
    if manifest.is_index:
        manifest = _of_platform(source, manifest, host_platform())
    sys.stdout.write(json.dumps(_config(source, manifest), indent=2, ensure_ascii=False) + "\n")
    return 0


def _config(source: Source, manifest: Manifest) -> dict[str, Any]:
    """Return the configuration, checked; empty where there is none that can be read."""
    blob = manifest.config
    if blob is None or not blob.media_type.endswith("json") or blob.size > _LARGEST_CONFIG:
        return {}
    data = blob.data if blob.data is not None else _read(source, manifest)
    hasher = new_hasher(blob.digest.algorithm)
    hasher.update(data)
    if not blob.digest.matches(hasher.hexdigest()):
        raise Corrupt(
            "blob_mismatch",
            f"The configuration {blob.digest} is something else.",
            advice="The registry's content is damaged: push the image again.",
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read(source: Source, manifest: Manifest) -> bytes:
    assert manifest.config is not None
    view = memoryview(bytearray(manifest.config.size))
    at = 0
    with source.open_blob(manifest.config) as stream:
        while at < len(view) and (count := stream.readinto(view[at:])):
            at += count
    return bytes(view[:at])


def _platform(config: dict[str, Any]) -> str | None:
    parts = [config.get(name) for name in ("os", "architecture", "variant")]
    return "/".join(part for part in parts if isinstance(part, str) and part) or None


def _show(document: dict[str, Any]) -> None:
    shown = [
        ("Name", document["name"]),
        ("Digest", document["digest"]),
        ("Type", document["media_type"]),
        ("Platform", document.get("platform")),
        ("Created", document.get("created")),
    ]
    if "bytes" in document:
        shown.append(("Size", format_size(document["bytes"])))
    pairs(shown)
    for title, key in (("Platforms", "manifests"), ("Layers", "layers"), ("Referrers", "referrers")):
        rows = [{**one, "shown": format_size(one["size"])} for one in document.get(key, ())]
        if rows:
            line()
            line(title)
            kind = {"manifests": "platform", "layers": "media_type", "referrers": "artifact_type"}[key]
            table(
                rows,
                {"digest": "DIGEST", "shown": "SIZE", kind: kind.replace("_", " ").upper()},
                right=["shown"],
            )

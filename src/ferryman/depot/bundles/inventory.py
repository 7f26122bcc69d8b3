"""Inventories: what a depot holds, signed by its site, so that another one sends only what is missing.

A file of two lines: the signature, and the list in JSON.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.errors import FerryError
from ferryman.depot.bundles import errors
from ferryman.depot.bundles.keys import Keys, PublicKey
from ferryman.depot.bundles.output import written
from ferryman.depot.service import Depot
from ferryman.oci.reference import parse_digest

CONTEXT: Final = "inventory 1"
FORMAT: Final = "ferryman-inventory/1"
_MOST: Final = 256 << 20
_PAGE: Final = 5000


@dataclass(frozen=True, slots=True)
class Inventory:
    """The digests a depot had at a time (UNIX seconds), and whose signature says so."""

    key: PublicKey
    created_at: float
    blobs: frozenset[Digest]


def write_inventory(depot: Depot, keys: Keys, path: Path) -> Inventory:
    """Write the inventory of `depot` to `path`, whole or not at all."""
    digests: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = depot.find_blobs(cursor=cursor, limit=_PAGE)
        digests += [str(blob.digest) for blob in page]
    now = depot.clock.now()
    document = {"format": FORMAT, "created_at": now, "blobs": sorted(digests)}
    raw = json.dumps(document, separators=(",", ":")).encode()
    with written(path) as file:
        file.write(keys.sign(CONTEXT, raw) + b"\n" + raw + b"\n")
    return Inventory(keys.own(), now, frozenset(Digest.parse(one) for one in digests))


def read_inventory(path: Path, keys: Keys) -> Inventory:
    """Read an inventory of a site whose key is trusted. Raises `Denied` (`key_untrusted`), `Corrupt`, `Invalid`."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise errors.invalid(str(path), f"cannot be read ({error.strerror})") from error
    seal, _, raw = content.partition(b"\n")
    raw = raw.removesuffix(b"\n")
    if len(content) > _MOST or not raw:
        raise errors.invalid(str(path), "is no inventory that 'ferry depot inventory' wrote")
    key = keys.demand(CONTEXT, raw, seal, str(path))
    try:
        document = json.loads(raw)
        if document["format"] != FORMAT:
            raise errors.invalid(str(path), f"has another format than {FORMAT}")
        digests = frozenset(parse_digest(str(one)) for one in document["blobs"])
        return Inventory(key, float(document["created_at"]), digests)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.invalid(str(path), "has a list that cannot be read") from error
    except FerryError as error:
        raise errors.invalid(str(path), f"has a list that cannot be read ({error.message[:200]})") from error

"""Metalink 4 files (RFC 5854): mirrors, sizes and digests of files. Pure; the document is hostile.

Metalinks, torrents (`metaurl`), signatures and pieces are left aside: the digest of the whole file is enough.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.checksums import strongest
from ferryman.transfer.naming import safe_name
from ferryman.transfer.source import Source, parse_source

MEDIA_TYPE: Final = "application/metalink4+xml"
LARGEST: Final = 16 * 1024 * 1024
_MOST_FILES: Final = 10_000
_SPACE: Final = "{urn:ietf:params:xml:ns:metalink}"
_LAST_PRIORITY: Final = 999_999


@dataclass(frozen=True, slots=True)
class MetalinkFile:
    """One file. `path` is relative, `/` between its parts, each a safe name; `sources` has the best mirror first."""

    path: str
    sources: tuple[Source, ...]
    size: int | None = None
    checksum: Digest | None = None


def is_metalink(name: str, mime: str | None = None) -> bool:
    """Whether a file name or media type says Metalink 4."""
    return name.lower().endswith(".meta4") or (mime or "").partition(";")[0].strip().lower() == MEDIA_TYPE


def parse_metalink(document: bytes) -> tuple[MetalinkFile, ...]:
    """Read a document. Raises `Invalid` (`metalink_invalid`).

    Mirrors of schemes we do not speak are left out; a file without any other is an error.
    """
    if len(document) > LARGEST:
        raise _invalid(f"has {len(document)} bytes, more than {LARGEST}")
    try:
        root = fromstring(document, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise _invalid("is not well-formed XML, or defines entities") from error
    if root.tag != f"{_SPACE}metalink":
        raise _invalid("is not Metalink 4 (its root or namespace is another)")
    files = tuple(_file(element) for element in root.iterfind(f"{_SPACE}file"))
    if not files or len(files) > _MOST_FILES:
        raise _invalid(f"names {len(files)} files")
    doubled = {file.path for file in files if sum(other.path == file.path for other in files) > 1}
    if doubled:
        raise _invalid(f"names '{min(doubled)}' twice")
    return files


def _file(element: Element) -> MetalinkFile:
    path = _path(element.get("name", ""))
    sources = tuple(_sources(element))
    if not sources:
        raise _invalid(f"has no URL we can use for '{path}'")
    size = (element.findtext(f"{_SPACE}size") or "").strip()
    if size and not (size.isascii() and size.isdecimal() and len(size) < 19):
        raise _invalid(f"gives '{size[:40]}' as the size of '{path}'")
    return MetalinkFile(path, sources, int(size) if size else None, strongest(_digests(element)))


def _path(name: str) -> str:
    """RFC 5854, 4.1.2.1: relative, without `..`."""
    parts = name.split("/")
    clean = [safe_name(part) for part in parts]
    if not all(clean) or ".." in parts or "\\" in name:
        raise _invalid(f"has the file name {name[:200]!r}, which leads elsewhere or is empty")
    return "/".join(clean)


def _sources(element: Element) -> Iterator[Source]:
    ranked: list[tuple[int, Source]] = []
    for url in element.iterfind(f"{_SPACE}url"):
        priority = url.get("priority", "")
        rank = int(priority) if priority.isascii() and priority.isdecimal() and len(priority) < 7 else 0
        try:
            ranked.append((rank or _LAST_PRIORITY, parse_source(url.text or "")))
        except Invalid:
            continue  # one broken or foreign mirror does not spoil the others
    ranked.sort(key=lambda pair: pair[0])
    seen: set[str] = set()
    for _, source in ranked:
        if source.url not in seen:
            seen.add(source.url)
            yield source


def _digests(element: Element) -> Iterator[Digest]:
    for found in element.iterfind(f"{_SPACE}hash"):
        try:
            yield Digest.parse(f"{found.get('type', '')}:{(found.text or '').strip()}")
        except Invalid:
            continue  # an algorithm we do not know


def _invalid(what: str) -> Invalid:
    return Invalid(
        "metalink_invalid",
        f"The Metalink file {what}.",
        advice="Fetch it again, or give the URLs and the checksum directly.",
    )

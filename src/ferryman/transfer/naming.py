"""File names from answers and URLs: everything read here was chosen by somebody else. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

LONGEST: Final = 240
"""Bytes of a name: below the 255 of file systems, so that ` (1)` and `.corrupt` still fit."""
FALLBACK: Final = "download"
OWN_SUFFIXES: Final = (".part", ".ferry", ".corrupt")
"""Endings of our own files beside a target: a foreign name must not pose as one of them."""

_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"}
)
_PARAMETER: Final = re.compile(r';\s*([\w!#$&+.^`|~-]+\*?)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.ASCII)
_FORBIDDEN: Final = frozenset('<>:"|?*')
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def name_from(headers: Mapping[str, str], url: str) -> str:
    """Choose a safe file name: Content-Disposition (`filename*` before `filename`), then the URL's last segment.

    `headers` has names in lower case. The result is never empty, has no separator and fits in `LONGEST` bytes.
    """
    offered = disposition_name(headers.get("content-disposition", ""))
    for candidate in (offered, url_name(url)):
        if candidate and (name := safe_name(candidate)):
            return name
    return FALLBACK


def disposition_name(value: str) -> str | None:
    """Read the file name of a Content-Disposition (RFC 6266); None when there is none. Not yet safe."""
    found: dict[str, str] = {}
    for key, raw in _PARAMETER.findall(f";{value}"):
        found.setdefault(key.lower(), raw.strip())
    extended = _decode_extended(found["filename*"]) if "filename*" in found else None
    if extended:
        return extended
    plain = found.get("filename")
    if not plain:
        return None
    if plain.startswith('"'):
        # Only \" and \\ are escapes in practice: some servers send a Windows path unescaped.
        plain = re.sub(r'\\(["\\])', r"\1", plain[1:-1])
    return _utf8(_percent(plain)) or None


def url_name(url: str) -> str:
    """Return the decoded last segment of a URL's path, or an empty string. Not yet safe."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""
    return _percent(path.rstrip("/").rsplit("/", 1)[-1])


def safe_name(name: str) -> str:
    """Strip what a file name from outside must not have; an empty string when nothing is left."""
    last = re.split(r"[/\\\0]", unicodedata.normalize("NFC", name).rstrip("/\\"))[-1]
    kept = "".join(
        "_" if char in _FORBIDDEN else char for char in last if unicodedata.category(char) not in _DROPPED
    )
    # Leading dots would make it hidden (or `..`); trailing ones and spaces are lost on other systems.
    kept = kept.strip().lstrip(". ").rstrip(". ")
    if kept.split(".", 1)[0].rstrip().lower() in _RESERVED:
        kept = f"_{kept}"
    if kept.lower().endswith(OWN_SUFFIXES):
        kept = f"{kept}_"
    return shorten(kept, LONGEST)


def shorten(name: str, limit: int) -> str:
    """Cut a name to `limit` bytes of UTF-8, keeping its extension and whole characters."""
    if len(name.encode()) <= limit:
        return name
    stem, extension = split_extension(name)
    if len(extension.encode()) > min(40, limit // 2):
        stem, extension = name, ""
    room = limit - len(extension.encode())
    cut = stem.encode()[:room].decode(errors="ignore").rstrip(". ") + extension
    return f"{cut[:-1]}_" if cut.lower().endswith(OWN_SUFFIXES) else cut


def split_extension(name: str) -> tuple[str, str]:
    """Split off the extension, where `.tar.gz` and its kind are one: `("data", ".tar.gz")`."""
    found = re.search(r"(?<=.)(\.tar)?\.[^.\s/]+$", name, re.IGNORECASE | re.DOTALL)
    return (name[: found.start()], found[0]) if found else (name, "")


def _decode_extended(value: str) -> str | None:
    """Read `charset'language'percent-encoded` (RFC 8187); None when it is malformed."""
    charset, first, rest = value.strip('"').partition("'")
    _language, second, encoded = rest.partition("'")
    if not first or not second or charset.lower() not in {"utf-8", "iso-8859-1"}:
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None


def _percent(text: str) -> str:
    if "%" not in text:
        return text
    raw = unquote_to_bytes(text)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _utf8(text: str) -> str:
    """Undo reading UTF-8 as Latin-1, as header parsers do."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text

"""HTTP as text: the request, and reading answers (head, Content-Range, Retry-After, redirects).

Pure; everything read is hostile.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

_CONTENT_RANGE: Final = re.compile(r"bytes\s+(?:(\d{1,19})-(\d{1,19})|\*)/(\d{1,19}|\*)", re.IGNORECASE)


def request_text(url: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a GET request for `url`: its head with Host and `headers`."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if parts.port and parts.port != (443 if parts.scheme == "https" else 80):
        host = f"{host}:{parts.port}"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


@dataclass(slots=True)
class Head:
    """Status and headers of an answer; header names in lower case. `length` is Content-Length when valid."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    minor: int = 1

    @property
    def length(self) -> int | None:
        """Content-Length, or None when absent or unreadable."""
        value = self.headers.get("content-length", "")
        parts = {part.strip() for part in value.split(",")}
        only = parts.pop() if len(parts) == 1 else ""
        return int(only) if only.isascii() and only.isdigit() and len(only) < 20 else None

    @property
    def etag(self) -> str | None:
        """The ETag as sent, weak ones with `W/`."""
        return self.headers.get("etag") or None

    @property
    def content_range(self) -> tuple[int | None, int | None, int | None] | None:
        """`(first, after_last, total)` of Content-Range; parts that were `*` are None; None when unreadable."""
        found = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", "").strip())
        if not found:
            return None
        total = None if found[3] == "*" else int(found[3])
        if found[1] is None:
            return None, None, total
        return int(found[1]), int(found[2]) + 1, total

    @property
    def encoded(self) -> bool:
        """Whether the body is compressed: its bytes are not the file's, and a part of it is worth nothing."""
        return self.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}


def parse_head(raw: bytes) -> Head:
    """Read status line and headers (without the final empty line). Raises `ValueError`."""
    lines = raw.decode("latin-1").split("\r\n")
    found = re.match(r"HTTP/1\.([01]) (\d{3})(?: |$)", lines[0])
    if not found:
        raise ValueError(f"not an HTTP/1 answer: {lines[0][:60]!r}")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            continue  # folded or broken lines carry nothing we need
        key, value = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Head(int(found[2]), headers, int(found[1]))


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait from a Retry-After of either form; None when absent or unreadable. `now` is UNIX seconds."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 86400))
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - rare, and slow to import

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, min(86400.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds()))


def redirect_target(base: str, location: str) -> str:
    """The absolute URL of a redirect. Raises `ValueError` for one that is no http(s) URL with a host."""
    if re.fullmatch(r"https?:/*", location.strip(), re.IGNORECASE):
        raise ValueError(location)  # joined with the base it would lead back to itself
    target = urljoin(base, location.strip())
    parts = urlsplit(target)
    if not location.strip() or parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError(target)
    if any(ord(c) < 33 or ord(c) == 127 for c in target):
        target = "".join(c if 32 < ord(c) != 127 else f"%{ord(c):02X}" for c in target)
    return _ascii(target)


def _ascii(url: str) -> str:
    return "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in url)


def host_key(url: str) -> str:
    """`scheme://host:port` in lower case: what connections, limits and credentials belong to."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443, "ftp": 21, "ftps": 990}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"

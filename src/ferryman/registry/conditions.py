"""Conditions of requests that change something: `If-Match` and `If-None-Match` (RFC 9110 sections 13.1.1 and 13.1.2). Pure."""

import re
from dataclasses import dataclass
from typing import Final

from ferryman.registry.errors import Refusal
from ferryman.registry.ports import Headers

_TAGS: Final = re.compile(r'[ \t]*(?:(?:W/)?"[^"]*")(?:[ \t]*,[ \t]*(?:W/)?"[^"]*")*[ \t]*')
_TAG: Final = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to be there for the request to be done; each part None when the request does not say.

    An empty set stands for `*`. Manifests have strong entity tags: their digests in quotes.
    """

    match: frozenset[str] | None
    none_match: frozenset[str] | None

    def holds(self, digest: str | None) -> bool:
        """Tell whether the request may be done while `digest` (None: nothing) is there."""
        tag = f'"{digest}"' if digest else None
        if self.match is not None and not (tag and (not self.match or tag in self.match)):
            return False
        if self.none_match is None or tag is None:
            return True
        return bool(self.none_match) and tag not in {one.removeprefix("W/") for one in self.none_match}


def condition_of(headers: Headers) -> Condition | None:
    """Return the condition of a request, None when it has none. Raises `Refusal` 400 for what cannot be read."""
    match, none_match = _tags(headers, b"if-match"), _tags(headers, b"if-none-match")
    return None if match is None and none_match is None else Condition(match, none_match)


def _tags(headers: Headers, name: bytes) -> frozenset[str] | None:
    lines = [value.decode("latin-1") for key, value in headers if key == name]
    if not lines:
        return None
    text = ",".join(lines).strip()
    if text == "*":
        return frozenset()
    if not _TAGS.fullmatch(text):
        raise Refusal(
            400,
            "UNSUPPORTED",
            f"{name.decode().title()} '{text[:100]}' is no list of entity tags.",
            detail={"advice": "Write * or digests in double quotes, such as the header ETag has them."},
        )
    return frozenset(_TAG.findall(text))

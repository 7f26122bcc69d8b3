"""What a rule says, in words for people. Pure."""

from collections.abc import Mapping

from ferryman.core.units import format_rate, format_size, parse_rate, parse_size
from ferryman.downloads.rules.model import NEEDED, RuleBody

_SHOWN = 6


def conditions_of(body: RuleBody) -> list[str]:
    """Return what must hold, each as a few words; empty when everything matches."""
    words = []
    if body.extensions:
        words.append(_some([f".{text}" for text in body.extensions]))
    if body.hosts:
        words.append(f"from {_some(body.hosts)}")
    if body.expression:
        words.append(f"address has {body.expression}")
    if body.min_size:
        words.append(f"at least {format_size(parse_size(body.min_size))}")
    if body.max_size:
        words.append(f"at most {format_size(parse_size(body.max_size))}")
    return words


def effects_of(body: RuleBody, hooks: Mapping[str, str]) -> list[str]:
    """Return what follows, each as a few words; `hooks` are names by id."""
    words = []
    if body.folder:
        words.append(f"to {body.folder}/")
    if body.priority is not None:
        words.append(f"priority {body.priority}")
    if body.rate_limit:
        rate = parse_rate(body.rate_limit)
        words.append(f"at most {format_rate(rate)}" if rate else "no speed limit")
    if body.connections is not None:
        words.append("1 connection" if body.connections == 1 else f"{body.connections} connections")
    if body.checksum:
        words.append("checksum needed" if body.checksum == NEEDED else f"checksum from {body.checksum}")
    if body.unpack is not None:
        words.append("unpack" if body.unpack else "do not unpack")
    words += [f"tell {hooks.get(hook, hook)}" for hook in body.hooks]
    return words


def _some(texts: list[str]) -> str:
    """Return the first few, and how many more there are."""
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

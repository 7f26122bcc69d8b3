"""What a page shows of the blobs of a copy: which, and how far each is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ferryman.depot.copying.meter import ItemState, ItemView

SHOWN: Final = 100
"""Blobs that are shown at once; of more, those that say the most come first."""
_ORDER: Final = (ItemState.FAILED, ItemState.MOVING, ItemState.WAITING)
_THERE: Final = frozenset({ItemState.DONE, ItemState.MOUNTED, ItemState.THERE})


@dataclass(frozen=True, slots=True)
class Items:
    """The blobs of a copy: those that are shown, how many there are, and how many of them have arrived."""

    shown: tuple[ItemView, ...]
    total: int
    there: int

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.total - len(self.shown)


def items_of(found: Sequence[ItemView], most: int = SHOWN) -> Items:
    """Return what is shown. Few stay in the order of the plan, so that nothing jumps while they move."""
    there = sum(one.state in _THERE for one in found)
    if len(found) <= most:
        return Items(tuple(found), len(found), there)
    rank = {state: place for place, state in enumerate(_ORDER)}
    first = sorted(found, key=lambda one: rank.get(one.state, len(_ORDER)))
    return Items(tuple(first[:most]), len(found), there)


def percent(item: ItemView) -> int:
    """Return how far a blob is, of 100; 100 only when it is there."""
    if item.state in _THERE:
        return 100
    return min(99, 100 * item.moved // item.size) if item.size else 0

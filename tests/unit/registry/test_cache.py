"""What is kept in memory is never older than the last change."""

from ferryman.registry.cache import Cache


class Depot:
    generation = 1

    def __call__(self) -> int:
        return self.generation


def test_what_was_kept_is_forgotten_with_the_next_change():
    depot = Depot()
    cache: Cache[str] = Cache(depot)
    cache.put("a", "1", cache.moment())
    assert cache.get("a") == "1"
    depot.generation = 2
    assert cache.get("a") is None
    cache.put("a", "2", cache.moment())
    assert cache.get("a") == "2"


def test_what_was_read_before_a_change_is_not_kept():
    depot = Depot()
    cache: Cache[str] = Cache(depot)
    before = cache.moment()
    depot.generation = 2
    cache.moment()
    cache.put("a", "old", before)
    assert cache.get("a") is None


def test_it_has_room_for_so_much():
    cache: Cache[str] = Cache(Depot(), len, most_bytes=80, most_entries=3)
    moment = cache.moment()
    for key in "abcd":
        cache.put(key, key * 10, moment)
    assert [cache.get(key) is not None for key in "abcd"] == [False, True, True, True]
    cache.put("huge", "x" * 11, moment)
    assert cache.get("huge") is None

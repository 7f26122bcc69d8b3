"""What is kept in memory is never older than the last change of what it was read from."""

from ferryman.registry.cache import Cache


class Reference:
    """One thing that changes."""

    number = 1

    def __call__(self) -> int:
        return self.number


def test_what_was_kept_is_forgotten_with_the_next_change_of_it_alone():
    one, two = Reference(), Reference()
    cache: Cache[str] = Cache()
    cache.put("a", "1", cache.seen(one))
    cache.put("b", "1", cache.seen(two))
    assert cache.get("a") == cache.get("b") == "1"
    one.number = 2
    assert cache.get("a") is None
    assert cache.get("b") == "1"
    cache.put("a", "2", cache.seen(one))
    assert cache.get("a") == "2"


def test_what_was_read_before_a_change_is_not_believed():
    reference = Reference()
    cache: Cache[str] = Cache()
    before = cache.seen(reference)
    reference.number = 2
    cache.put("a", "old", before)
    assert cache.get("a") is None


def test_what_was_read_before_everything_was_forgotten_is_not_kept():
    reference = Reference()
    cache: Cache[str] = Cache(len)
    cache.put("b", "kept", cache.seen(reference))
    before = cache.seen(reference)
    cache.forget()
    cache.put("a", "old", before)
    assert cache.get("a") is cache.get("b") is None


def test_it_has_room_for_so_much():
    cache: Cache[str] = Cache(len, most_bytes=80, most_entries=3)
    seen = cache.seen(Reference())
    for key in "abcd":
        cache.put(key, key * 10, seen)
    assert [cache.get(key) is not None for key in "abcd"] == [False, True, True, True]
    cache.put("huge", "x" * 11, seen)
    assert cache.get("huge") is None


def test_what_is_replaced_or_outdated_gives_its_room_back():
    reference = Reference()
    cache: Cache[str] = Cache(len, most_bytes=80)
    for _ in range(30):
        cache.put("a", "x" * 10, cache.seen(reference))
    assert cache._bytes == 10
    reference.number = 2
    assert cache.get("a") is None
    assert cache._bytes == 0

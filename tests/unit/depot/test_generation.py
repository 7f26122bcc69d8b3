"""The generation changes with every change, also when one of the processes dies in the middle."""

import pytest

from ferryman.depot.generation import Generation


@pytest.fixture
def path(tmp_path):
    return tmp_path / "generation"


def test_a_change_is_seen_by_all(path):
    asked = []
    one, two = (Generation(path, lambda: asked.append(1) or 7) for _ in range(2))
    before = two.now()
    with one.changing():
        assert two.now() == -8
    assert two.now() == one.now() != before
    assert len(asked) == 1
    one.close()
    one.close()
    two.close()


def test_a_change_that_failed_counts_too(path):
    one = Generation(path, lambda: 0)
    before = one.now()
    with pytest.raises(ZeroDivisionError), one.changing():
        raise ZeroDivisionError
    assert one.now() != before
    one.close()


def test_a_change_that_never_ended_asks_the_database_until_it_is_repaired(path):
    numbers = [3]
    one = Generation(path, lambda: numbers[0])
    one._counters.begin(0)
    assert one.now() == -4
    numbers[0] = 4
    assert one.now() == -5
    with one.changing():
        pass
    assert one.now() == -5
    one.repair()
    seen = one.now()
    assert seen > 2
    with one.changing():
        pass
    assert one.now() > seen
    one.repair()
    one.close()


def test_a_change_of_one_name_leaves_the_others(path):
    one = Generation(path, lambda: 0)
    app, other, both = one.of("team/app"), one.of("team/other"), one.of("team/app", "team/other")
    seen = [one.now(), app(), other(), both()]
    with one.changing("team/app"):
        assert app() == both() == one.now() == -1
        assert other() == seen[2]
    now = [one.now(), app(), other(), both()]
    assert [before != after for before, after in zip(seen, now, strict=True)] == [True, True, False, True]
    with one.changing():
        pass
    assert app() != now[1]
    assert other() != now[2]
    one.close()


def test_numbers_that_are_watched_together_never_make_up_for_each_other(path):
    one = Generation(path, lambda: 0)
    watch = one.of("a", "b")
    seen = {watch()}
    for name in ("a", "b", "a", "b"):
        with one.changing(name):
            pass
        assert watch() not in seen
        seen.add(watch())
    one.close()

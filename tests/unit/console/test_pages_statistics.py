from datetime import date

import pytest

from ferryman.console.pages_statistics import bars_of, label_of, rows_of, shown
from ferryman.jobs.statistics.model import DAY, DaySums, Named, period


def days(count):
    return [DaySums(day * DAY, bytes=1, succeeded=2, seconds=0.5) for day in range(count)]


@pytest.mark.parametrize(("count", "bars"), [(1, 1), (7, 7), (92, 92), (93, 14), (365, 53)])
def test_many_days_become_weeks_and_nothing_is_left_out(count, bars):
    made = bars_of(days(count))
    assert len(made) == bars
    assert sum(bar.sums.bytes for bar in made) == count
    assert sum(bar.sums.succeeded for bar in made) == 2 * count
    assert [bar.at for bar in made] == sorted(bar.at for bar in made)
    assert {bar.speed for bar in made} == {2.0}


def test_a_stretch_of_days_is_named_as_short_as_it_can_be():
    assert label_of(date(2026, 11, 9), date(2026, 11, 9)) == "9 Nov 2026"
    assert label_of(date(2026, 11, 23), date(2026, 11, 29)) == "23 to 29 Nov 2026"
    assert label_of(date(2026, 12, 28), date(2027, 1, 3)) == "28 Dec to 3 Jan 2027"


def test_bars_of_a_list_are_shares_of_the_largest():
    assert [
        row.share for row in rows_of([Named("a", bytes=40), Named("b", bytes=10), Named("c")], "bytes")
    ] == [
        1000,
        250,
        0,
    ]
    assert rows_of([], "bytes") == []
    assert [row.share for row in rows_of([Named("a")], "speed")] == [0]


def test_a_page_knows_when_there_is_nothing_to_show():
    nothing = shown(period({}, [], [], [], 1, 7), 7)
    assert nothing["empty"]
    assert not shown(period({3: DaySums(3 * DAY, cancelled=1)}, [], [], [], 1, 7), 7)["empty"]
    assert nothing["flow_step"] == "hour"
    assert [shown(period({}, [], [], [], 1, last), last)["flow_step"] for last in (1, 30, 90, 365)] == [
        "10 minutes",
        "6 hours",
        "12 hours",
        "day",
    ]

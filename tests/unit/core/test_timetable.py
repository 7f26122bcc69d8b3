"""Speed limits by time of day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.timetable import Timetable

MONDAY = datetime(2026, 11, 23)  # noqa: DTZ001 - wall clock is what counts here


def at(day: int, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


def test_rules_by_day_and_hour():
    table = Timetable.parse("mon-fri 08:00-18:00=2MB/s, 22:00-06:00=0")
    assert table.limit_at(at(0, "07:59")) is None
    assert table.limit_at(at(0, "08:00")) == 2_000_000
    assert table.limit_at(at(4, "17:59")) == 2_000_000
    assert table.limit_at(at(4, "18:00")) is None
    assert table.limit_at(at(5, "12:00")) is None
    assert table.limit_at(at(5, "23:00")) == 0
    assert table.limit_at(at(6, "05:59")) == 0


def test_a_night_belongs_to_the_day_it_begins():
    table = Timetable.parse("fri 22:00-06:00=1M")
    assert table.limit_at(at(4, "21:59")) is None
    assert table.limit_at(at(4, "22:00")) == 1_000_000
    assert table.limit_at(at(5, "05:59")) == 1_000_000
    assert table.limit_at(at(5, "22:00")) is None
    assert table.limit_at(at(4, "05:00")) is None


def test_the_first_rule_wins():
    table = Timetable.parse("12:00-13:00=0; 00:00-24:00=1K")
    assert table.limit_at(at(2, "12:30")) == 0
    assert table.limit_at(at(2, "13:00")) == 1000


@pytest.mark.parametrize(
    ("days", "covered"),
    [
        ("sat-sun", {5, 6}),
        ("fri-mon", {4, 5, 6, 0}),
        ("mon+wed", {0, 2}),
        ("mon wed-thu", {0, 2, 3}),
        ("SUN", {6}),
        ("tue-tue", {1}),
    ],
)
def test_days(days: str, covered: set[int]):
    table = Timetable.parse(f"{days} 00:00-24:00=1")
    assert {day for day in range(7) if table.limit_at(at(day, "12:00")) == 1} == covered


def test_the_same_minute_twice_is_the_whole_day():
    table = Timetable.parse("wed 08:00-08:00=5")
    assert table.limit_at(at(2, "08:00")) == 5
    assert table.limit_at(at(3, "07:59")) == 5
    assert table.limit_at(at(3, "08:00")) is None


def test_clock_changes_change_nothing():
    """In Berlin 02:30 came twice on 25 October 2026 and not at all on 29 March."""
    table = Timetable.parse("02:00-03:00=7")
    berlin = ZoneInfo("Europe/Berlin")
    for utc_hour, expected in ((0, 7), (1, 7), (2, None)):
        moment = datetime(2026, 10, 25, utc_hour, 30, tzinfo=UTC).astimezone(berlin)
        assert table.limit_at(moment) == expected
    for utc_hour in (0, 1):
        moment = datetime(2026, 3, 29, utc_hour, 30, tzinfo=UTC).astimezone(berlin)
        assert table.limit_at(moment) is None


def test_no_rule_leaves_the_default():
    assert Timetable.parse("").rate_at(0.0, 42) == 42
    assert Timetable.parse(" , ").rules == ()
    assert Timetable.parse("00:00-24:00=3").rate_at(1e9, 42) == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("08:00-18:00", "timetable_invalid"),
        ("8-18=1M", "timetable_invalid"),
        ("08:60-09:00=1", "timetable_invalid"),
        ("08:00-24:01=1", "timetable_invalid"),
        ("24:00-01:00=1", "timetable_invalid"),
        ("foo 08:00-09:00=1", "timetable_invalid"),
        ("mon-tue-wed 08:00-09:00=1", "timetable_invalid"),
        ("mon- 08:00-09:00=1", "timetable_invalid"),
        ("08:00-09:00=fast", "rate_invalid"),
        ("08:00-09:00=-1", "rate_invalid"),
    ],
)
def test_bad_rules_are_named(text: str, code: str):
    with pytest.raises(Invalid) as refused:
        Timetable.parse(f"00:00-01:00=1, {text}")
    assert refused.value.code == code
    assert refused.value.advice


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("mon-fri 08:00-18:00=2MB/s, sat,sun=0", "mon-fri 08:00-18:00=2MB/s; sat-sun 00:00-24:00=0"),
        ("sat , sun 08:00-10:00=5", "sat+sun 08:00-10:00=5"),
        ("mon,wed-thu=1,fri=2", "mon+wed+thu 00:00-24:00=1; fri 00:00-24:00=2"),
        ("sat=off", "sat 00:00-24:00=0"),
        ("SAT,\tSUN = 1K", "sat sun 00:00-24:00=1000"),
    ],
)
def test_days_may_be_separated_by_commas_and_stand_alone(text, same):
    assert Timetable.parse(text).week() == Timetable.parse(same).week()


@pytest.mark.parametrize(
    "text",
    ["sat", "sat,sun", "=1", "sat,=1", ",=", "mon 08:00-10:00=1, tue", "sat;sun=1", "sat 25:00-26:00=1"],
)
def test_days_without_a_limit_are_refused(text):
    with pytest.raises(Invalid):
        Timetable.parse(text)


def test_when_the_limit_changes_next():
    table = Timetable.parse("mon-fri 08:00-18:00=2MB/s")
    zone = ZoneInfo("UTC")
    monday = datetime(2026, 11, 23, 7, 30, tzinfo=zone).timestamp()
    assert table.next_change(monday, 0, zone) == monday + 1800
    assert table.next_change(monday + 1800, 0, zone) == monday + 1800 + 36000
    friday = datetime(2026, 11, 27, 20, 0, tzinfo=zone).timestamp()
    assert table.next_change(friday, 0, zone) == friday + 2.5 * 86400
    assert table.next_change(monday, 2_000_000, zone) is None
    assert Timetable().next_change(monday) is None

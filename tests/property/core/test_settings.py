"""Settings and timetables for any values: layers, carrying, hours, clocks that are set."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.core.errors import Invalid
from ferryman.core.layers import checked
from ferryman.core.live import Live
from ferryman.core.settings import Kind, Origin, Settings, meta_of
from ferryman.core.timetable import DAYS, Timetable
from ferryman.core.units import parse_rate, plain_rate
from ferryman.settings.exchange import Format, differing, exported, read, written

CHANGEABLE = [name for name in Settings.model_fields if not meta_of(name).machine]
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
]
clock = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 0, 0, 15, 30, 59]))
rates = st.sampled_from(["0", "500KB/s", "2MB/s", "1MiB/s", "7"])
days = st.lists(st.sampled_from(DAYS), min_size=1, max_size=4, unique=True).map(",".join)
rules = st.one_of(
    st.builds("{}={}".format, days, rates),
    st.builds("{}-{}={}".format, clock, clock, rates),
    st.builds("{} {}-{}={}".format, days, clock, clock, rates),
)
timetables = st.lists(rules, max_size=5).map(", ".join)
texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40).filter(str.isprintable)


def values_of(name: str) -> st.SearchStrategy:
    meta = meta_of(name)
    kinds = {
        Kind.SWITCH: st.booleans(),
        Kind.RATE: rates,
        Kind.SIZE: st.sampled_from(["1", "500K", "4GiB"]),
        Kind.TIMETABLE: timetables,
        Kind.PATH: texts.map(lambda text: f"/srv/{text}"),
        Kind.CHOICE: st.sampled_from(meta.choices or ("",)),
    }
    if meta.kind is Kind.NUMBER:
        return st.integers(meta.minimum, meta.maximum)
    return kinds.get(meta.kind, texts)


some_values = st.fixed_dictionaries({}, optional={name: values_of(name) for name in CHANGEABLE})


def right(values: dict) -> dict:
    """Only those that are right: some settings have rules of their own."""
    return {
        name: value for name, value in values.items() if checked({"home": "/h", name: value})[0] is not None
    }


@given(some_values, some_values)
@settings(max_examples=60, deadline=None)
def test_what_is_exported_makes_another_ferryman_the_same(stored, other):
    one, two = Live(Settings(home=Path("/h"))), Live(Settings(home=Path("/h")))
    one.apply(right(stored))
    for form in Format:
        taken = read(written(exported(one), form), form)
        two.apply(right(other))
        merged = right(other) | differing(two, taken)
        two.apply(merged)
        for name in CHANGEABLE:
            if one.origin(name) is Origin.CONSOLE and not meta_of(name).secret:
                assert getattr(two.next(), name) == getattr(one.next(), name), (name, form)


@given(some_values, some_values, st.sets(st.sampled_from(CHANGEABLE)))
@settings(max_examples=60, deadline=None)
def test_the_later_layer_wins(file, console, fixed):
    file, console = right(file), right(console)
    base = Settings.model_validate({"home": "/h", **file})
    base._origins.update(dict.fromkeys(fixed & set(file), Origin.ENVIRONMENT))
    live = Live(base)
    live.apply(console)
    for name in CHANGEABLE:
        wanted = file if name in fixed and name in file else console if name in console else file
        expected = checked({"home": "/h", name: wanted[name]})[0] if name in wanted else None
        default = getattr(Settings(home=Path("/h")), name)
        assert getattr(live.next(), name) == (getattr(expected, name) if expected else default), name


@given(st.text(max_size=200), st.sampled_from(list(Format)))
def test_no_text_breaks_an_import(text, form):
    try:
        found = read(text, form)
    except Invalid as error:
        assert error.code == "import_unreadable"  # noqa: PT017 - either outcome is right
        return
    assert None not in found.values()


@given(st.integers(0, 10**15))
def test_a_rate_is_written_so_that_it_is_read_again(rate):
    assert parse_rate(plain_rate(rate)) == rate


@given(timetables, st.integers(0, 7 * 1440 - 1))
def test_the_week_is_what_the_rules_say(text, minute):
    table = Timetable.parse(text)
    moment = datetime(2026, 11, 23 + minute // 1440, minute % 1440 // 60, minute % 60)  # noqa: DTZ001 - wall clock
    assert table.week()[minute] == table.limit_at(moment)


@given(timetables)
@settings(max_examples=50)
def test_the_hours_are_those_of_the_week(text):
    table = Timetable.parse(text)
    cells, whole = table.hours()
    week = table.week()
    assert whole == all(week[at] == cells[at // 1440][at % 1440 // 60] for at in range(len(week)))


@pytest.mark.parametrize("zone", ZONES)
@given(text=timetables, start=st.integers(1_767_225_600, 1_798_761_600))
@settings(max_examples=15, deadline=None)
def test_the_next_change_is_the_first_minute_with_another_limit(zone, text, start):
    place, table = ZoneInfo(zone), Timetable.parse(text)
    week = [5 if limit is None else limit for limit in table.week()]

    def limit(now: int) -> int:
        local = datetime.fromtimestamp(now, UTC).astimezone(place)
        return week[(local.weekday() * 24 + local.hour) * 60 + local.minute]

    first = start - start % 60 + 60
    looked = (now for now in range(first, first + 7 * 86400 + 7200, 60) if limit(now) != limit(start))
    found = table.next_change(float(start), 5, place)
    expected = next(looked, None)
    if expected is None:
        assert found is None or found > first + 7 * 86400
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("when", "limit"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00; 25 October 2026: 03:00 becomes 02:00 again.
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), 1),
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 3),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), 2),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), 2),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), 3),
    ],
)
def test_the_wall_clock_counts_when_clocks_are_set(when, limit):
    table = Timetable.parse("01:00-02:00=1, 02:00-03:00=2, 03:00-04:00=3")
    assert table.rate_at(when.timestamp(), 9, ZoneInfo("Europe/Berlin")) == limit

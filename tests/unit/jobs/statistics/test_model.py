import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.jobs.model import Desired, Job, Progress, Reason, State
from ferryman.jobs.statistics.model import (
    DAY,
    EVERYONE,
    Cell,
    DaySums,
    Named,
    Span,
    cover,
    job_ended,
    month_of,
    period,
    run_ended,
    saved,
    step_of,
)

MIB = 1 << 20
NOW = 20_000.0 * DAY + 5
JOB = Job(
    id="j", kind="toy", title="t", spec={}, state=State.RUNNING, desired=Desired.RUN, priority=5, position=1.0,
    created_at=1.0, updated_at=1.0, owner="me", host="h", category="c",
)  # fmt: skip


def test_an_end_is_summed_for_its_owner_and_for_all_under_each_facet():
    rollup = run_ended({}, JOB, State.FAILED, Reason.NETWORK, Progress(network=7, resumed=3), 2.5, NOW)
    assert {(cell.owner, cell.facet, cell.name) for cell in rollup} == {
        (owner, facet, name)
        for owner in ("me", EVERYONE)
        for facet, name in (("kind", "toy"), ("category", "c"), ("host", "h"), ("reason", "network"))
    }
    assert {(cell.span, cell.day) for cell in rollup if cell.facet == "host"} == {
        ("day", 20_000),
        ("month", 19_997),
    }
    sums = rollup[Cell(EVERYONE, "host", "day", 20_000, "h", "failed")]
    assert (sums.number, sums.bytes, sums.resumed, sums.seconds) == (1, 7, 0, 2.5)
    job_ended(rollup, JOB, State.FAILED, NOW)
    assert sums.number == 2


def test_a_clock_that_went_back_takes_no_time_away():
    rollup = run_ended({}, JOB, State.SUCCEEDED, None, Progress(resumed=3), -4.0, NOW)
    assert {sums.seconds for sums in rollup.values()} == {0.0}
    assert {sums.resumed for sums in rollup.values()} == {3}


def test_the_speed_of_a_host_needs_enough_bytes_and_time():
    assert Named("h", bytes=MIB, seconds=100).speed is None
    assert Named("h", bytes=64 * MIB, seconds=0.1).speed is None
    assert Named("h", bytes=64 * MIB, seconds=32).speed == 2 * MIB


def test_resuming_saved_the_time_its_bytes_would_have_taken_from_their_host():
    total = DaySums(0, bytes=100 * MIB, seconds=100, resumed=60 * MIB)
    fast = Named("fast", bytes=80 * MIB, seconds=20, resumed=40 * MIB)
    little = Named("little", bytes=1, seconds=1, resumed=10 * MIB)
    assert saved([fast, little], total) == pytest.approx(10 + 10 + 10)  # the last: hosts beyond the list
    assert saved([], DaySums(0)) == 0
    assert saved([Named("h", resumed=5)], DaySums(0, resumed=5)) == 0


def test_a_period_is_whole_and_ordered():
    hosts = [Named(f"h{n}", bytes=(30 - n) * 32 * MIB, seconds=100.0 * (n + 1)) for n in range(30)]
    found = period(
        {3: DaySums(3 * DAY, bytes=5, succeeded=1)}, hosts, [Named("")], [("x", "failed", 2)], 1, 4
    )
    assert [day.at for day in found.days] == [DAY, 2 * DAY, 3 * DAY, 4 * DAY]
    assert (found.total.bytes, found.total.at, found.success) == (5, DAY, 1.0)
    assert [host.name for host in found.hosts] == [f"h{n}" for n in range(10)]
    assert [host.name for host in found.slowest] == [f"h{n}" for n in range(29, 19, -1)]
    assert (found.failures, found.retries) == ({"x": 2}, {})


def test_nothing_done_has_no_rate_of_success():
    found = period({}, [], [], [], 1, 2)
    assert (found.success, found.speed, found.saved_seconds) == (None, None, 0.0)


def test_a_chart_of_the_speed_has_a_bounded_number_of_points():
    for days in range(1, 366):
        step = step_of(days)
        assert DAY % step == 0
        assert days * DAY / step <= 400


@given(st.integers(0, 40_000), st.integers(0, 800))
def test_a_period_is_covered_by_days_and_months_that_do_not_overlap(last, back):
    first = max(0, last - back)
    spans = cover(first, last)
    covered = []
    for span, begin, end in spans:
        for day in range(begin, end + 1):
            if span is Span.DAY:
                covered.append(day)
            elif month_of(day) == day:
                covered += [one for one in range(day, day + 31) if month_of(one) == day]
    assert covered[: last - first + 1] == list(range(first, last + 1))
    assert all(month_of(day) == month_of(last) for day in covered[last - first + 1 :])


def test_a_month_begins_with_its_first_day():
    assert [month_of(day) for day in (0, 30, 31, 59, 20_000)] == [0, 0, 31, 59, 19_997]

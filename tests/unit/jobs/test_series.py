from hypothesis import given, settings
from hypothesis import strategies as st

from ferryman.jobs.model import Progress
from ferryman.jobs.series import MOST, NAME, Point, Series, SeriesFile, read_series


def grown(seconds, run=1, start=0.0, series=None):
    series = series or Series()
    for number in range(seconds):
        series = series.add(Point(start + number, run, number * 100, number * 100, 0, 100.0))
    return series


def test_a_point_that_comes_too_early_is_left_out_unless_it_is_the_last():
    series = Series().add(Point(1.0, 1, 0, 0, 0, 0.0))
    early = Point(1.4, 1, 1, 1, 1, 1.0)
    assert series.add(early) is series
    assert series.add(early, last=True).points[-1] == early
    assert len(series.add(Point(1.4, 2, 1, 1, 1, 1.0)).points) == 2


def test_a_long_run_is_told_in_few_points_from_its_beginning_to_its_end():
    series = grown(5000)
    assert MOST / 2 <= len(series.points) <= MOST
    assert series.points[0].at <= series.step
    assert series.points[-1].at > 5000 - 2 * series.step
    assert {point.rate for point in series.points} == {100.0}
    gaps = {after.at - before.at for before, after in zip(series.points, series.points[1:], strict=False)}
    assert max(gaps) <= 2 * series.step


def test_far_apart_points_tell_the_mean_rate_of_the_time_between():
    series = Series(step=32.0, points=(Point(0.0, 1, 0, 0, 0, 0.0),))
    assert series.add(Point(40.0, 1, 4000, 0, 0, 7.0)).points[-1].rate == 100.0
    assert series.add(Point(40.0, 2, 4000, 0, 0, 7.0)).points[-1].rate == 7.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.booleans()), max_size=900))
def test_whatever_comes_it_stays_small_and_in_order(moves):
    series, now, run = Series(), 0.0, 1
    for wait, again, last in moves:
        now, run = now + wait, run + again
        series = series.add(Point(now, run, 1, 1, 1, 1.0), last=last)
    times = [point.at for point in series.points]
    assert len(times) <= MOST
    assert times == sorted(times)


def test_what_was_written_is_read_and_a_spoilt_line_is_left_out(tmp_path):
    file = SeriesFile(tmp_path / "job")
    file.begin(Progress(disk=50), 1, 9.0)
    for second in range(700):
        file.add(Progress(network=second, disk=second), 1, 10.0 + second)
    kept = read_series(tmp_path / "job")
    assert kept == file._series
    assert kept.step > 1
    with (tmp_path / "job" / NAME).open("a") as stream:
        stream.write('[1,2\n["x",1,1,1,1,1]\n{}\n')
    assert read_series(tmp_path / "job") == kept
    again = SeriesFile(tmp_path / "job")
    again.begin(Progress(), 2, 2000.0)
    again.add(Progress(network=5), 2, 2000.5, last=True)
    assert read_series(tmp_path / "job").points[:-2] == kept.points
    assert [point.run for point in read_series(tmp_path / "job").points[-2:]] == [2, 2]


def test_no_file_and_one_that_is_none_are_empty(tmp_path):
    assert read_series(tmp_path).points == ()
    (tmp_path / NAME).write_bytes(b"\xff\x00nonsense\n1")
    assert read_series(tmp_path) == Series()


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "job").write_text("a file is in the way")
    SeriesFile(tmp_path / "job").add(Progress(network=1), 1, 1.0)

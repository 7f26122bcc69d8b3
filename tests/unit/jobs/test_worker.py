import pytest

from ferryman.jobs.worker import next_turn


@pytest.mark.parametrize(
    ("before", "now", "turn"),
    [
        (100.0, 100.0, 101.0),  # no work at all
        (100.0, 100.3, 101.0),  # the work is part of the beat
        (100.0, 100.75, 101.0),
        (100.0, 100.9, 101.15),  # a little rest all the same
        (100.0, 105.0, 105.25),  # what was missed is not made up for
    ],
)
def test_turns_are_a_beat_apart_whatever_their_work_takes(before, now, turn):
    assert next_turn(before, now, 1.0) == pytest.approx(turn)


def test_work_of_less_than_a_beat_does_not_slow_the_beat():
    turn = 0.0
    for _ in range(60):
        turn = next_turn(turn, turn + 0.25, 1.0)
    assert turn == 60.0

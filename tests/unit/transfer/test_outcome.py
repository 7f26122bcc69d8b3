"""How something ends that another thread works on."""

import threading

import pytest

from ferryman.transfer.outcome import Outcome


def test_a_value_wakes_who_waits_and_calls_who_asked():
    outcome: Outcome[int] = Outcome()
    heard: list[int] = []
    outcome.when_set(lambda: heard.append(1))
    setter = threading.Thread(target=outcome.set, args=(7,))
    setter.start()
    assert outcome.wait(10) == 7
    setter.join()
    outcome.when_set(lambda: heard.append(2))
    assert heard == [1, 2]
    assert outcome.done()


def test_an_error_is_raised_to_everyone():
    outcome: Outcome[int] = Outcome()
    outcome.set(None, ValueError("x"))
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            outcome.wait(0)


def test_nothing_yet_is_a_time_out():
    outcome: Outcome[int] = Outcome()
    with pytest.raises(TimeoutError):
        outcome.wait(0)
    assert not outcome.done()

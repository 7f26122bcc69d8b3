"""Guessing gets slower and slower; honest people hardly notice."""

import pytest

from ferryman.accounts.throttle import Throttle, ThrottlePolicy, network_of
from ferryman.core.errors import Unavailable


class HandClock:
    def __init__(self):
        self.time = 1000.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def throttle(clock):
    return Throttle(clock)


def waits(throttle, name="anna", client="10.0.0.1"):
    """Try once; return how long the refusal says to wait, 0 when it was let through."""
    try:
        throttle.admit(name, client)
    except Unavailable as error:
        return error.retry_after
    return 0


def test_the_first_failures_cost_nothing_then_the_delay_doubles(throttle, clock):
    assert [waits(throttle) for _ in range(3)] == [0, 0, 0]
    delays = []
    for _ in range(10):
        delay = waits(throttle)
        delays.append(delay)
        clock.time += delay
        assert waits(throttle) == 0
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]


def test_the_refusal_says_who_and_how_long(throttle):
    for _ in range(4):
        waits(throttle)
    with pytest.raises(Unavailable) as caught:
        throttle.admit("anna", "10.0.0.1")
    assert caught.value.code == "login_throttled"
    assert "10.0.0.1" in caught.value.message
    assert "1 s" in caught.value.advice


def test_a_refused_attempt_does_not_make_it_longer(throttle, clock):
    for _ in range(3):
        waits(throttle)
    assert [waits(throttle) for _ in range(50)] == [1] * 50
    clock.time += 1
    assert waits(throttle) == 0


def test_a_burst_of_parallel_attempts_does_not_slip_through(throttle):
    assert sum(waits(throttle) == 0 for _ in range(100)) == 3


def test_success_clears_the_count(throttle):
    for _ in range(3):
        waits(throttle)
        throttle.succeeded("anna", "10.0.0.1")
    assert [waits(throttle) for _ in range(4)] == [0, 0, 0, 1]


def test_nobody_locks_out_somebody_at_another_address(throttle):
    for _ in range(10):
        waits(throttle, client="10.9.9.9")
    assert waits(throttle, client="10.0.0.1") == 0


def test_one_password_for_many_names_is_slowed_too(throttle):
    tried = [waits(throttle, name=f"user{n}") for n in range(40)]
    assert tried[:15] == [0] * 15
    assert all(tried[15:])


def test_many_good_logins_from_one_address_are_never_slowed(throttle):
    for n in range(500):
        assert waits(throttle, name=f"user{n}") == 0
        throttle.succeeded(f"user{n}", "10.0.0.1")


def test_failures_are_forgotten_in_time(throttle, clock):
    for _ in range(3):
        waits(throttle)
    clock.time += 3601
    assert [waits(throttle) for _ in range(4)] == [0, 0, 0, 1]


def test_memory_is_bounded_also_for_hostile_names(clock):
    throttle = Throttle(clock, ThrottlePolicy(entries=100))
    for n in range(1000):
        waits(throttle, name=str(n) * 1000, client=f"client {n}" * 100)
    assert len(throttle._pairs) <= 100
    assert len(throttle._clients) <= 100
    assert all(len(name) <= 128 and len(client) <= 128 for name, client in throttle._pairs)


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_what_counts_as_one_client(client, network):
    assert network_of(client) == network


def test_delays_are_bounded_for_any_count():
    policy = ThrottlePolicy()
    assert policy.delay(10**6, 3) == policy.most
    assert policy.delay(0, 3) == 0

"""Time as people and machines read it."""

import pytest

from ferryman.core.clock import SystemClock, rfc3339


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_764_046_101.5, "2025-11-25T04:48:21.500Z"),
        (1_764_046_101.0006, "2025-11-25T04:48:21.000Z"),
    ],
)
def test_rfc3339_in_utc_with_milliseconds(seconds, shown):
    assert rfc3339(seconds) == shown


def test_the_system_clock_goes_on():
    clock = SystemClock()
    assert clock.now() > 1_700_000_000
    first = clock.monotonic()
    assert clock.monotonic() >= first

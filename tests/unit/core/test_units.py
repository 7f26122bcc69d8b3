"""Bytes, rates and durations: what people type and what they read."""

import pytest

from ferryman.core import units
from ferryman.core.errors import Invalid


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0), ("1500", 1500), ("64KiB", 65536), ("1.5 MB", 1_500_000), ("20m", 20_000_000),
        ("4GiB", 4 * 1024**3), ("2T", 2 * 10**12), (" 7 b ", 7), ("1kib", 1024),
    ],
)  # fmt: skip
def test_sizes(text, size):
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1 2", "1e9", "1.5.5M", "KB", "1PB", "9" * 30, "1M\n2", "\u0663M", "1/s"]
)
def test_what_is_no_size_is_refused_by_name(text):
    with pytest.raises(Invalid) as caught:
        units.parse_size(text)
    assert caught.value.code == "size_invalid"
    assert caught.value.advice


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("2MB/s", 2_000_000),
        ("500K", 500_000),
        ("10MiB/S", 10 * 1024**2),
        ("0", 0),
        ("off", 0),
        ("Unlimited", 0),
    ],
)
def test_rates(text, rate):
    assert units.parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "-2MB/s", "2MB/h", "/s"])
def test_what_is_no_rate_is_refused_by_name(text):
    with pytest.raises(Invalid) as caught:
        units.parse_rate(text)
    assert caught.value.code == "rate_invalid"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1D2H3M4.5S", 93_784.5),
    ],
)
def test_durations(text, seconds):
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "-1", "1w", "5m1h", "1h 30m", "h", "\u0661\u0660s", "nan", "inf"]
)
def test_what_is_no_duration_is_refused_by_name(text):
    with pytest.raises(Invalid) as caught:
        units.parse_duration(text)
    assert caught.value.code == "duration_invalid"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (1024**2, "1.0 MiB"),
        (1024**3 * 2.25, "2.2 GiB"), (1024**4, "1.0 TiB"), (1024**5, "1024.0 TiB"), (-2048, "-2.0 KiB"),
        (1023.9, "1.0 KiB"), (1024**2 - 1, "1.0 MiB"), (1024**3 - 1, "1.0 GiB"), (1024**4 - 1, "1.0 TiB"),
    ],
)  # fmt: skip
def test_sizes_as_read(count, shown):
    assert units.format_size(count) == shown


def test_rates_as_read():
    assert units.format_rate(12 * 1024**2) == "12.0 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "—"), (-1, "—"), (0, "a few seconds"), (9.9, "a few seconds"), (12, "about 10 s"), (54, "about 55 s"),
        (55, "about 1 min"), (170, "about 3 min"), (3299, "about 55 min"), (3300, "about 1 h"), (7200, "about 2 h"),
        (86_399, "about 24 h"), (86_400, "about 1 d"), (1e9, "about 11574 d"),
        (float("inf"), "—"), (float("nan"), "—"),
    ],
)  # fmt: skip
def test_remaining_time_as_people_say_it(seconds, shown):
    assert units.format_eta(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"), (0.42, "0.4 s"), (9.96, "10 s"), (12.4, "12 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"),
        (3599.8, "1 h 0 min"), (7500, "2 h 5 min"), (100_000, "27 h 46 min"),
    ],
)  # fmt: skip
def test_how_long_it_took(seconds, shown):
    assert units.format_duration(seconds) == shown

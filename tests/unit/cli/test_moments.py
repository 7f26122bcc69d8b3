from datetime import UTC, datetime, timedelta

import pytest

from ferryman.cli.moments import moment_of
from ferryman.core.errors import Invalid

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("22:30", timedelta(hours=10, minutes=30)),
        ("11:00", timedelta(hours=23)),
        ("2h", timedelta(hours=2)),
        ("2026-06-16T12:00:00+00:00", timedelta(days=1)),
    ],
)
def test_moments_are_read_as_people_write_them(text, after):
    assert moment_of(text, NOW) - NOW == after


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01"])
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(Invalid) as caught:
        moment_of(text, NOW)
    assert caught.value.code == "moment_invalid"

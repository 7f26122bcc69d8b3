import pytest

from ferryman.core import errors
from ferryman.jobs.model import Reason
from ferryman.jobs.retry import LONGEST, judge, reason_of


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (errors.Invalid, Reason.INVALID),
        (errors.Denied, Reason.DENIED),
        (errors.NotFound, Reason.NOT_FOUND),
        (errors.Conflict, Reason.CONFLICT),
        (errors.Exhausted, Reason.DISK_FULL),
        (errors.Corrupt, Reason.CORRUPT),
        (errors.Unavailable, Reason.NETWORK),
    ],
)
def test_every_branch_has_a_reason(kind, reason):
    assert reason_of(kind("code", "message")) is reason


def test_a_timeout_is_told_apart():
    assert reason_of(errors.Unavailable("connect_timeout", "slow")) is Reason.TIMEOUT
    assert reason_of(ValueError("x")) is Reason.INTERNAL


def test_only_unavailable_is_tried_again_and_not_for_ever():
    error = errors.Unavailable("gone", "gone")
    delays = [judge(error, attempt, 5).delay for attempt in range(1, 6)]
    assert delays == [5, 10, 20, 40, None]
    assert judge(errors.Invalid("x", "x"), 1, 5).delay is None
    assert judge(KeyError("x"), 1, 5).delay is None
    assert judge(error, 30, 99).delay == LONGEST


def test_what_the_other_side_asks_for_is_waited():
    assert judge(errors.Unavailable("busy", "busy", retry_after=100), 1, 5).delay == 100
    assert judge(errors.Unavailable("busy", "busy", retry_after=1), 1, 5).delay == 5


def test_a_full_disk_spends_no_attempt():
    verdict = judge(errors.Exhausted("disk_full", "full"), 99, 5)
    assert verdict.delay == 30
    assert not verdict.counts

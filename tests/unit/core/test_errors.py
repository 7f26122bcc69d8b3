"""The error tree carries what every face shows."""

import pytest

from ferryman.core import errors


def test_an_error_keeps_its_four_parts_and_reads_as_its_message():
    error = errors.Invalid(
        "rate_invalid", "'x' is not a rate.", advice="Write 2MB/s.", fields={"rate": "wrong"}
    )
    assert (error.code, error.message, error.advice) == ("rate_invalid", "'x' is not a rate.", "Write 2MB/s.")
    assert error.fields == {"rate": "wrong"}
    assert str(error) == "'x' is not a rate."


def test_fields_are_a_copy():
    fields = {"name": "empty"}
    error = errors.Conflict("c", "m", fields=fields)
    fields.clear()
    assert error.fields == {"name": "empty"}


@pytest.mark.parametrize(
    "name", ["Invalid", "Denied", "NotFound", "Conflict", "Exhausted", "Unavailable", "Corrupt"]
)
def test_every_branch_hangs_on_the_root_only(name):
    branch = getattr(errors, name)
    assert branch.__bases__ == (errors.FerryError,)
    assert branch("code", "message").advice == ""


def test_unavailable_keeps_how_long_to_wait():
    assert errors.Unavailable("busy", "m", retry_after=2.5).retry_after == 2.5
    assert errors.Unavailable("busy", "m").retry_after is None

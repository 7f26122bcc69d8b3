"""Conditions of changes, as RFC 9110 section 13 has them."""

import pytest

from ferryman.registry.conditions import condition_of
from ferryman.registry.errors import Refusal

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("match", "none_match", "on_a", "on_b", "on_nothing"),
    [
        (f'"{A}"', None, True, False, False),
        (f'"{A}", "{B}"', None, True, True, False),
        (f'W/"{A}"', None, False, False, False),
        ("*", None, True, True, False),
        (None, "*", False, False, True),
        (None, f'"{A}"', False, True, True),
        (None, f'W/"{A}" , "x"', False, True, True),
        ("*", f'"{A}"', False, True, False),
        ('"x"', "*", False, False, False),
    ],
)
def test_conditions(match, none_match, on_a, on_b, on_nothing):
    given = ((b"if-match", match), (b"if-none-match", none_match))
    condition = condition_of([(name, value.encode()) for name, value in given if value])
    assert condition is not None
    assert [condition.holds(one) for one in (A, B, None)] == [on_a, on_b, on_nothing]


def test_lines_of_one_header_are_one_list():
    condition = condition_of([(b"if-match", f'"{A}"'.encode()), (b"if-match", f'"{B}"'.encode())])
    assert condition is not None
    assert condition.holds(A)
    assert condition.holds(B)


def test_no_condition_is_none():
    assert condition_of([(b"host", b"x")]) is None


@pytest.mark.parametrize("text", [A, "", '"a', '*, "a"', '"a" "b"', "W/*"])
def test_what_cannot_be_read_is_refused(text):
    for name in (b"if-match", b"if-none-match"):
        with pytest.raises(Refusal) as caught:
            condition_of([(name, text.encode())])
        assert caught.value.status == 400

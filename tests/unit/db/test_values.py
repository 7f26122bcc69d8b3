import json
import re

import pytest

from ferryman.db.values import clean, dump, fold, matches


def test_numbers_that_json_does_not_have_become_null():
    assert json.loads(dump({"rate": float("inf"), "all": [1.5, float("nan")]})) == {
        "rate": None,
        "all": [1.5, None],
    }


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError):
        dump({"a": object()})


@pytest.mark.parametrize(
    ("text", "stored"), [("plain ü ☃", "plain ü ☃"), ("a\0b", "a\\x00b"), ("\udcff", "\\udcff")]
)
def test_text_is_made_storable_and_stays_readable(text, stored):
    assert clean(text) == stored
    assert clean(clean(text)) == stored


@pytest.mark.parametrize(
    ("text", "folded"), [("ABC", "abc"), ("Über", "uber"), ("ÅNGSTRÖM", "angstrom"), ("日本", "日本")]
)
def test_case_and_accents_make_no_difference(text, folded):
    assert fold(text) == folded


def test_matching_is_on_folded_text_over_lines():
    assert matches("(?=.*uber)(?=.*zug)", "Der ZUG\nfährt Über")
    assert not matches(re.escape("a.c"), "abc")

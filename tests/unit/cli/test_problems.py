import io

import pytest

from ferryman.cli.problems import exit_code, plain, problem, say
from ferryman.core.errors import Conflict, Corrupt, Denied, Exhausted, Invalid, NotFound, Unavailable


@pytest.mark.parametrize(
    ("branch", "code"),
    [(Invalid, 2), (NotFound, 3), (Denied, 4), (Unavailable, 5), (Conflict, 1), (Exhausted, 1), (Corrupt, 1)],
)
def test_exit_codes(branch, code):
    assert exit_code(branch("code", "message")) == code
    assert exit_code(ValueError()) == 1


def test_what_is_said_has_advice_and_fields_but_no_secret_and_no_escape():
    out = io.StringIO()
    error = Invalid(
        "code", "Bad \x1b[31m http://u:hunter2@h/", advice="Do that.", fields={"name": "is wrong", "b": "Bad"}
    )
    say(error, out, subject="file")
    assert out.getvalue() == "error: file: Bad \\x1b[31m http://u:***@h/\n  name: is wrong\n  Do that.\n"


def test_the_document_has_the_members_of_a_problem():
    found = problem(Invalid("code", "token=abc", advice="Do.", fields={"a": "b"}))
    assert found == {
        "code": "code",
        "detail": "token=***",
        "advice": "Do.",
        "errors": {"a": "b"},
        "exit_code": 2,
    }


def test_plain_keeps_words_and_shows_controls():
    assert plain("Größe 漢字") == "Größe 漢字"
    assert plain("a\nb\x07\u202e") == "a\\nb\\x07\\u202e"

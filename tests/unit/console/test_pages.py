import pytest
from pydantic import ValidationError

from ferryman.console.pages import Asked
from ferryman.jobs.model import State


def test_the_address_of_a_list_asks_for_the_same_again() -> None:
    asked = Asked(q="a b&c", state=[State.FAILED, State.QUEUED], sort="run_order")
    assert asked.address("/jobs", "x1") == (
        "/jobs?q=a+b%26c&state=failed&state=queued&sort=run_order&cursor=x1"
    )


def test_the_plain_list_has_the_plain_address() -> None:
    assert Asked().address("/jobs") == "/jobs"


@pytest.mark.parametrize("wrong", [{"q": "a\x00b"}, {"sort": "title"}, {"state": ["gone"]}, {"q": "a" * 201}])
def test_what_is_no_filter_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Asked.model_validate(wrong)

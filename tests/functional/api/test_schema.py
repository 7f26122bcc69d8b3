"""The API does what its description says, for every request schemathesis thinks of."""

from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from ferryman.core.secrets import SecretBox

from .conftest import build

EXAMPLES = 12


class Door:
    """Leads to a house without rooms while tests are collected, which only needs the description, then to a real one."""

    def __init__(self) -> None:
        empty = build(Path("/nonexistent"), "0.0.0.0", cast("SecretBox", None))
        empty.database.close_now()
        self.app: Any = empty.app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


DOOR = Door()
# The event stream never ends; test_events.py is about it.
schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", DOOR).exclude(path="/api/v1/events")


@pytest.fixture
def token(furnished):
    house, secret = furnished
    DOOR.app = house.app
    return secret


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_is_what_it_says(case, token):
    """Every default check, with three exceptions.

    The library does not count 413 as a refusal of wrong data; the limit of all bodies may come first. It takes 507 for a
    crash; a file larger than any disk is announced here, and does not fit.

    A description cannot say everything: that a text is a URL we fetch, that a password is not the name. Then the
    room refuses with a code of its own, which must name the field. A refusal by the description itself
    (`request_invalid`) of what the description allows is a finding.
    """
    headers = {"Authorization": f"Bearer {token}"}
    response = case.call(headers=headers)
    left_out = [negative_data_rejection] if response.status_code == 413 else []
    left_out += [not_a_server_error] if response.status_code == 507 else []
    if response.status_code == 422 and response.json()["code"] != "request_invalid":
        assert response.json()["errors"], response.json()
        left_out.append(positive_data_acceptance)
    case.validate_response(response, headers=headers, excluded_checks=left_out)

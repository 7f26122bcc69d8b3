"""The API does what its description says, for every request schemathesis thinks of."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from .conftest import build

EXAMPLES = 12


class Door:
    """Leads to a house without rooms while tests are collected, which only needs the description, then to a real one."""

    def __init__(self) -> None:
        empty = build(Path("/nonexistent"), "0.0.0.0")
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
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"})

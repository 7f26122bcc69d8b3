"""What the form of the history says, read into filters, and addresses that ask for the same again."""

from urllib.parse import parse_qs, urlsplit

import pytest

from ferryman.downloads.history.asked import HistoryAsked, api_pairs, saved_address
from ferryman.jobs.model import Reason, State


def test_every_field_becomes_a_filter():
    asked = HistoryAsked(
        q="iso", state=[State.FAILED, State.RUNNING], reason="network", host="a.example", category="images",
        owner="someone", min_size="1 MB", max_size="2GiB", since="2026-01-01", until="2026-01-31",
    )  # fmt: skip
    filters, wrong = asked.read()
    assert wrong == {}
    assert (filters.q, filters.state, filters.reason) == ("iso", [State.FAILED], [Reason.NETWORK])
    assert (filters.host, filters.category, filters.owner) == (["a.example"], ["images"], "someone")
    assert (filters.min_size, filters.max_size) == (10**6, 2 << 30)
    assert filters.since.isoformat() == "2026-01-01T00:00:00+00:00"
    assert filters.until.isoformat() == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("min_size", "much"),
        ("max_size", "-1"),
        ("max_size", "99999999999999 TB"),
        ("since", "yesterday"),
        ("until", "2026-02-30"),
        ("until", "9999-12-31"),
        ("finished_since", "2026-01-01Tnoon"),
        ("reason", "bad luck"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_the_rest_counts(field, text):
    filters, wrong = HistoryAsked(**{"q": "iso", field: text}).read()
    assert list(wrong) == [field]
    assert wrong[field]
    assert filters.q == "iso"
    assert not getattr(filters, field)


def test_heads_of_columns_turn_the_order_and_keep_the_filters():
    asked = HistoryAsked(q="a&b", sort="-size")
    assert asked.heading("size") == ("?q=a%26b&sort=size", "descending")
    assert asked.heading("title") == ("?q=a%26b&sort=title", "none")
    assert HistoryAsked(sort="title").heading("title") == ("?sort=-title", "ascending")
    assert HistoryAsked().heading("finished_at") == ("?sort=finished_at", "descending")


def test_one_filter_is_taken_away():
    asked = HistoryAsked(q="x", host="h", state=[State.FAILED, State.CANCELLED])
    assert parse_qs(urlsplit(asked.address("/p", leave="host")).query) == {
        "q": ["x"],
        "state": ["failed", "cancelled"],
    }
    assert asked.address("/p", leave="state", value="failed") == "/p?q=x&state=cancelled&host=h"
    assert HistoryAsked().address("/p") == "/p"


def test_a_saved_filter_asks_for_what_was_saved():
    asked = HistoryAsked(until="2026-01-31", min_size="5 MB", state=[State.FAILED], host="h")
    filters, _ = asked.read()
    query = filters.model_dump(mode="json", exclude_defaults=True) | {"sort": "-size"}
    again = HistoryAsked.model_validate(
        {
            name: values if name == "state" else values[0]
            for name, values in parse_qs(urlsplit(saved_address("/p", query)).query).items()
        }
    )
    assert again.read() == (filters, {})
    assert (again.day("until"), again.sort) == ("2026-01-31", "-size")
    assert saved_address("/p", {}) == "/p"


def test_the_export_has_the_same_filters():
    filters, _ = HistoryAsked(host="h", since="2026-01-01").read()
    pairs = api_pairs(filters, "title")
    assert pairs == [("host", "h"), ("since", "2026-01-01T00:00:00Z"), ("sort", "title")]

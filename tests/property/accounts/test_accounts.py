"""What holds for every name, every set of scopes and every history of the audit log."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ferryman.accounts.chain import GENESIS, Head, canonical, clean, first_broken, linked
from ferryman.accounts.model import (
    ROLE_SCOPES,
    SCOPES,
    Principal,
    Role,
    check_password,
    check_scopes,
    check_user_name,
)
from ferryman.accounts.throttle import Throttle, ThrottlePolicy, network_of
from ferryman.core.errors import FerryError, Invalid, Unavailable

HOSTILE = st.text(st.characters(codec=None), max_size=40)
ROLES = st.sampled_from(list(Role))


class HandClock:
    time = 0.0

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


@given(st.sets(st.sampled_from(SCOPES)), st.sets(st.sampled_from(SCOPES)), ROLES, ROLES)
def test_no_token_carries_more_than_its_user_and_its_maker(wanted, held, maker, owner):
    holder = Principal("u", "anna", maker, frozenset(held) & ROLE_SCOPES[maker], "session")
    try:
        granted = check_scopes(wanted, holder, owner)
    except FerryError:
        assert not wanted or wanted - holder.scopes or wanted - ROLE_SCOPES[owner]
    else:
        assert granted == wanted
        assert granted <= holder.scopes & ROLE_SCOPES[owner]


@given(HOSTILE)
def test_a_name_is_plain_or_refused_with_text_that_can_be_shown(text):
    try:
        name = check_user_name(text)
    except Invalid as error:
        error.message.encode()
    else:
        assert name.isascii()
        assert name == name.lower() == clean(name)


@given(HOSTILE)
def test_a_refused_password_is_not_repeated(text):
    try:
        check_password(text, "anna")
    except Invalid as error:
        assert len(text) < 10 or text not in error.message + error.advice + str(error.fields)  # noqa: PT017 - either outcome is right


@given(HOSTILE)
def test_cleaned_text_is_stored_by_every_database_and_stays_as_it_is(text):
    cleaned = clean(text)
    cleaned.encode()
    assert "\0" not in cleaned
    assert clean(cleaned) == cleaned


@st.composite
def chains(draw):
    head, rows = Head(0, GENESIS), []
    for _ in range(draw(st.integers(1, 8))):
        row = linked(
            head,
            at=draw(st.floats(0, 4e9)),
            actor=draw(HOSTILE),
            via="session",
            action="job.cancel",
            target=draw(HOSTILE),
            detail=canonical(draw(st.dictionaries(st.text(max_size=5), st.integers() | HOSTILE, max_size=3))),
        )
        rows.append(row)
        head = Head(row.id, row.hash)
    return rows


@given(chains(), st.data())
def test_any_change_to_any_row_is_found_there(rows, data):
    assert first_broken(rows, Head(0, GENESIS))[1] is None
    at = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(
        st.sampled_from(["at", "actor", "via", "action", "target", "detail", "prev", "hash", "id"])
    )
    before = getattr(rows[at], column)
    rows[at] = replace(rows[at], **{column: before + "x" if isinstance(before, str) else before + 1})
    assert first_broken(rows, Head(0, GENESIS))[1] == at + 1


@given(chains(), st.data())
def test_any_removal_and_any_other_order_is_found(rows, data):
    end = Head(rows[-1].id, rows[-1].hash)
    kept = data.draw(st.permutations(rows))[: data.draw(st.integers(0, len(rows)))]
    place, broken = first_broken(kept, Head(0, GENESIS))
    assert (broken is None and place == end) is (kept == rows)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 600)), max_size=60))
def test_waiting_as_told_is_always_enough_and_memory_stays_small(attempts):
    clock = HandClock()
    throttle = Throttle(clock, ThrottlePolicy(entries=2))
    for name, right, pause in attempts:
        clock.time += pause
        try:
            throttle.admit(name, "10.0.0.1")
        except Unavailable as error:
            clock.time += error.retry_after
            throttle.admit(name, "10.0.0.1")
        if right:
            throttle.succeeded(name, "10.0.0.1")
        assert len(throttle._pairs) <= 2
        assert len(throttle._clients) <= 2


@given(HOSTILE | st.ip_addresses().map(str))
def test_every_client_belongs_to_one_network_of_bounded_length(client):
    assert network_of(client) == network_of(client)
    assert len(network_of(client)) <= 128

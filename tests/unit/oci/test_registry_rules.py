"""Pace, mirrors, pages and what errors of registries mean."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.errors import Conflict, Corrupt, Denied, Exhausted, Invalid, NotFound, Unavailable
from ferryman.oci.failures import answer_error, said, temporary, tries_for
from ferryman.oci.links import next_link
from ferryman.oci.mirrors import Mirrors, parse_mirrors
from ferryman.oci.pace import Flow, Pace, answered, refused


def test_a_refusal_halves_and_pauses():
    flow = refused(Flow(8, 8.0), 10.0, 5.0)
    assert (flow.limit, flow.not_before) == (4.0, 15.0)
    again = refused(flow, 10.1, 2.0)
    assert (again.limit, again.not_before) == (4.0, 15.0)  # of the same moment
    assert refused(flow, 12.0, 1.0).limit == 2.0


def test_good_answers_bring_it_back_slowly():
    flow = refused(Flow(8, 8.0), 0.0, 0.0)
    for second in range(1, 100):
        flow = answered(flow, float(second), 0.01)
    assert flow.limit == 8.0


def test_slow_answers_take_places_away_but_not_all():
    flow = Flow(8, 8.0, best=0.05)
    for second in range(1, 60):
        flow = answered(flow, float(second * 2), 3.0)
    assert flow.limit == 2.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=50))
def test_there_is_always_a_place_and_never_too_many(events):
    flow, now = Flow(8, 8.0), 0.0
    for refuses, seconds in events:
        now += seconds
        flow = refused(flow, now, seconds) if refuses else answered(flow, now, seconds)
        assert 1.0 <= flow.limit <= 8.0


def test_a_pause_holds_everybody_back():
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(4, clock=lambda: now[0], sleep=sleep)
    pace.refused(2.5)
    with pace.turn(writing=False):
        assert now[0] == 2.5
    assert slept == [1.0, 1.0, 0.5]


def test_writers_do_not_take_the_places_of_readers():
    pace = Pace(1)
    with pace.turn(writing=True), pace.turn(writing=False):
        pass
    entered = threading.Event()

    def second() -> None:
        with pace.turn(writing=True):
            entered.set()

    thread = threading.Thread(target=second)
    with pace.turn(writing=True):
        thread.start()
        assert not entered.wait(0.05)
    thread.join(10)
    assert entered.is_set()


MIRRORS = """
[registry."docker.io"]
mirrors = ["https://mirror.example.org/hub", "cache.example.org:5000", "http://plain.example.org/v2/"]
only_digests = true
ns = true

[registry."blocked.example.org"]
blocked = true

[registry."*"]
mirrors = ["cache.example.org:5000"]
"""


def test_mirrors_are_asked_in_order_and_the_registry_last():
    mirrors = parse_mirrors(MIRRORS)
    first, second, third, last = mirrors.reading("docker.io", False)
    assert (first.host, first.repository("library/alpine")) == ("mirror.example.org", "hub/library/alpine")
    assert (first.namespace, first.digests_only, first.mirror, first.plain_http) == (
        "docker.io",
        True,
        True,
        False,
    )
    assert (second.host, second.prefix) == ("cache.example.org:5000", "")
    assert (third.host, third.prefix, third.plain_http) == ("plain.example.org", "", True)
    assert (last.host, last.mirror) == ("registry-1.docker.io", False)
    assert [one.host for one in mirrors.reading("quay.io", False)] == ["cache.example.org:5000", "quay.io"]
    assert mirrors.origin("quay.io", True).plain_http
    with pytest.raises(Invalid, match=r"'blocked\.example\.org' is blocked"):
        mirrors.reading("blocked.example.org", False)
    assert [one.host for one in Mirrors().reading("quay.io", False)] == ["quay.io"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[", "TOML|Invalid|Expected|Unexpected|at line"),
        ("x = 1", "'x' is not known"),
        ('registry = "x"', "not known"),
        ('[registry."a b"]', "'a b' is no host"),
        ('[registry."a.io"]\nmirror = []', "something that is not known"),
        ('[registry."a.io"]\nmirrors = "b.io"', "no list"),
        ('[registry."a.io"]\nmirrors = ["ftp://b.io"]', "no address of a mirror"),
        ('[registry."a.io"]\nmirrors = ["https://user:secret@b.io"]', "no address"),
        ('[registry."a.io"]\nmirrors = ["b.io/UPPER"]', "no address of a mirror"),
        ('[registry."a.io"]\nns = 1', "neither true nor false"),
    ],
)
def test_wrong_files_of_mirrors_are_named(text, why):
    with pytest.raises(Invalid, match=why) as caught:
        parse_mirrors(text, "registries.toml")
    assert caught.value.code == "mirrors_invalid"
    assert "registries.toml" in caught.value.message


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ('</v2/a/tags/list?n=2&last=b>; rel="next"', "/v2/a/tags/list?n=2&last=b"),
        ("<x>;rel=next", "x"),
        ('<a>; rel="prev", <b>; title="t"; rel="next last"', "b"),
        ('<a>; rel="prev"', None),
        ("a; rel=next", None),
        ("", None),
        (None, None),
    ],
)
def test_links_to_the_next_page(value, link):
    assert next_link(value) == link


@given(st.text(max_size=200))
def test_any_link_is_read_without_harm(value):
    assert next_link(value) is None or next_link(value) in value


@pytest.mark.parametrize(
    ("status", "code", "kind", "name"),
    [
        (401, "UNAUTHORIZED", Denied, "auth_required"),
        (403, "DENIED", Denied, "forbidden"),
        (404, "NAME_UNKNOWN", NotFound, "repository_unknown"),
        (404, "MANIFEST_UNKNOWN", NotFound, "manifest_unknown"),
        (404, "BLOB_UNKNOWN", NotFound, "blob_unknown"),
        (404, "BLOB_UPLOAD_UNKNOWN", NotFound, "upload_unknown"),
        (404, "", NotFound, "manifest_unknown"),
        (400, "MANIFEST_BLOB_UNKNOWN", NotFound, "blob_unknown"),
        (400, "DIGEST_INVALID", Corrupt, "digest_refused"),
        (400, "UNSUPPORTED", Invalid, "unsupported"),
        (405, "", Invalid, "unsupported"),
        (409, "", Conflict, "registry_conflict"),
        (413, "", Invalid, "registry_too_small"),
        (429, "TOOMANYREQUESTS", Unavailable, "too_many_requests"),
        (500, "UNKNOWN", Unavailable, "registry_error"),
        (503, "", Unavailable, "registry_error"),
        (507, "", Exhausted, "registry_full"),
        (418, "", Invalid, "registry_refused"),
    ],
)
def test_what_registries_answer_becomes_our_errors(status, code, kind, name):
    body = (
        f'{{"errors":[{{"code":"{code}","message":"because","detail":{{}}}}]}}'.encode()
        if code
        else b"<html>"
    )
    error = answer_error(status, "quay.io/a:1", body)
    assert type(error) is kind
    assert error.code == name
    assert error.advice
    assert "quay.io/a:1" in error.message
    assert str(status) in error.message
    assert not code or "because" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors":[{"code":"UNKNOWN","detail":{"Enclosed":{"Op":"write","Err":28}}}]}',
        b'{"errors":[{"code":"UNKNOWN","detail":"write /data: no space left on device"}]}',
        b"Disk quota exceeded",
    ],
)
def test_a_registry_without_room_is_no_failure_that_passes(body):
    assert answer_error(500, "quay.io/a:1", body).code == "registry_full"
    assert answer_error(500, "quay.io/a:1", b'{"Err":280}').code == "registry_error"


@given(st.binary(max_size=200))
def test_any_body_of_an_error_is_read_without_harm(body):
    code, words = said(body)
    assert words.isprintable()
    assert len(code) <= 60


@pytest.mark.parametrize(
    ("code", "stranger", "met"),
    [
        ("connect_failed", 2, 5),
        ("connect_timeout", 1, 5),
        ("name_unresolved", 1, 5),
        ("tls_missing", 1, 1),
        ("connection_lost", 5, 5),
        ("stalled", 5, 5),
    ],
)
def test_who_never_answered_is_given_up_soon(code, stranger, met):
    error = Unavailable(code, "On purpose.")
    assert tries_for(error, 5, met=False) == stranger
    assert tries_for(error, 5, met=True) == met
    assert tries_for(error, 1, met=False) == 1


def test_what_is_temporary():
    assert all(temporary(status) for status in (429, 500, 502, 503, 504, 522))
    assert not any(temporary(status) for status in (400, 401, 404, 501, 505))

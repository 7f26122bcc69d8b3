import pytest

from ferryman.web.security import host_allowed

from .client import call

BEARER = {"authorization": "Bearer local-secret", "content-type": "application/json"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8470", "127.0.0.1:8470", "[::1]:8470", "127.9.9.9", "LOCALHOST."]
)
def test_loopback_answers_to_its_own_names(host):
    assert host_allowed(host, "127.0.0.1")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil", "[::1", "10.0.0.1", "a@b:c"]
)
def test_loopback_answers_to_no_other_name(host):
    assert not host_allowed(host, "127.0.0.1")


def test_a_server_for_others_answers_to_any_name():
    assert host_allowed("ferry.example", "0.0.0.0")


async def test_a_rebound_name_is_refused_before_anything_else(app):
    answer = await call(app, "GET", "/healthz", headers={"host": "evil.example"})
    assert answer.status == 421


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/api/v1/things/one"])
async def test_every_answer_carries_the_headers(app, path):
    headers = (await call(app, "GET", path)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


async def test_a_body_that_says_it_is_too_large_is_refused_unread(app):
    headers = {**BEARER, "content-length": str(1024 * 1024 + 1)}
    assert (await call(app, "POST", "/api/v1/things/one", headers=headers, body=b"x")).status == 413


async def test_a_body_that_grows_too_large_is_refused_on_the_way(app):
    pieces = [b" " * 500_000] * 3
    answer = await call(app, "POST", "/api/v1/things/one", headers=BEARER, body=pieces)
    assert (answer.status, answer.headers["content-type"]) == (413, "application/problem+json")


@pytest.mark.parametrize("length", ["-1", "ten", "1.5", "\xb2", ""])
async def test_a_length_that_is_no_number_is_refused(app, length):
    assert (await call(app, "GET", "/healthz", headers={"content-length": length})).status == 400


async def test_a_huge_length_is_refused(app):
    assert (await call(app, "GET", "/healthz", headers={"content-length": "9" * 60})).status == 413

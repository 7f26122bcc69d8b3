"""Whatever comes from outside, inputs give a checked value or a clear error."""

import contextlib
import ipaddress
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.errors import Denied, FerryError, Invalid
from ferryman.core.timetable import Timetable
from ferryman.transfer.checksums import digest_from_headers, parse_checksum_file
from ferryman.transfer.credentials import cookie_header, parse_cookies
from ferryman.transfer.headers import parse_header
from ferryman.transfer.listing import parse_list
from ferryman.transfer.metalink import parse_metalink
from ferryman.transfer.naming import LONGEST, OWN_SUFFIXES, name_from, safe_name
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import PORTS, parse_source

hostile = st.text(st.characters(), max_size=300)
dispositions = st.one_of(
    hostile,
    hostile.map(lambda text: f'attachment; filename="{text}"'),
    hostile.map(lambda text: f"attachment; filename*=UTF-8''{text}"),
)
ipv4 = st.ip_addresses(v=4)


@given(dispositions, hostile)
def test_a_name_is_always_one_safe_component(value: str, url: str):
    name = name_from({"content-disposition": value}, url)
    assert name
    assert name not in {".", ".."}
    assert len(name.encode()) <= LONGEST
    assert not set(name) & set('/\\\0\r\n<>:"|?*')
    assert not name.startswith(".")
    assert not name.lower().endswith(OWN_SUFFIXES)
    assert name == name.strip()


@given(hostile)
def test_a_safe_name_stays_as_it_is(text: str):
    once = safe_name(text)
    assert safe_name(once) == once


@given(
    st.one_of(
        hostile, hostile.map(lambda text: f"http://{text}"), hostile.map(lambda text: f"http://h/{text}")
    )
)
def test_a_source_is_plain_ascii_with_a_host_or_an_error(text: str):
    try:
        source = parse_source(text)
    except Invalid:
        return
    parts = urlsplit(source.url)
    assert source.url.isascii()
    assert source.url.isprintable()
    assert " " not in source.url
    assert parts.scheme in PORTS
    assert parts.hostname == source.host
    assert parts.username is None
    again = parse_source(source.url)
    assert again.url == source.url


@given(hostile)
def test_a_header_is_one_line_or_an_error(text: str):
    try:
        name, value = parse_header(text)
    except Invalid:
        return
    assert not set(name + value) & set("\r\n\0")
    assert f"{name}: {value}".encode("latin-1")


@given(ipv4, st.booleans())
def test_every_ipv6_form_is_judged_like_the_ipv4_address_it_carries(
    address: ipaddress.IPv4Address, private: bool
):
    policy = AddressPolicy(private)
    number = int(address)
    forms = [
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x0064FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)),
    ]
    try:
        policy.check(str(address))
    except Denied:
        for form in forms:
            with pytest.raises(Denied):
                policy.check(form)
        return
    policy.check(forms[0])
    policy.check(forms[1])


@given(st.ip_addresses(network="169.254.0.0/16"), st.sampled_from(["dec", "hex", "oct", "short"]))
def test_link_local_hosts_in_any_spelling(address: ipaddress.IPv4Address, spelling: str):
    a, b, c, d = address.packed
    host = {
        "dec": str(int(address)),
        "hex": hex(int(address)),
        "oct": f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "short": f"{a}.{b}.{c * 256 + d}",
    }[spelling]
    assert parse_source(f"http://{host}/").host == str(address)
    with pytest.raises(Denied):
        AddressPolicy(private=True).check_host(host)


@given(hostile, st.binary(max_size=300))
def test_nothing_but_our_errors_comes_out(text: str, raw: bytes):
    for read in (parse_list, Timetable.parse, parse_cookies, lambda value: parse_checksum_file(value, "a")):
        with contextlib.suppress(FerryError):
            read(text)
    with pytest.raises(Invalid):
        parse_metalink(raw)
    for name in ("repr-digest", "digest", "content-md5", "x-goog-hash", "x-checksum-sha256"):
        assert digest_from_headers({name: text}) is None


@given(
    st.lists(st.sampled_from("abc./\t0 TRUE"), max_size=60).map("".join),
    st.sampled_from(["http://a.b/c", "https://b/"]),
)
def test_a_cookie_header_is_one_line(text: str, url: str):
    try:
        cookies = parse_cookies(text)
    except Invalid:
        return
    assert "\n" not in (cookie_header(cookies, url, 0.0) or "")


@given(
    st.integers(0, 23), st.integers(0, 59), st.integers(0, 24 * 60), st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1))  # noqa: DTZ001 - wall clock
)  # fmt: skip
def test_a_rule_and_its_complement_cover_every_moment_once(
    hour: int, minute: int, length: int, moment: datetime
):
    start = hour * 60 + minute
    end = (start + length) % (24 * 60)
    if start == end:
        return
    first, second = (
        f"{a // 60}:{a % 60:02d}-{b // 60}:{b % 60:02d}" for a, b in ((start, end), (end, start))
    )
    covered = [Timetable.parse(f"{text}=1").limit_at(moment) for text in (first, second)]
    assert sorted(covered, key=str) == [1, None]

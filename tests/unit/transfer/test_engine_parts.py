"""The small pure parts of the engine: headers sent, heads read, hosts, meter, tries, proxies."""

import ssl

import pytest

from ferryman.transfer.ask import bare, headers_for
from ferryman.transfer.failures import shown
from ferryman.transfer.hosts import RECOVERY_SECONDS, Hosts
from ferryman.transfer.http import host_key, parse_head, redirect_target, retry_after
from ferryman.transfer.judge import Pins
from ferryman.transfer.meter import Meter, why_slow
from ferryman.transfer.model import Options
from ferryman.transfer.plan import LaneView, Ranges, backoff, chunk_for, next_take
from ferryman.transfer.proxy import proxy_for
from ferryman.transfer.tls import Contexts
from ferryman.transfer.tries import Tries

MIB = 1024 * 1024


def sent(url: str, origin: str, options: Options, pins: Pins | None = None) -> dict[str, str]:
    return dict(headers_for(url, origin, options, pins))


def test_secrets_stay_at_their_host() -> None:
    options = Options(headers=(("Authorization", "X"), ("Cookie", "c"), ("X-Mine", "m")), bearer=None)
    assert sent("http://a/1", "http://a/2", options)["Authorization"] == "X"
    elsewhere = sent("http://b/1", "http://a/2", options)
    assert "Authorization" not in elsewhere
    assert "Cookie" not in elsewhere
    assert elsewhere["X-Mine"] == "m"
    for origin in ("http://a/", "https://a:444/"):
        assert "Authorization" not in sent("https://a/", origin, Options(bearer="t"))
    assert sent("http://a/", "http://u:p%40@a/", Options())["Authorization"] == "Basic dTpwQA=="


def test_identity_is_asked_for_and_the_tag_is_sent() -> None:
    headers = sent(
        "http://a/", "http://a/", Options(headers=(("accept-encoding", "gzip"),)), Pins(1, '"x"', None)
    )
    assert headers["Accept-Encoding"] == "identity"
    assert "accept-encoding" not in headers
    assert headers["If-Range"] == '"x"'


def test_urls_without_what_is_secret() -> None:
    assert bare("http://u:p@h:1/a?b#c") == "http://h:1/a?b"
    assert shown("http://u:p@h/a?token=1") == "http://h/a"


def test_heads() -> None:
    head = parse_head(b'HTTP/1.1 206 Partial\r\nETag: "x"\r\nX: 1\r\nX: 2\r\nbroken\r\nContent-Length: 5, 5')
    assert (head.status, head.etag, head.headers["x"], head.length) == (206, '"x"', "1, 2", 5)
    assert parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6").length is None
    for raw in (b"", b"HTTP/2 200", b"ICY 200 OK", b"HTTP/1.1 2000 OK"):
        with pytest.raises(ValueError, match="not an HTTP"):
            parse_head(raw)


def test_redirects() -> None:
    assert redirect_target("http://h/a/b", "../c d") == "http://h/c%20d"
    assert redirect_target("http://h/a", "//g/ü") == "http://g/%C3%BC"
    for location in ("ftp://h/", "javascript:1", "http://h:0/", ""):
        with pytest.raises(ValueError):
            redirect_target("http://h/a", location)


def test_retry_after_is_bounded() -> None:
    assert retry_after("99999999999999", 0.0) == 86400.0
    assert retry_after(None, 0.0) is None


def test_host_keys() -> None:
    assert host_key("HTTP://Example.COM/x") == "http://example.com:80"
    assert host_key("https://[::1]:8/x") == "https://::1:8"


def test_a_refusing_host_gets_half_and_recovers_slowly() -> None:
    hosts = Hosts(8)
    assert all(hosts.acquire("h", 0.0) for _ in range(8))
    assert not hosts.acquire("h", 0.0)
    assert hosts.refused("h", 10.0, wait=5.0) == 4
    assert hosts.refused("h", 10.1, wait=5.0) == 4, "one refusal heard by several lanes counts once"
    for _ in range(8):
        hosts.release("h")
    assert not hosts.acquire("h", 14.0)
    assert [hosts.acquire("h", 16.0) for _ in range(5)] == [True] * 4 + [False]
    assert hosts.acquire("h", 10.0 + RECOVERY_SECONDS + 1)


def test_speed_is_smoothed_over_its_window() -> None:
    meter = Meter(0.0)
    for second in range(1, 11):
        meter.update(float(second), second * 1000)
    assert meter.rate == pytest.approx(1000)
    assert meter.eta(5000) == pytest.approx(5)
    meter.update(11.0, 30_000)
    assert 1000 < meter.rate < 3000
    assert meter.eta(None) is None


def test_the_most_certain_reason_is_said() -> None:
    quiet = {"limited": False, "refusing": False, "disk_share": 0.0, "lane_rates": [], "lanes_limit": 4}
    assert why_slow(**quiet) is None
    assert why_slow(**(quiet | {"limited": True, "refusing": True})) == "our own rate limit"
    assert why_slow(**(quiet | {"refusing": True})) == "the host refuses more connections"
    assert why_slow(**(quiet | {"disk_share": 0.9})) == "the disk"
    even = quiet | {"lane_rates": [100.0, 101.0, 99.0]}
    assert why_slow(**even) == "the server's rate per connection"


def test_tries_end_only_when_nothing_comes() -> None:
    tries = Tries(3, 1.0)
    assert tries.failed(0.0, 0, None) == 1.0
    assert tries.failed(0.5, 0, None) == 0.0, "at the same moment: counted already"
    assert tries.failed(2.0, 10, None) == 1.0, "progress forgives"
    assert tries.failed(4.0, 10, 9.0) == 9.0
    assert not tries.spent
    tries.failed(20.0, 10, None)
    assert tries.spent


def test_who_was_never_reached_is_given_up_soon() -> None:
    tries = Tries(5, 1.0)
    tries.failed(0.0, 0, None, reached=False)
    assert not tries.spent
    tries.failed(5.0, 0, None, reached=False)
    assert tries.spent
    known = Tries(5, 1.0)
    known.begin_with(10)
    for now in (0.0, 50.0, 100.0, 150.0):
        known.failed(now, 10, None, reached=False)
    assert not known.spent, "what arrived before shows that somebody was there"
    answered = Tries(5, 1.0)
    answered.failed(0.0, 0, None)
    answered.failed(5.0, 0, None, reached=False)
    assert not answered.spent
    mirrors = Tries(5, 1.0, strangers=3)
    for now in (0.0, 5.0):
        mirrors.failed(now, 0, None, reached=False)
    assert not mirrors.spent, "each mirror is tried"


def test_backoff_doubles_and_obeys_the_server() -> None:
    assert [backoff(n, 0.5, None) for n in (1, 2, 3, 20)] == [0.5, 1.0, 2.0, 30.0]
    assert backoff(1, 0.5, 60.0) == 60.0
    assert backoff(1, 0.5, 9999.0) == 300.0


def test_a_crawling_lane_gives_up_almost_all() -> None:
    lanes = [LaneView(0, 16 * MIB, 100e6), LaneView(16 * MIB, 32 * MIB, 200e3)]
    take = next_take(32 * MIB, Ranges(), lanes, 16 * MIB)
    assert take
    assert take.victim == 1
    assert take.start - 16 * MIB < MIB


def test_requests_grow_with_the_way_to_the_server() -> None:
    assert chunk_for(100e6, 0.001) == 16 * MIB
    assert chunk_for(20e6, 0.1) > 50e6


def test_proxies_of_the_environment() -> None:
    environ = {
        "http_proxy": "http://p",
        "HTTPS_PROXY": "http://q",
        "no_proxy": "localhost,.in.example, 10.0.0.1",
    }
    assert proxy_for("http://a/", Options(), environ) == "http://p"
    assert proxy_for("https://a/", Options(), environ) == "http://q"
    assert proxy_for("http://x.in.example/", Options(), environ) is None
    assert proxy_for("http://10.0.0.1/", Options(), environ) is None
    assert proxy_for("http://a/", Options(no_proxy_env=True), environ) is None
    assert proxy_for("http://localhost/", Options(proxy="socks5://s"), environ) == "socks5://s"
    assert proxy_for("http://a/", Options(), {"HTTP_PROXY": "http://p"}) is None


def test_ciphers_are_those_of_the_system_with_the_quick_ones_first() -> None:
    usual = ssl.create_default_context()
    context = Contexts().get(Options())
    ours, theirs = [[one["name"] for one in each.get_ciphers()] for each in (context, usual)]
    assert set(ours) == set(theirs)
    older = [one["name"] for one in context.get_ciphers() if one["protocol"] != "TLSv1.3"]
    quick = ["AES128-GCM" in name for name in older]
    assert quick == sorted(quick, reverse=True)
    assert quick[0]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname

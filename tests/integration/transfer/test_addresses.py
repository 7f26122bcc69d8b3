"""Where transfers may go: judged after names are resolved, after every redirect, and behind proxies."""

import socket

import pytest

from ferryman.core.errors import Denied
from ferryman.testing import faults
from ferryman.testing.proxies import HttpProxy, SocksProxy
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.policy import AddressPolicy

from .conftest import Fetcher

DATA = made_up(100_000)
METADATA = [
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "0xa9.254.43518",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]", "[fe80::1]", "[::]", "0.0.0.0", "100.100.100.200",
]  # fmt: skip


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("host", METADATA)
def test_metadata_and_link_local_are_refused_whatever_is_allowed(fetch: Fetcher, host: str):
    with pytest.raises(Denied) as refused:
        fetch(f"http://{host}/latest/meta-data/", allow=AddressPolicy(private=True))
    assert refused.value.code == "address_refused"
    assert refused.value.advice
    assert list(fetch.folder.iterdir()) == []


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("host", METADATA)
def test_a_redirect_leads_nowhere_else(upstream: Upstream, fetch: Fetcher, host: str):
    url = upstream.serve("/a", faults.redirect(f"http://{host}/latest/meta-data/"))
    with pytest.raises(Denied) as refused:
        fetch(url)
    assert refused.value.code == "address_refused"


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_loopback_follows_the_setting(upstream: Upstream, fetch: Fetcher, host: str):
    url = upstream.url("/a", host)
    upstream.serve("/a", File(DATA))
    with pytest.raises(Denied):
        fetch(url, allow=AddressPolicy(private=False))
    assert upstream.seen() == []
    assert fetch(url, allow=AddressPolicy(private=True)).path.read_bytes() == DATA


@pytest.mark.usefixtures("carrier")
def test_a_mirror_at_a_refused_address_does_not_spoil_the_others(upstream: Upstream, fetch: Fetcher):
    good = upstream.serve("/a", File(DATA))
    assert fetch("http://169.254.169.254/a", good).path.read_bytes() == DATA


def test_a_name_is_judged_by_what_it_resolves_to(
    upstream: Upstream, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
):
    real = socket.getaddrinfo

    def resolve(host, port, *arguments, **named):
        mapped = {"innocent.example": "169.254.169.254", "files.example": "127.0.0.1"}.get(host, host)
        return real(mapped, port, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    upstream.serve("/a", File(DATA))
    assert fetch(upstream.url("/a", "files.example")).path.read_bytes() == DATA
    with pytest.raises(Denied) as refused:
        fetch("http://innocent.example/a", name="other")
    assert "169.254.169.254" in refused.value.message
    assert "innocent.example" in refused.value.message
    with pytest.raises(Denied):
        fetch(upstream.url("/a", "files.example"), allow=AddressPolicy(private=False), name="other")


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "2852039166", "[::ffff:a9fe:a9fe]", "metadata.google.internal"]
)
def test_a_proxy_of_the_job_is_no_way_around(
    upstream: Upstream, fetch: Fetcher, kind: type[HttpProxy | SocksProxy], host: str
):
    with kind() as proxy:
        with pytest.raises(Denied):
            fetch(f"http://{host}/latest/", proxy=proxy.url())
        redirect = upstream.serve("/a", faults.redirect(f"http://{host}/latest/"))
        with pytest.raises(Denied):
            fetch(redirect, proxy=proxy.url())
        assert not [seen for seen in proxy.seen if not seen.endswith(f":{upstream.port}")]


def test_a_proxy_at_a_private_address_follows_the_setting(upstream: Upstream, fetch: Fetcher):
    upstream.serve("/a", File(DATA))
    with HttpProxy(hosts={"files.example": "127.0.0.1"}) as proxy:
        with pytest.raises(Denied):
            fetch(upstream.url("/a", "files.example"), proxy=proxy.url(), allow=AddressPolicy(private=False))
        assert proxy.seen == []

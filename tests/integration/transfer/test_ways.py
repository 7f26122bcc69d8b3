"""Ways to a server: TLS, FTP, proxies, and the kinds of credentials."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferryman.core.errors import Denied, FerryError, Invalid, NotFound, Unavailable
from ferryman.testing import faults
from ferryman.testing.ftp import FtpServer
from ferryman.testing.proxies import HttpProxy, SocksProxy
from ferryman.testing.tls import Authority
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.model import Overwrite
from ferryman.transfer.naming import name_from

from .conftest import Fetcher

MiB = 1 << 20
DATA = made_up(3 * MiB + 17)
AGAIN = {"overwrite": Overwrite.OVERWRITE}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def secure(authority: Authority) -> Iterator[Upstream]:
    with Upstream(tls=authority.server_context("127.0.0.1", "localhost", "files.example")) as server:
        server.serve("/a", File(DATA))
        yield server


# -- TLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("carrier")
def test_tls_with_our_own_authority(secure: Upstream, authority: Authority, fetch: Fetcher):
    assert fetch(secure.url("/a"), ca=authority.ca, connections=3).path.read_bytes() == DATA


@pytest.mark.usefixtures("carrier")
def test_tls_of_an_unknown_authority_is_refused_unless_told_otherwise(secure: Upstream, fetch: Fetcher):
    with pytest.raises(Denied) as refused:
        fetch(secure.url("/a"))
    assert refused.value.code == "certificate_untrusted"
    assert refused.value.advice
    assert secure.seen() == []
    assert fetch(secure.url("/a"), insecure=True).path.read_bytes() == DATA


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize(
    ("names", "days"), [(["other.example"], 1.0), (["127.0.0.1"], -1.0)], ids=["name", "expired"]
)
def test_tls_with_the_wrong_certificate_is_refused(
    authority: Authority, fetch: Fetcher, names: list[str], days: float
):
    with Upstream(tls=authority.server_context(*names, days=days)) as server:
        url = server.serve("/a", File(DATA))
        with pytest.raises(Denied) as refused:
            fetch(url, ca=authority.ca)
        assert refused.value.code == "certificate_untrusted"
        assert fetch(url, ca=authority.ca, insecure=True).path.read_bytes() == DATA


@pytest.mark.usefixtures("carrier")
def test_tls_with_a_client_certificate(authority: Authority, fetch: Fetcher):
    with Upstream(tls=authority.server_context("127.0.0.1", clients=True)) as server:
        url = server.serve("/a", File(DATA))
        certificate, key = authority.issue("alice", client=True)
        assert fetch(url, ca=authority.ca, client_cert=certificate, client_key=key).path.read_bytes() == DATA
        with pytest.raises(FerryError):
            fetch(url, ca=authority.ca, **AGAIN)


@pytest.mark.usefixtures("carrier")
def test_tls_files_that_cannot_be_read_are_named(secure: Upstream, fetch: Fetcher, tmp_path: Path):
    for wrong in ({"ca": tmp_path / "none.pem"}, {"client_cert": tmp_path / "none.pem", "insecure": True}):
        with pytest.raises(Invalid) as refused:
            fetch(secure.url("/a"), **wrong)
        assert "none.pem" in refused.value.message


# -- FTP ------------------------------------------------------------------------------------------------------------


def test_ftp_whole_with_the_name_of_the_file(fetch: Fetcher, tmp_path: Path):
    (tmp_path / "a b.bin").write_bytes(DATA)
    with FtpServer(tmp_path) as server:
        result = fetch(server.url("a%20b.bin"), target=fetch.folder, folder=True, name=name_from)
    assert result.path == fetch.folder / "a b.bin"
    assert result.path.read_bytes() == DATA


def test_ftp_goes_on_where_it_stopped(fetch: Fetcher, tmp_path: Path):
    (tmp_path / "a").write_bytes(DATA)
    with FtpServer(tmp_path, rate=MiB) as server:
        fetch.part_of(MiB, server.url("a"), connections=1)
        result = fetch(server.url("a"), connections=1)
    assert result.path.read_bytes() == DATA
    assert result.resumed >= MiB
    assert [command for command in server.commands if command.startswith("REST") and command != "REST 0"]


def test_ftp_with_credentials(fetch: Fetcher, tmp_path: Path):
    (tmp_path / "a").write_bytes(DATA)
    with FtpServer(tmp_path, user="alice", password="open sesame") as server:
        assert fetch(server.url("a"), username="alice", password="open sesame").path.read_bytes() == DATA
        assert fetch(server.url("a", "alice:open%20sesame"), **AGAIN).path.read_bytes() == DATA
        for wrong in ({"username": "alice", "password": "wrong"}, {}):
            with pytest.raises(Denied) as refused:
                fetch(server.url("a"), **AGAIN, **wrong)
            assert "wrong" not in refused.value.message


def test_ftp_of_a_missing_file(fetch: Fetcher, tmp_path: Path):
    with FtpServer(tmp_path) as server, pytest.raises(NotFound):
        fetch(server.url("none"))
    assert list(fetch.folder.iterdir()) == []


# -- proxies --------------------------------------------------------------------------------------------------------

NAMES = {"files.example": "127.0.0.1"}


def test_http_through_an_http_proxy_that_knows_the_name(upstream: Upstream, fetch: Fetcher):
    upstream.serve("/a", File(DATA))
    with HttpProxy(hosts=NAMES) as proxy:
        result = fetch(upstream.url("/a", "files.example"), proxy=proxy.url(), connections=3)
    assert result.path.read_bytes() == DATA
    assert set(proxy.seen) == {f"files.example:{upstream.port}"}


def test_https_through_an_http_proxy_is_a_tunnel(secure: Upstream, authority: Authority, fetch: Fetcher):
    with HttpProxy(hosts=NAMES) as proxy:
        url = secure.url("/a", "files.example")
        assert fetch(url, proxy=proxy.url(), ca=authority.ca).path.read_bytes() == DATA
        with pytest.raises(Denied):  # the proxy is not the one we trust
            fetch(url, proxy=proxy.url(), **AGAIN)
    assert set(proxy.seen) == {f"files.example:{secure.port}"}


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_http_through_a_socks_proxy(upstream: Upstream, fetch: Fetcher, scheme: str):
    upstream.serve("/a", File(DATA))
    host = "files.example" if scheme == "socks5h" else "127.0.0.1"
    with SocksProxy(hosts=NAMES) as proxy:
        result = fetch(upstream.url("/a", host), proxy=proxy.url(scheme=scheme))
    assert result.path.read_bytes() == DATA
    assert set(proxy.seen) == {f"{host}:{upstream.port}"}


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
def test_proxies_that_want_a_login(upstream: Upstream, fetch: Fetcher, kind: type[HttpProxy | SocksProxy]):
    url = upstream.serve("/a", File(DATA))
    with kind(login="alice:secret") as proxy:
        assert fetch(url, proxy=proxy.url("alice:secret")).path.read_bytes() == DATA
        with pytest.raises(FerryError) as refused:
            fetch(url, proxy=proxy.url("alice:hunter2"), **AGAIN)
        assert "hunter2" not in refused.value.message
    assert all("proxy-authorization" not in seen.headers for seen in upstream.seen())


def test_the_proxy_of_the_environment_and_its_exceptions(
    upstream: Upstream, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch
):
    url = upstream.serve("/a", File(DATA))
    with HttpProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        fetch(url)
        assert len(proxy.seen) >= 1
        before = len(proxy.seen)
        fetch(url, no_proxy_env=True, **AGAIN)
        monkeypatch.setenv("no_proxy", "example.org, 127.0.0.1")
        fetch(url, **AGAIN)
        assert len(proxy.seen) == before
        monkeypatch.delenv("no_proxy")
        monkeypatch.delenv("http_proxy")
        monkeypatch.setenv("ALL_PROXY", proxy.url())
        fetch(url, **AGAIN)
        assert len(proxy.seen) > before


def test_a_proxy_that_is_not_there(upstream: Upstream, fetch: Fetcher):
    url = upstream.serve("/a", File(DATA))
    with HttpProxy() as proxy:
        gone = proxy.url()
    with pytest.raises(Unavailable):
        fetch(url, proxy=gone)
    assert upstream.seen() == []


# -- who asks -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("carrier")
def test_basic_bearer_and_headers_reach_the_origin(upstream: Upstream, fetch: Fetcher):
    file = File(DATA)
    for number, (value, how) in enumerate(
        [
            (basic("alice", "sé:cret"), {"username": "alice", "password": "sé:cret"}),
            ("Bearer abc", {"bearer": "abc"}),
            ("Token x", {"headers": (("Authorization", "Token x"),)}),
        ]
    ):
        url = upstream.serve(f"/{number}", faults.wants(file, "Authorization", value))
        assert fetch(url, **AGAIN, **how).path.read_bytes() == DATA
        with pytest.raises(Denied) as refused:
            fetch(url, **AGAIN)
        assert refused.value.code == "auth_required"
    fetch(upstream.serve("/plain", file), headers=(("X-Team", "storage"), ("User-Agent", "me")), **AGAIN)
    seen = upstream.seen("/plain")[0].headers
    assert (seen["x-team"], seen["user-agent"]) == ("storage", "me")


@pytest.mark.usefixtures("carrier")
def test_credentials_in_the_url(upstream: Upstream, fetch: Fetcher):
    url = upstream.serve("/a", faults.wants(File(DATA), "Authorization", basic("a@b", "c/d")))
    assert fetch(url.replace("://", "://a%40b:c%2Fd@")).path.read_bytes() == DATA


def test_netrc_signs_in_where_it_says(
    upstream: Upstream, fetch: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    netrc.chmod(0o600)
    file = faults.wants(File(DATA), "Authorization", basic("alice", "secret"))
    url = upstream.serve("/a", file)
    assert fetch(url, netrc=True).path.read_bytes() == DATA
    with pytest.raises(Denied):
        fetch(url, netrc=False, **AGAIN)
    with Upstream() as other:  # another name: another machine
        elsewhere = other.url("/b", "localhost")
        other.serve("/b", File(DATA))
        fetch(upstream.serve("/c", faults.redirect(elsewhere)), netrc=True, **AGAIN)
        assert all("authorization" not in seen.headers for seen in other.seen())


def test_cookies_go_to_their_host_only(upstream: Upstream, fetch: Fetcher, tmp_path: Path):
    cookies = tmp_path / "cookies.txt"
    later = int(time.time()) + 3600
    cookies.write_text(
        "# Netscape HTTP Cookie File\n"
        f"127.0.0.1\tFALSE\t/\tFALSE\t{later}\tid\tsecret\n"
        f"127.0.0.1\tFALSE\t/other\tFALSE\t{later}\tpath\tno\n"
        f"other.example\tFALSE\t/\tFALSE\t{later}\thost\tno\n"
    )
    url = upstream.serve("/a", faults.wants(File(DATA), "Cookie", "id=secret", 403))
    assert fetch(url, cookies=cookies, connections=3).path.read_bytes() == DATA
    with Upstream() as other:
        other.serve("/b", File(DATA))
        fetch(upstream.serve("/c", faults.redirect(other.url("/b", "localhost"))), cookies=cookies, **AGAIN)
        assert other.seen()
        assert all("cookie" not in seen.headers for seen in other.seen())


def test_a_missing_cookies_file_is_named(upstream: Upstream, fetch: Fetcher, tmp_path: Path):
    with pytest.raises(Invalid) as refused:
        fetch(upstream.serve("/a", File(DATA)), cookies=tmp_path / "none.txt")
    assert "none.txt" in refused.value.message


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_digest_authentication(upstream: Upstream, fetch: Fetcher, algorithm: str):
    file = File(made_up(6 * MiB))
    url = upstream.serve("/a", faults.wants_digest(file, "alice", "open sesame", algorithm))
    result = fetch(url, username="alice", password="open sesame", connections=3)
    assert result.path.read_bytes() == file.data
    answered = [
        seen for seen in upstream.seen() if seen.headers.get("authorization", "").startswith("Digest")
    ]
    assert answered
    assert all("open sesame" not in str(dict(seen.headers)) for seen in answered)
    with pytest.raises(Denied) as refused:
        fetch(url, username="alice", password="hunter2", **AGAIN)
    assert refused.value.code == "auth_required"
    assert "hunter2" not in refused.value.message


def test_digest_authentication_with_the_login_of_netrc(
    upstream: Upstream, fetch: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login alice password secret\n")
    url = upstream.serve("/a", faults.wants_digest(File(DATA), "alice", "secret"))
    assert fetch(url, netrc=True).path.read_bytes() == DATA


def test_a_broken_netrc_is_named(
    upstream: Upstream, fetch: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("what is this hunter2\n")
    with pytest.raises(Invalid) as refused:
        fetch(upstream.serve("/a", File(DATA)), netrc=True)
    assert refused.value.code == "netrc_invalid"
    assert "hunter2" not in refused.value.message
    assert upstream.seen() == []


# -- IPv6 -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("tls", [False, True])
def test_an_address_of_ipv6(fetch: Fetcher, authority: Authority, tls: bool):
    data = made_up(6 * MiB)
    context = authority.server_context("::1") if tls else None
    with Upstream(host="[::1]", tls=context) as server:
        url = server.serve("/a", File(data))
        assert "//[::1]:" in url
        assert fetch(url, ca=authority.ca, connections=3).path.read_bytes() == data
        assert {seen.headers["host"] for seen in server.seen()} == {f"[::1]:{server.port}"}

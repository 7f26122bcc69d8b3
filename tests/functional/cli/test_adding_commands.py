"""`ferry get` with patterns, checksum lists and links; `--detach` with certificates, cookies and Metalinks."""

import json

import pytest

from ferryman.testing.tls import Authority
from ferryman.testing.upstream import File, Upstream, made_up


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


def files(server, *names):
    made = {name: File(made_up(2000, name)) for name in names}
    for name, file in made.items():
        server.serve(f"/cli/{name}", file)
    return made


def test_patterns_lists_and_links_without_a_daemon(daemon, server, tmp_path):
    made = files(server, "p-08", "p-09", "p-10", "summed", "linked")
    base = server.url("/cli/")
    daemon.ferry("get", f"{base}p-[08-10]", "-o", f"{tmp_path}/", "--quiet")
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{made['summed'].sha256}  summed\n")
    daemon.ferry("get", "--input", str(sums), "--base", f"{base}SHA256SUMS", "-o", f"{tmp_path}/", "--quiet")
    link = f"ferry://add?url={base}linked&checksum=sha256:{made['linked'].sha256}&out=n"
    daemon.ferry("get", link, "-o", f"{tmp_path}/", "--quiet")
    for name, path in (*((name, name) for name in list(made)[:4]), ("linked", "n")):
        assert (tmp_path / path).read_bytes() == made[name].data


@pytest.mark.parametrize(("words", "says"), [
    (("magnet:?xt=urn:btih:0",), "BitTorrent"),
    (("http://h/[1-99999]",), "99,999"),
    (("http://h/[1-3:0]",), "step"),
    (("ferry://start?url=http://h/x",), "not known"),
    (("http://h/[1-2]", "--checksum", "md5:" + "0" * 32), "2 files"),
])  # fmt: skip
@pytest.mark.parametrize("detach", [(), ("--detach",)])
def test_what_cannot_be_meant_is_said(daemon, words, says, detach):
    done = daemon.ferry("get", *words, *detach, code=2)
    assert says in done.stderr


def test_the_daemon_gets_certificates_cookies_and_metalinks(daemon, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("client", client=True)
    (tmp_path / "cookies").write_text("127.0.0.1\tFALSE\t/\tTRUE\t0\tsid\tcrumbs\n")
    with Upstream(tls=authority.server_context("127.0.0.1", clients=True)) as secured:
        file = File(made_up(3000, "cli private"))
        url = secured.serve("/private.bin", file)
        (tmp_path / "x.meta4").write_text(
            f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="m/y.bin"><size>3000</size>'
            f'<hash type="sha-256">{file.sha256}</hash><url>{url}</url></file></metalink>'
        )
        done = daemon.ferry(
            "get", str(tmp_path / "x.meta4"), "--detach", "--json", "--cacert", str(authority.ca),
            "--cert", str(certificate), "--key", str(key), "--cookies", str(tmp_path / "cookies"),
        )  # fmt: skip
        job = daemon.ended(json.loads(done.stdout)["id"])
        assert job["state"] == "succeeded", job["error"]
        assert job["result"]["path"].endswith("/m/y.bin")
        assert secured.seen("/private.bin")[-1].headers["cookie"] == "sid=crumbs"
    shown = daemon.ferry("jobs", "show", job["id"], "--json").stdout
    assert "crumbs" not in shown
    assert key.read_text().splitlines()[1] not in shown


def test_scripts_are_not_asked(daemon, server):
    files(server, "again.bin")
    url = server.url("/cli/again.bin")
    for _ in range(2):
        daemon.ended(json.loads(daemon.ferry("get", url, "--detach", "--json").stdout)["id"])
    assert (daemon.home / "downloads/again (1).bin").exists()
    refused = daemon.ferry("get", url, "--detach", "--overwrite", "ask", "-o", "again.bin", code=1)
    assert "exists already" in refused.stderr


def test_preview_of_a_list_and_a_decision(daemon, server, tmp_path):
    made = files(server, "decided.bin")
    url = server.url("/cli/decided.bin")
    first, second = (
        daemon.ended(
            json.loads(daemon.ferry("get", url, "--detach", "--json", "--overwrite", "ask").stdout)["id"]
        )
        for _ in range(2)
    )
    assert (first["state"], second["error_code"]) == ("succeeded", "target_exists")
    sums = tmp_path / "SUMS"
    sums.write_text(f"{made['decided.bin'].sha256}  decided.bin\nnonsense\n")
    shown = daemon.ferry("downloads", "preview", "--input", str(sums), "--base", server.url("/cli/")).stdout
    assert "is there already" in shown
    assert "no scheme" in shown
    daemon.ferry("downloads", "decide", second["id"], "skip")
    assert daemon.ended(second["id"])["result"]["skipped"] is True
    assert (
        "Nothing has to be decided"
        in daemon.ferry("downloads", "decide", second["id"], "skip", code=1).stderr
    )
    daemon.ferry("downloads", "preview", code=2)

"""Adding to a real daemon: lists, patterns, Metalinks, what signs in, and what is asked before anything starts."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from ferryman.testing.tls import Authority
from ferryman.testing.upstream import Exchange, File, Upstream, made_up
from tests.functional.running import wait

ADD = "/api/v1/downloads"


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


def short(value):
    return repr(value)[:30]


def folder(daemon):
    return daemon.home / "downloads"


def add(daemon, **order):
    return daemon.api("POST", ADD, order)


def arrived(daemon, ids):
    jobs = [daemon.ended(one) for one in ids]
    assert [job["state"] for job in jobs] == ["succeeded"] * len(ids), [job["error"] for job in jobs]
    return [job["result"]["path"] for job in jobs]


def read(daemon, data, kind, query="", code=200):
    """Send a file to be read, as it is."""
    address = json.loads((daemon.home / "daemon.json").read_text())["address"]
    secret = (daemon.home / "keys" / "local.token").read_text().strip()
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": kind}
    request = urllib.request.Request(f"{address}{ADD}/read{query}", data, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert code == answer.status
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        status, said = error.code, json.loads(error.read())
    assert status == code, said
    return said


class TestLists:
    def test_a_text_with_everything_in_it(self, daemon, server):
        files = {
            name: File(made_up(5000, name)) for name in ("p-01", "p-02", "p-03", "tagged", "listed", "link")
        }
        url = {name: server.serve(f"/text/{name}", file) for name, file in files.items()}
        base = server.url("/text/")
        text = (
            f"# comment\n\n{base}p-[01-03] dir=parts\n"
            f"sha256:{files['tagged'].sha256} {url['tagged']}\n"
            f"base={base}\n{files['listed'].sha256}  listed\n"
            f"ferry://add?url={url['link']}&checksum=sha256:{files['link'].sha256}&out=renamed\n"
        )
        ids = add(daemon, text=text, folder="text")["ids"]
        assert [path.rpartition("/text/")[2] for path in arrived(daemon, ids)] == [
            "parts/p-01", "parts/p-02", "parts/p-03", "tagged", "listed", "renamed",
        ]  # fmt: skip
        assert daemon.job(ids[4])["result"]["digests"] == [f"sha256:{files['listed'].sha256}"]

    def test_wrong_lines_are_named_and_nothing_is_added(self, daemon, server):
        text = f"{server.url('/x')}\nmagnet:?xt=urn:btih:0\n\nhttp://h/[1-99999]\nhttp://user:hunter2@[::1\n"
        problem = daemon.problem("POST", ADD, {"text": text})
        assert set(problem["errors"]) == {"text.2", "text.4", "text.5"}
        assert "BitTorrent" in problem["errors"]["text.2"]
        assert "99,999" in problem["errors"]["text.4"]
        assert "hunter2" not in json.dumps(problem)
        assert not daemon.api("GET", f"{ADD}?tab=all&q=99999")["items"]

    def test_partial_takes_the_rest(self, daemon, server):
        url = server.serve("/partial.bin", File(b"x"))
        found = daemon.api(
            "POST", f"{ADD}?partial=true", {"text": f"nonsense\n{url}\n", "urls": ["nonsense", url]}
        )
        assert [(one["field"], one["index"]) for one in found["refused"]] == [("urls", 0), ("text", 1)]
        assert len(arrived(daemon, found["ids"])) == 2

    @pytest.mark.parametrize("order", [
        {"urls": ["http://h/[1-10000]", "http://h/x"]},
        {"text": "http://h/[1-5000]\nhttp://i/[1-5000]\nhttp://j/x"},
        {"text": "http://h/[1-9999]", "entries": [{"urls": ["http://h/x"]}, {"urls": ["http://h/y"]}]},
    ])  # fmt: skip
    def test_more_than_ten_thousand_are_refused(self, daemon, order):
        problem = daemon.problem("POST", ADD, order)
        assert problem["status"] == 422
        assert "10,000" in json.dumps(problem)

    def test_entries_in_parts(self, daemon, server):
        file = File(made_up(3000, "entry"))
        mirrors = [server.url("/gone"), server.serve("/entry.bin", file)]
        entry = {
            "urls": mirrors,
            "name": "e.bin",
            "folder": "deep",
            "checksum": f"sha256:{file.sha256}",
            "size": 3000,
        }
        (path,) = arrived(daemon, add(daemon, entries=[entry], folder="entries")["ids"])
        assert path.endswith("/entries/deep/e.bin")
        wrong = daemon.ended(add(daemon, entries=[{**entry, "size": 3001, "name": "f.bin"}])["ids"][0])
        assert wrong["state"] == "failed"
        problem = daemon.problem(
            "POST", ADD, {"entries": [{**entry, "name": "../up"}, {**entry, "checksum": "md5:1"}]}
        )
        assert set(problem["errors"]) == {"entries.0.name", "entries.1.checksum"}


class TestFiles:
    def metalink(self, server, file, size=None):
        size = len(file.data) if size is None else size
        return (
            '<?xml version="1.0" encoding="UTF-8"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">'
            f'<file name="m/one.bin"><size>{size}</size><hash type="sha-256">{file.sha256}</hash>'
            f'<url priority="1">{server.url("/gone")}</url><url priority="2">{server.url("/one.bin")}</url></file>'
            f'<file name="two.bin"><url>{server.url("/one.bin")}</url></file></metalink>'
        ).encode()

    def test_a_metalink_through_the_daemon(self, daemon, server):
        file = File(made_up(9000, "metalink"))
        server.serve("/one.bin", file)
        found = read(daemon, self.metalink(server, file), "application/octet-stream", "?name=x.meta4")
        assert found["kind"] == "metalink"
        assert [entry["size"] for entry in found["entries"]] == [9000, None]
        for entry in found["entries"]:
            del entry["line"]
        paths = arrived(daemon, add(daemon, entries=found["entries"], folder="meta")["ids"])
        assert [path.rpartition("/meta/")[2] for path in paths] == ["m/one.bin", "two.bin"]
        assert (folder(daemon) / "meta/m/one.bin").read_bytes() == file.data

    def test_a_form_with_a_list(self, daemon):
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="list.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\nhttp://h/[1-3].zip\nnonsense\n"
            + f"{'a' * 64}  x y.iso\n".encode()
            + b'\r\n--b\r\nContent-Disposition: form-data; name="base"\r\n\r\nhttp://h/d\r\n--b--\r\n'
        )
        found = read(daemon, body, "multipart/form-data; boundary=b")
        assert [entry["urls"] for entry in found["entries"]] == [
            ["http://h/1.zip"], ["http://h/2.zip"], ["http://h/3.zip"], ["http://h/d/x%20y.iso"],
        ]  # fmt: skip
        assert [(one["line"], one["code"]) for one in found["problems"]] == [(2, "url_scheme")]
        assert found["patterns"][0]["count"] == 3

    @pytest.mark.parametrize(("data", "kind", "query", "code", "says"), [
        (b"", "text/plain", "", 422, "list_empty"),
        (b"\xff\xfe\x00", "text/plain", "", 422, "list_unreadable"),
        (b"<metalink/>", "text/plain", "", 422, "metalink_invalid"),
        (b'<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]><metalink>&e;</metalink>', "text/plain",
         "?name=a.meta4", 422, "metalink_invalid"),
        (b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><metalink>&b;</metalink>',
         "application/metalink4+xml", "", 422, "metalink_invalid"),
        (b"http://h/x", "text/plain", "?base=nonsense", 422, "url_scheme"),
        (b"x", "image/png", "", 415, "unsupported_media_type"),
        (b"--b--", "multipart/form-data; boundary=b", "", 422, "file_missing"),
        (b"x", "multipart/form-data", "", 400, "bad_request"),
            (b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n', "multipart/form-data; boundary=b", "",
             422, "field_unknown"),
        (b"h" * (5 << 20), "text/plain", "", 422, "list_unreadable"),

    ], ids=short)  # fmt: skip
    def test_what_cannot_be_read(self, daemon, data, kind, query, code, says):
        problem = read(daemon, data, kind, query, code)
        assert says in problem["code"]


class TestAsked:
    def test_a_file_that_is_there(self, daemon, server):
        url = server.serve("/there.bin", File(b"new"))
        (folder(daemon) / "asked").mkdir(parents=True)
        (folder(daemon) / "asked/there.bin").write_bytes(b"old")
        entries = [{"urls": [url], "name": "there.bin"}, {"urls": [f"{url}?2"], "name": "free.bin"}]
        order = {"entries": entries, "folder": "asked", "overwrite": "ask"}
        problem = daemon.problem("POST", ADD, order)
        assert (problem["status"], problem["code"]) == (409, "target_exists")
        (conflict,) = problem["details"]["conflicts"]
        assert (conflict["place"], conflict["kind"]) == ("entries.0", "exists")
        assert conflict["choices"] == ["rename", "overwrite", "skip"]
        assert not daemon.api("GET", f"{ADD}?q=free.bin")["items"]
        entries[0]["overwrite"] = "rename"
        paths = arrived(daemon, add(daemon, **order)["ids"])
        assert [path.rpartition("/")[2] for path in paths] == ["there (1).bin", "free.bin"]

    @pytest.mark.parametrize(
        ("choice", "old", "number"), [("rename", b"old", 2), ("overwrite", b"new", 1), ("skip", b"old", 1)]
    )
    def test_a_file_that_turns_out_to_be_there(self, daemon, server, choice, old, number):
        url = server.serve(
            f"/late/{choice}",
            File(b"new", headers={"Content-Disposition": f'attachment; filename="{choice}.dat"'}),
        )
        place = folder(daemon) / "late" / choice
        place.mkdir(parents=True)
        (place / f"{choice}.dat").write_bytes(b"old")
        (job,) = add(daemon, urls=[url], folder=f"late/{choice}", overwrite="ask")["ids"]
        failed = daemon.ended(job)
        assert (failed["state"], failed["reason"], failed["error_code"]) == (
            "failed",
            "conflict",
            "target_exists",
        )
        daemon.api("POST", f"{ADD}/{job}/conflict", {"overwrite": choice})
        arrived(daemon, [job])
        assert (place / f"{choice}.dat").read_bytes() == old
        assert len(list(place.iterdir())) == number
        again = daemon.problem("POST", f"{ADD}/{job}/conflict", {"overwrite": choice})
        assert (again["status"], again["code"]) == (409, "conflict_none")

    def test_nobody_decides_about_the_downloads_of_others(self, daemon, server):
        (folder(daemon) / "mine.bin").write_bytes(b"old")
        (job,) = add(daemon, urls=[server.serve("/mine.bin", File(b"new"))], overwrite="ask")["ids"]
        daemon.ended(job)
        daemon.ferry("users", "add", "other", "--role", "member", "--generate")
        scopes = ("--scope", "downloads:write", "--scope", "downloads:read")
        made = daemon.ferry("tokens", "create", "t", "--user", "other", *scopes, "--json").stdout
        token = json.loads(made)["secret"]
        problem = daemon.problem("POST", f"{ADD}/{job}/conflict", {"overwrite": "overwrite"}, token)
        assert problem["code"] == "job_not_found"
        found = daemon.api("POST", f"{ADD}/preview", {"urls": [server.url("/mine.bin")], "look": 0}, token)
        assert found["items"][0]["duplicate_of"] is None

    def test_what_was_asked_for_before(self, daemon, server):
        url = server.serve("/double.bin", File(b"x"))
        (first,) = add(daemon, urls=[url])["ids"]
        arrived(daemon, [first])
        problem = daemon.problem("POST", ADD, {"urls": [url], "duplicates": "ask"})
        assert (problem["status"], problem["code"]) == (409, "download_duplicate")
        assert problem["details"]["conflicts"][0]["job_id"] == first
        skipped = add(daemon, urls=[url, f"{url}?other"], duplicates="skip")
        assert [one["code"] for one in skipped["refused"]] == ["download_duplicate"]
        assert len(skipped["ids"]) == 1
        twice = daemon.problem("POST", ADD, {"urls": [f"{url}?new", f"{url}?new"], "duplicates": "ask"})
        assert "twice" in twice["detail"]

    def test_the_same_request_again_is_not_its_own_duplicate(self, daemon, server):
        order = {"urls": [server.serve("/again.bin", File(b"x"))], "duplicates": "ask"}
        address = json.loads((daemon.home / "daemon.json").read_text())["address"]
        secret = (daemon.home / "keys" / "local.token").read_text().strip()
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "application/json",
            "Idempotency-Key": "k1",
        }
        answers = []
        for _ in range(2):
            request = urllib.request.Request(
                address + ADD, json.dumps(order).encode(), headers, method="POST"
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                answers.append(json.loads(answer.read())["ids"])
        assert answers[0] == answers[1]

    def test_the_preview_says_what_is_there(self, daemon, server):
        url = server.serve("/seen.bin", File(made_up(4000, "seen")))
        (job,) = add(daemon, urls=[url], folder="seen")["ids"]
        arrived(daemon, [job])
        found = daemon.api(
            "POST",
            f"{ADD}/preview",
            {"text": f"{url}\nnonsense\n{server.url('/n')}-[1-99]", "folder": "seen", "look": 1},
        )
        first, wrong, other = found["items"][:3]
        assert (first["name"], first["size"], first["resumable"], first["duplicate_of"]) == (
            "seen.bin",
            4000,
            True,
            job,
        )
        assert first["exists"].endswith("/seen/seen.bin")
        assert (wrong["place"], wrong["code"]) == ("text.2", "url_scheme")
        assert (other["place"], other["seen"], other["name"]) == ("text.3", False, "n-1")
        assert (found["unseen"], found["size"]) == (99, 4000)
        assert found["free"] > 0


class TestSignIn:
    def echo(self, name):
        def answer(exchange: Exchange) -> None:
            exchange.text(200, exchange.seen.headers.get(name, "none"))

        return answer

    def content(self, daemon, **order):
        (path,) = arrived(daemon, add(daemon, **order)["ids"])
        with open(path) as file:
            return file.read()

    def test_cookies_as_a_header_and_as_a_file(self, daemon, server):
        url = server.serve("/cookies", self.echo("cookie"))
        assert self.content(daemon, urls=[url], cookies="Cookie: sid=s3cr3t; b=2") == "sid=s3cr3t; b=2"
        text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tfr0mfile\nother.example\tTRUE\t/\tFALSE\t0\ta\tb\n"
        assert self.content(daemon, urls=[url], cookies=text) == "sid=fr0mfile"
        job = add(daemon, urls=[url], cookies=text)["ids"][0]
        assert "fr0mfile" not in json.dumps(daemon.job(job))

    def test_a_private_authority_and_a_client_certificate(self, daemon, tmp_path):
        authority = Authority(tmp_path)
        certificate, key = authority.issue("client", client=True)
        with Upstream(tls=authority.server_context("localhost", "127.0.0.1", clients=True)) as secured:
            url = secured.serve("/private.bin", File(made_up(2000, "private")))
            (alone,) = add(daemon, urls=[url], ca=authority.ca.read_text())["ids"]
            wait(lambda: daemon.job(alone)["error"], "the server to refuse who shows no certificate")
            daemon.api("POST", f"/api/v1/jobs/{alone}/cancel")
            (job,) = add(
                daemon, urls=[url], ca=authority.ca.read_text(),
                client_cert=certificate.read_text(), client_key=key.read_text(),
            )["ids"]  # fmt: skip
            arrived(daemon, [job])
            both = certificate.read_text() + key.read_text()
            preview = daemon.api(
                "POST",
                f"{ADD}/preview",
                {"urls": [url], "ca": authority.ca.read_text(), "client_cert": both},
            )
            assert preview["items"][0]["size"] == 2000
        secret = key.read_text().splitlines()[1]
        assert secret not in json.dumps(daemon.job(job))
        kept = [
            path for path in daemon.home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
        ]
        assert kept == []
        lent = daemon.home / "keys" / "lent"
        assert list(lent.rglob("*")) == []

    @pytest.mark.parametrize(("field", "value", "code"), [
        ("cookies", "no cookies here", "cookies_invalid"),
        ("cookies", "a=b\nc=d", "cookies_invalid"),
        ("cookies", "x\ty\tz", "cookies_invalid"),
        ("cookies", "a=\u00e9\u0001", "header_invalid"),
        ("ca", "hello", "ca_invalid"),
        ("ca", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ca_invalid"),
        ("client_cert", "hello", "client_cert_invalid"),
        ("client_key", "-----BEGIN A KEY-----", "client_cert_invalid"),
        ("base", "nonsense", "url_scheme"),
        ("base", "https://u:p@h/", "url_credentials"),
        ("window", "at night", "window_invalid"),
        ("ca", "x" * 300_000, "request_invalid"),
        ("cookies", "x" * 2_000_000, "request_invalid"),
        ("text", "\u0000", "url_invalid"),
    ], ids=short)  # fmt: skip
    def test_bad_input_is_named(self, daemon, field, value, code):
        problem = daemon.problem("POST", ADD, {"urls": ["http://h/x"], field: value})
        assert problem["status"] == 422
        assert problem["code"] == code
        assert any(name.startswith(field) for name in problem["errors"]), problem["errors"]

    def test_keys_that_do_not_belong(self, daemon, tmp_path):
        authority = Authority(tmp_path)
        (one, _), (_, other) = authority.issue("a", client=True), authority.issue("b", client=True)
        order = {"urls": ["http://h/x"], "client_cert": one.read_text(), "client_key": other.read_text()}
        assert "does not belong" in daemon.problem("POST", ADD, order)["errors"]["client_cert"]


@pytest.mark.timeout(400)
def test_a_large_order_is_one_batch(daemon):
    """10,000 at once, later: nothing is fetched, everything is there, and it can be taken back."""
    order = {
        "text": "\n".join(f"http://127.0.0.1:9/{n}.bin" for n in range(10_000)),
        "not_before": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
    }
    found = add(daemon, **order)
    assert len(found["ids"]) == len(set(found["ids"])) == 10_000
    assert len(found["items"]) == 1000
    assert daemon.job(found["ids"][9999])["title"] == "9999.bin"
    for start in range(0, 10_000, 500):
        daemon.api(
            "POST", "/api/v1/jobs/bulk", {"action": "cancel", "ids": found["ids"][start : start + 500]}
        )

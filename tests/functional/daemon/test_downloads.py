"""Downloads through the API of a real daemon."""

import json
import os
import threading
import urllib.error
import urllib.request

import pytest

from ferryman.testing.faults import status
from ferryman.testing.upstream import File, made_up
from tests.functional.running import Counted, wait

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


def folder(daemon):
    return daemon.home / "downloads"


def users(daemon, name, role):
    daemon.ferry("users", "add", name, "--role", role, "--generate")
    done = daemon.ferry(
        "tokens", "create", "t", "--user", name, "--scope", "downloads:write", "--scope", "downloads:read",
        "--scope", "jobs:read", "--scope", "jobs:write", "--json",
    )  # fmt: skip
    return json.loads(done.stdout)["secret"]


def test_many_at_once_with_checksums_names_and_folders(daemon, server):
    files = [File(made_up(200_000 + number, f"many {number}")) for number in range(4)]
    urls = [server.serve(f"/many/{number}.bin", file) for number, file in enumerate(files)]
    sums = server.serve(
        "/many/SHA256SUMS", lambda exchange: exchange.text(200, f"{files[3].sha256}  3.bin\n")
    )
    jobs = daemon.add(urls[0], f"{urls[1]} sha256:{files[1].sha256} out=one.bin", urls[2], folder="many/a")
    jobs += daemon.add(urls[3], checksum=sums)
    ended = [daemon.ended(job) for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * 4, [job["error"] for job in ended]
    for file, path in zip(files, ("many/a/0.bin", "many/a/one.bin", "many/a/2.bin", "3.bin"), strict=True):
        assert (folder(daemon) / path).read_bytes() == file.data
    assert ended[3]["result"]["digests"] == [f"sha256:{files[3].sha256}"]
    listed = daemon.api("GET", "/api/v1/downloads?tab=completed&q=one.bin")["items"]
    assert [job["id"] for job in listed] == [jobs[1]]
    assert not daemon.api("GET", "/api/v1/downloads?tab=completed&state=failed")["items"]


def test_pause_resume_and_cancel(daemon, server):
    slow = Counted(made_up(4 * MIB), rate=100_000)
    url = server.serve("/pause.bin", slow)
    paused, cancelled, removed = daemon.add(url, f"{url}?2 out=cancelled.bin", f"{url}?3 out=removed.bin")
    for job in (paused, cancelled, removed):
        wait(lambda job=job: daemon.job(job)["progress"]["disk"] > 100_000, "some bytes")
    daemon.api("POST", f"/api/v1/jobs/{paused}/pause")
    daemon.api("POST", f"/api/v1/jobs/{cancelled}/cancel")
    daemon.api("POST", f"/api/v1/jobs/{removed}/pause")
    wait(lambda: daemon.job(paused)["state"] == daemon.job(removed)["state"] == "paused", "the pause")
    assert daemon.ended(cancelled)["state"] == "cancelled"
    assert not (folder(daemon) / "cancelled.bin.part").exists()
    assert (folder(daemon) / "pause.bin.part").exists()
    assert (folder(daemon) / "removed.bin.part").exists()
    daemon.api("POST", f"/api/v1/jobs/{removed}/cancel")
    wait(lambda: not (folder(daemon) / "removed.bin.part").exists(), "the cancelled file to go")
    slow.file.rate = 0
    daemon.api("POST", f"/api/v1/jobs/{paused}/resume")
    ended = daemon.ended(paused)
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["result"]["resumed"] > 0
    assert (folder(daemon) / "pause.bin").read_bytes() == slow.file.data


def test_the_same_name_at_once_is_never_mixed(daemon, server):
    files = [File(made_up(MIB, f"same {number}"), rate=400_000) for number in range(3)]
    urls = [server.serve(f"/same/{number}/file.bin", file) for number, file in enumerate(files)]
    ended = [daemon.ended(job) for job in daemon.add(*urls)]
    assert {job["state"] for job in ended} == {"succeeded"}
    names = {job["result"]["path"].rpartition("/")[2] for job in ended}
    assert names == {"file.bin", "file (1).bin", "file (2).bin"}
    for job, file in zip(ended, files, strict=True):
        assert (folder(daemon) / job["result"]["path"]).read_bytes() == file.data


def test_the_same_name_at_once_without_renaming_is_a_conflict(daemon, server):
    files = [File(made_up(MIB, f"clash {number}"), rate=200_000) for number in range(2)]
    urls = [server.serve(f"/clash/{number}/clash.bin", file) for number, file in enumerate(files)]
    (first,) = daemon.add(urls[0], overwrite="overwrite")
    wait(lambda: daemon.job(first)["progress"]["disk"], "some bytes")
    (second,) = daemon.add(urls[1], overwrite="overwrite")
    refused = daemon.ended(second)
    assert (refused["state"], refused["reason"], refused["error_code"]) == (
        "failed",
        "conflict",
        "target_twice",
    )
    assert daemon.ended(first)["state"] == "succeeded"
    assert (folder(daemon) / "clash.bin").read_bytes() == files[0].data


def test_files_that_are_there(daemon, server):
    file = File(made_up(1000, "there"))
    url = server.serve("/there.bin", file)
    target = folder(daemon) / "there.bin"
    target.write_bytes(b"old")
    asked, skipped, renamed = (
        daemon.ended(daemon.add(url, overwrite=what)[0]) for what in ("ask", "skip", "rename")
    )
    assert (asked["state"], asked["error_code"]) == ("failed", "target_exists")
    assert "rename" in asked["advice"]
    assert skipped["state"] == "succeeded"
    assert skipped["result"]["skipped"]
    assert renamed["result"]["path"].endswith("/there (1).bin")
    assert target.read_bytes() == b"old"
    problem = daemon.problem(
        "POST", "/api/v1/downloads", {"urls": [url], "name": "there.bin", "overwrite": "ask"}
    )
    assert (problem["status"], problem["code"]) == (409, "target_exists")
    assert daemon.ended(daemon.add(url, overwrite="overwrite")[0])["state"] == "succeeded"
    assert target.read_bytes() == file.data


def test_a_wrong_checksum_keeps_the_data_aside(daemon, server):
    file = File(made_up(5000, "wrong"))
    job = daemon.ended(daemon.add(server.serve("/wrong.bin", file), checksum="sha256:" + "0" * 64)[0])
    assert (job["state"], job["reason"], job["error_code"]) == ("failed", "corrupt", "checksum_mismatch")
    assert (folder(daemon) / "wrong.bin.corrupt").read_bytes() == file.data
    assert not (folder(daemon) / "wrong.bin").exists()
    assert ".corrupt" in job["advice"]


@pytest.mark.parametrize(
    ("order", "field", "code", "status_code"),
    [
        ({"urls": ["gopher://x/y"]}, "urls.0", "url_scheme", 422),
        ({"urls": ["http://"]}, "urls.0", "url_host", 422),
        ({"urls": ["http://a b/"]}, "urls.0", "url_scheme", 422),
        ({"urls": ["http://169.254.169.254/latest"]}, "urls.0", "address_refused", 403),
        ({"urls": ["http://h/x"], "folder": "../up"}, "folder", "path_escapes", 422),
        ({"urls": ["http://h/x"], "folder": "/etc"}, "folder", "path_escapes", 422),
        ({"urls": ["http://h/x out=../up"]}, "urls.0", "name_invalid", 422),
        ({"urls": ["http://h/x"], "name": "a/b"}, "name", "name_invalid", 422),
        ({"urls": ["http://h/x"], "rate_limit": "fast"}, "rate_limit", "rate_invalid", 422),
        ({"urls": ["http://h/x"], "checksum": "sha256:12"}, "checksum", "checksum_invalid", 422),
        ({"urls": ["http://h/x"], "headers": ["no colon"]}, "headers.0", "header_invalid", 422),
        ({"urls": ["http://h/x"], "headers": ["Host: other"]}, "headers.0", "header_reserved", 422),
        ({"urls": ["http://h/x"], "proxy": "gopher://p"}, "proxy", "proxy_invalid", 422),
        ({"urls": ["http://h/x", "http://h/y"], "checksum": "md5:" + "0" * 32}, "checksum", "checksum_of_many", 422),
        ({"urls": ["http://h/x"], "connections": 33}, "connections", "request_invalid", 422),
        ({"urls": []}, "urls", "nothing_to_fetch", 422),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_adds_nothing(daemon, order, field, code, status_code):
    before = daemon.api("GET", "/api/v1/jobs?limit=1")["items"]
    problem = daemon.problem("POST", "/api/v1/downloads", order)
    assert (problem["status"], problem["code"]) == (status_code, code)
    assert list(problem["errors"]) == [field]
    assert daemon.api("GET", "/api/v1/jobs?limit=1")["items"] == before


def test_all_or_nothing_unless_partial(daemon, server):
    good = server.serve("/partial.bin", File(made_up(1000, "partial")))
    order = {"urls": [good, "nonsense", "http://user:secret@169.254.169.254/"]}
    problem = daemon.problem("POST", "/api/v1/downloads", order)
    assert (problem["code"], set(problem["errors"])) == ("download_invalid", {"urls.1", "urls.2"})
    answer = daemon.api("POST", "/api/v1/downloads?partial=true", order)
    assert [one["index"] for one in answer["refused"]] == [1, 2]
    assert "secret" not in json.dumps(answer)
    assert daemon.ended(answer["items"][0]["id"])["state"] == "succeeded"


def test_preview(daemon, server):
    file = File(
        made_up(12_345, "look"), headers={"Content-Disposition": 'attachment; filename="real name.iso"'}
    )
    url = server.serve("/look", file)
    missing = server.serve("/missing", status(404))
    before = len(daemon.api("GET", "/api/v1/downloads?limit=200")["items"])
    found = daemon.api("POST", "/api/v1/downloads/preview", {"urls": [url, missing, "http:///"]})["items"]
    assert (found[0]["name"], found[0]["size"], found[0]["resumable"]) == ("real name.iso", 12_345, True)
    assert found[0]["duplicate_of"] is None
    assert [one["code"] for one in found] == [None, "source_not_found", "url_host"]
    assert len(daemon.api("GET", "/api/v1/downloads?limit=200")["items"]) == before
    (job,) = daemon.add(url)
    daemon.ended(job)
    again = daemon.api("POST", "/api/v1/downloads/preview", {"urls": [url]})["items"][0]
    assert again["duplicate_of"] == job


def test_secrets_reach_the_server_and_nobody_else(daemon, server):
    file = File(made_up(1000, "secret"))
    url = server.serve("/secret.bin", file)
    with_login = url.replace("http://", "http://maria:hunter2hunter2@")
    (job,) = daemon.add(with_login, headers=["X-Token: tell-nobody"])
    assert daemon.ended(job)["state"] == "succeeded"
    sent = server.seen("/secret.bin")[-1].headers
    assert sent["authorization"].startswith("Basic ")
    assert sent["x-token"] == "tell-nobody"
    shown = json.dumps(daemon.job(job))
    shown += daemon.api("GET", f"/api/v1/jobs/{job}/log")["text"]
    shown += json.dumps(daemon.api("GET", f"/api/v1/jobs/{job}/report"))
    kept = b"".join(path.read_bytes() for path in daemon.home.glob("ferry.db*"))
    for secret in ("hunter2hunter2", "tell-nobody"):
        assert secret not in shown
        assert secret.encode() not in kept


def test_members_do_not_reach_private_addresses(daemon, server):
    url = server.serve("/private.bin", File(b"x"))
    member, operator = users(daemon, "member1", "member"), users(daemon, "operator1", "operator")
    refused = daemon.problem("POST", "/api/v1/downloads", {"urls": [url]}, member)
    assert (refused["status"], refused["code"]) == (403, "address_refused")
    named = url.replace("127.0.0.1", "localtest.invalid")
    job = daemon.api("POST", "/api/v1/downloads", {"urls": [named]}, member)["items"][0]["id"]
    daemon.api("POST", f"/api/v1/jobs/{job}/cancel", None, member)
    proxied = daemon.problem("POST", "/api/v1/downloads", {"urls": ["http://h/x"], "proxy": url}, member)
    assert proxied["code"] == "proxy_denied"
    mine = daemon.api("POST", "/api/v1/downloads", {"urls": [url]}, operator)["items"][0]["id"]
    assert daemon.ended(mine)["state"] == "succeeded"
    assert daemon.problem("GET", f"/api/v1/jobs/{mine}", None, member)["code"] == "job_not_found"


def keyed(daemon, key, order):
    """Status and answer of an order that is sent with an idempotency key."""
    address = json.loads((daemon.home / "daemon.json").read_text())["address"]
    token = (daemon.home / "keys" / "local.token").read_text()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(f"{address}/api/v1/downloads", json.dumps(order).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.mark.parametrize(
    "secret", [{}, {"headers": ["X-Team: storage"], "bearer": "made-up"}], ids=["plain", "secret"]
)
def test_an_idempotency_key_makes_one_job(daemon, server, secret):
    order = {"urls": [server.serve("/idem.bin", File(b"once"))], **secret}
    key = f"k{len(secret)}"
    answers = [keyed(daemon, key, order) for _ in range(2)]
    assert [status for status, _ in answers] == [202, 202]
    assert answers[0][1]["items"][0]["id"] == answers[1][1]["items"][0]["id"]
    status, problem = keyed(daemon, key, {**order, "headers": ["X-Team: other"]})
    assert (status, problem["code"]) == (409, "idempotency_reused")


def test_a_folder_that_cannot_be_written_is_refused(daemon):
    (folder(daemon)).mkdir(exist_ok=True)
    (folder(daemon) / "file").write_text("in the way")
    problem = daemon.problem("POST", "/api/v1/downloads", {"urls": ["http://h/x"], "folder": "file/below"})
    assert (problem["status"], problem["code"]) == (422, "target_invalid")


def test_it_moves_ten_downloads_with_little_memory(daemon, server):
    daemon.api("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": 10})
    url = server.serve("/ten.bin", File(made_up(4 * MIB, "ten"), rate=50_000))
    jobs = daemon.add(*[f"{url}?{number} out=ten{number}.bin" for number in range(10)], connections=2)
    wait(lambda: all(daemon.job(job)["progress"]["disk"] > 50_000 for job in jobs), "ten at work")
    with open(f"/proc/{daemon.process.pid}/status") as told:
        rss = next(int(line.split()[1]) for line in told if line.startswith("VmRSS"))
    threads = [
        threading.Thread(target=daemon.api, args=("POST", f"/api/v1/jobs/{job}/cancel")) for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rss < 200 * 1024
    wait(lambda: all(daemon.job(job)["state"] == "cancelled" for job in jobs), "all to be cancelled")
    assert not [name for name in os.listdir(folder(daemon)) if name.startswith("ten")]

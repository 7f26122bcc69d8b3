"""Files of bundles through the API: uploads that go on, downloads with ranges, the inventory, keys, rights."""

import json
import os
import random
import socket
import urllib.error
import urllib.request

import pytest

from ferryman.accounts.model import ROLE_SCOPES, Role
from tests.conformance.depot.making import put_image
from tests.functional.depot.test_commands import Kept
from tests.functional.running import RunningDaemon, wait

BINARY = "application/octet-stream"


class Site(RunningDaemon):
    def sent(self, method, path, body=None, token=None, **headers):
        """Return status, headers and body of a raw request."""
        secret = token or (self.home / "keys" / "local.token").read_text().strip()
        lines = {"Authorization": f"Bearer {secret}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = urllib.request.Request(self.address() + path, body, lines, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def address(self):
        return json.loads((self.home / "daemon.json").read_text())["address"]

    def begin(self, name, size, **more):
        return self.api("POST", "/api/v1/bundle-uploads", {"name": name, "size": size, **more})

    def patch(self, upload, offset, body, token=None):
        headers = {"Upload_Offset": str(offset), "Content_Type": BINARY}
        status, _, answer = self.sent("PATCH", f"/api/v1/bundle-uploads/{upload}", body, token, **headers)
        return status, json.loads(answer)

    def upload(self, name, content, **more):
        return self.patch(self.begin(name, len(content), **more)["id"], 0, content)


@pytest.fixture
def here(home):
    kept = Kept(home)
    put_image(kept.depot, "team/app", "1.0", b"base" * 90_000, random.Random(1).randbytes(300_000))
    kept.close()
    site = Site(home)
    site.start()
    yield site
    site.kill()


@pytest.fixture
def there(tmp_path):
    (tmp_path / "other").mkdir()
    site = Site(tmp_path / "other")
    site.start()
    yield site
    site.kill()


def test_a_bundle_goes_from_console_to_console(here, there):
    own = here.api("GET", "/api/v1/bundle-keys")
    order = {"action": "create", "name": "app.bundle", "refs": ["team/app:1.0"], "volume_size": 200_000}
    assert here.ended(here.api("POST", "/api/v1/bundles", order)["id"])["state"] == "succeeded"
    (made,) = here.api("GET", "/api/v1/bundles")["items"]
    assert (made["name"], made["kind"], len(made["files"])) == ("app.bundle", "bundle", 4)
    shown = here.api("GET", "/api/v1/bundles/app.bundle")["content"]
    assert shown["references"][0]["name"] == "team/app:1.0"
    assert [one["file"] for one in shown["volumes"]] == [one["name"] for one in made["files"]]
    for file in reversed(made["files"][1:]):
        status, headers, content = here.sent("GET", f"/api/v1/bundle-files/{file['name']}")
        assert (status, len(content)) == (200, file["size"])
        assert file["name"] in headers["Content-Disposition"]
        assert there.upload(file["name"], content)[1]["complete"]
    there_shown = there.api("GET", "/api/v1/bundles/app.bundle")["content"]
    assert (there_shown["key_name"], there_shown["key"]) == (None, own["key"])
    assert [one["file"] is None for one in there_shown["volumes"]] == [True, False, False, False]
    load = {"action": "load", "name": "app.bundle"}
    assert there.ended(there.api("POST", "/api/v1/bundles", load)["id"])["error_code"] == "key_untrusted"
    there.api("PUT", "/api/v1/bundle-keys/here", {"key": own["key"]})
    assert there.ended(there.api("POST", "/api/v1/bundles", load)["id"])["error_code"] == "volume_missing"
    there.upload("app.bundle.001", here.sent("GET", "/api/v1/bundle-files/app.bundle.001")[2])
    assert there.ended(there.api("POST", "/api/v1/bundles", load)["id"])["result"]["complete"]
    assert there.api("GET", "/api/v1/images")["items"][0]["repository"] == "team/app"
    there.sent("DELETE", "/api/v1/bundles/app.bundle")
    there.sent("DELETE", "/api/v1/bundle-keys/here")
    assert there.api("GET", "/api/v1/bundles")["items"] == []
    told = [(row["action"], row["target"]) for row in there.api("GET", "/api/v1/audit")["items"]]
    wanted = {("key.trust", "here"), ("key.untrust", "here"), ("bundle.delete", "app.bundle")}
    assert wanted | {("bundle.upload", f"app.bundle.00{number}") for number in range(1, 5)} <= set(told)


def test_an_upload_goes_on_after_a_cut_and_a_kill(here):
    content = random.Random(2).randbytes(3_000_000)
    upload = here.begin("big.bundle", len(content))["id"]
    assert here.patch(upload, 0, content[:1_000_000])[1]["offset"] == 1_000_000
    status, problem = here.patch(upload, 5, content[5:])
    assert (status, problem["code"], problem["details"]["offset"]) == (409, "upload_offset", 1_000_000)
    secret = (here.home / "keys" / "local.token").read_text().strip()
    host, port = here.address().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = (
            f"PATCH /api/v1/bundle-uploads/{upload} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n"
            f"Upload-Offset: 1000000\r\nContent-Type: {BINARY}\r\nContent-Length: 2000000\r\n\r\n"
        )
        connection.sendall(head.encode() + content[1_000_000:1_700_000])

    def free():  # the cut connection is noticed, and what came is written
        there = here.api("GET", f"/api/v1/bundle-uploads/{upload}")["offset"]
        return there if here.patch(upload, there, b"")[0] == 200 else None

    offset = wait(free, "the connection to be let go")
    assert 1_000_000 <= offset <= 1_700_000
    here.kill()
    assert not (here.home / "bundles" / "big.bundle").exists()
    here.start()
    found = here.api("GET", f"/api/v1/bundle-uploads/{upload}")
    assert (found["offset"], found["complete"]) == (offset, False)
    assert here.patch(upload, offset, content[offset:])[1]["complete"]
    assert (here.home / "bundles" / "big.bundle").read_bytes() == content
    assert here.api("GET", f"/api/v1/bundle-uploads/{upload}")["complete"]
    assert here.api("GET", "/api/v1/bundle-uploads")["items"] == []
    assert here.patch(upload, len(content), b"")[1]["code"] == "upload_complete"


def test_what_may_not_be_uploaded(here):
    for name in ("../x", ".x", "a/b", "x" * 151, ""):
        assert here.problem("POST", "/api/v1/bundle-uploads", {"name": name, "size": 1})["status"] == 422
    too_large = {"name": "x", "size": 1 << 50}
    assert here.problem("POST", "/api/v1/bundle-uploads", too_large)["code"] == "disk_full"
    here.api("PATCH", "/api/v1/settings", {"bundle_quota": "2MB"})
    full = here.problem("POST", "/api/v1/bundle-uploads", {"name": "x", "size": 2_500_000})
    assert (full["code"], full["status"]) == ("bundles_full", 507)
    upload = here.begin("x", 10)["id"]
    assert here.patch(upload, 0, b"12345678901")[1]["code"] == "upload_too_long"
    path = f"/api/v1/bundle-uploads/{upload}"
    assert here.sent("PATCH", path, b"1", Upload_Offset="0", Content_Type="text/plain")[0] == 415
    assert here.sent("PATCH", path, b"1", Content_Type=BINARY)[0] == 422
    assert here.patch(upload, 0, b"1234567890")[1]["complete"]
    again = here.problem("POST", "/api/v1/bundle-uploads", {"name": "x", "size": 3})
    assert (again["code"], again["status"]) == ("file_exists", 409)
    late, other = here.begin("y", 1)["id"], here.begin("y", 1)["id"]
    assert here.patch(late, 0, b"1")[0] == 200
    assert here.patch(other, 0, b"2")[1]["code"] == "file_exists"
    assert here.sent("DELETE", f"/api/v1/bundle-uploads/{other}")[0] == 204
    assert here.upload("x", b"new", replace=True)[1]["complete"]
    assert (here.home / "bundles" / "x").read_bytes() == b"new"
    assert here.patch("019600aa-0000-7000-8000-000000000000", 0, b"1")[0] == 404
    assert here.patch("..%2f..%2fferry.db", 0, b"1")[0] == 404


def test_ranges_and_conditions(here):
    content = random.Random(3).randbytes(200_000)
    here.upload("x.bundle", content)
    path = "/api/v1/bundle-files/x.bundle"
    status, headers, body = here.sent("GET", path, Range="bytes=100-299")
    assert (status, body, headers["Content-Range"]) == (206, content[100:300], "bytes 100-299/200000")
    assert here.sent("GET", path, Range="bytes=-5")[2] == content[-5:]
    assert here.sent("GET", path, Range="bytes=150000-")[2] == content[150_000:]
    assert here.sent("GET", path, Range="bytes=200000-")[0] == 416
    assert here.sent("GET", path, Range="lines=1")[2] == content
    assert here.sent("GET", path, If_None_Match=headers["ETag"])[0] == 304
    assert here.sent("GET", path, Range="bytes=0-9", If_Range='"other"')[2] == content
    assert here.sent("GET", path, Range="bytes=0-9", If_Range=headers["ETag"])[0] == 206
    status, headers, body = here.sent("HEAD", path)
    assert (status, headers["Content-Length"], body) == (200, "200000", b"")
    assert here.sent("GET", "/api/v1/bundle-files/none")[0] == 404
    os.symlink("/etc/passwd", here.home / "bundles" / "link")
    assert here.sent("GET", "/api/v1/bundle-files/link")[0] == 404
    assert here.sent("GET", "/api/v1/bundle-files/..%2fferry.db")[0] in {404, 422}
    assert here.api("GET", "/api/v1/bundles/x.bundle")["content"] is None
    assert "no bundle" in here.api("GET", "/api/v1/bundles/x.bundle")["fault"]


def test_the_inventory_serves_a_bundle_elsewhere(here, there):
    theirs = there.api("GET", "/api/v1/bundle-keys")
    here.api("PUT", "/api/v1/bundle-keys/there", {"key": theirs["key"]})
    status, headers, content = there.sent("GET", "/api/v1/depot/inventory")
    assert status == 200
    assert theirs["key_id"][:8] in headers["Content-Disposition"]
    assert not list((there.home / "bundles").glob(".inventory*"))
    here.upload("there.inventory", content)
    order = {"action": "create", "name": "less", "refs": ["team/app:1.0"], "against": "there.inventory"}
    assert here.ended(here.api("POST", "/api/v1/bundles", order)["id"])["result"]["left_out"] == 0
    kinds = {one["name"]: one["kind"] for one in here.api("GET", "/api/v1/bundles?limit=1")["items"]}
    assert kinds == {"less": "bundle"}
    assert here.api("GET", "/api/v1/bundles?cursor=less")["items"][0]["kind"] == "inventory"


def test_rights(here):
    def token(role):
        person = {"name": role, "password": "four plain words here", "role": role}
        here.api("POST", "/api/v1/users", person)
        rights = [scope for scope in sorted(ROLE_SCOPES[Role(role)]) if scope.startswith(("depot", "jobs"))]
        order = {"name": "t", "user": role, "scopes": rights}
        return here.api("POST", "/api/v1/tokens", order)["secret"]

    viewer, member, other = token("viewer"), token("member"), token("operator")
    assert here.sent("GET", "/api/v1/bundles", token=viewer)[0] == 200
    body = {"name": "x", "size": 2}
    assert here.problem("POST", "/api/v1/bundle-uploads", body, viewer)["code"] == "scope_missing"
    upload = here.api("POST", "/api/v1/bundle-uploads", body, member)["id"]
    assert here.patch(upload, 0, b"1", other)[0] == 200, "operators reach all"
    assert here.patch(upload, 1, b"2", member)[1]["complete"]
    mine = here.begin("y", 2)["id"]
    assert here.patch(mine, 0, b"1", member)[0] == 404
    assert here.sent("DELETE", "/api/v1/bundles/x", token=member)[0] == 403
    assert here.sent("DELETE", "/api/v1/bundles/x", token=other)[0] == 204
    assert here.problem("PUT", "/api/v1/bundle-keys/a", {"key": "x"}, other)["code"] == "scope_missing"
    assert here.sent("GET", "/api/v1/bundle-files/x", token="wrong")[0] == 401
    path = {"action": "load", "paths": {"files": ["/etc/passwd"]}}
    assert here.problem("POST", "/api/v1/bundles", path, other)["code"] == "paths_local"

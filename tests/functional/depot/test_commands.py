"""`ferry depot` on a home with and without a daemon, and the same through the API."""

import json

import pytest

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.service import Depot
from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images
from tests.conformance.depot.making import ORIGIN, digest_of, put_image, store, subject
from tests.functional.running import RunningDaemon


class Kept:
    """A home and its depot."""

    def __init__(self, home):
        home.mkdir(exist_ok=True)
        self.database = Database(sqlite_url(home / "ferry.db"))
        self.database.migrate()
        self.depot = Depot(home / "depot", self.database, SystemClock())

    def close(self):
        self.depot.close()
        self.database.close_now()


@pytest.fixture
def daemon(home):
    running = RunningDaemon(home)
    yield running
    running.kill()


@pytest.fixture
def depot(home):
    kept = Kept(home)
    yield kept.depot
    kept.close()


def told(daemon, *words, code=0):
    return json.loads(daemon.ferry("depot", *words, "--json", code=code).stdout)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_without_a_home(daemon):
    assert "There is no Ferryman" in daemon.ferry("depot", "ls", code=3).stderr


@pytest.mark.timeout(300)  # many commands, each a process of its own
def test_looking_and_taking_away(daemon, depot):
    one = put_image(depot, "quay.io/team/app", "1.0", b"base" * 500, b"one")
    put_image(depot, "quay.io/team/app", "1.1", b"base" * 500, b"two")
    put_image(depot, "quay.io/team/app", None, b"signature", subject=subject(one))
    assert [row["name"] for row in told(daemon, "ls")] == ["quay.io/team/app:1.0", "quay.io/team/app:1.1"]
    assert len(told(daemon, "ls", "quay.io", "--all")) == 3
    assert told(daemon, "ls", "docker.io") == []
    assert "quay.io/team/app:1.0" in daemon.ferry("depot", "ls").stdout
    shown = told(daemon, "show", "quay.io/team/app:1.0")
    assert shown["digest"] == str(one.digest)
    assert len(shown["blobs"]) == 3
    assert len(shown["referrers"]) == 1
    assert shown["history"][0]["source"] == ORIGIN.source
    assert "pinned" not in daemon.ferry("depot", "show", f"quay.io/team/app@{one.digest}").stdout
    usage = told(daemon, "du", "quay.io")
    assert usage["references"][0]["shared"] == 2002
    assert "ALONE" in daemon.ferry("depot", "du").stdout
    daemon.ferry("depot", "pin", "quay.io/team/app:1.0")
    assert [row["target"] for row in told(daemon, "pin")] == ["quay.io/team/app:1.0"]
    assert "ferry depot unpin" in daemon.ferry("depot", "rm", "quay.io/team/app:1.0", "--yes", code=1).stderr
    daemon.ferry("depot", "unpin", "quay.io/team/app:1.0")
    assert "--yes" in daemon.ferry("depot", "rm", "quay.io/team/app:1.0", code=2).stderr
    (gone,) = told(daemon, "rm", "quay.io/team/app:1.0", "--dry-run")
    assert len(gone["manifests"]) == 2
    daemon.ferry("depot", "tag", "quay.io/team/app:1.1", "stable")
    assert "ferry copy" in daemon.ferry("depot", "tag", "quay.io/team/app:1.1", "b:1", code=2).stderr
    before = told(daemon, "show", "quay.io/team/app:1.0")
    assert "ferry depot restore quay.io/team/app:1.0" in (
        daemon.ferry("depot", "rm", "quay.io/team/app:1.0", "--yes").stderr
    )
    assert [row["state"] for row in told(daemon, "history", "quay.io/team/app:1.0")] == [None, "there"]
    back = told(daemon, "restore", "quay.io/team/app:1.0")
    assert (back["digest"], back["changed"], len(back["manifests"])) == (str(one.digest), True, 2)
    assert "already" in daemon.ferry("depot", "restore", "quay.io/team/app:1.0").stdout
    after = told(daemon, "show", "quay.io/team/app:1.0")
    assert {**after, "history": 0} == {**before, "history": 0}
    (gone,) = told(daemon, "rm", "quay.io/team/app:1.0", "--yes")
    assert gone["undo"] == "ferry depot restore quay.io/team/app:1.0"
    assert told(daemon, "gc", "--dry-run", "--grace", "0")["blobs"] == 4
    assert told(daemon, "gc")["blobs"] == 0
    assert told(daemon, "gc", "--grace", "0s")["blobs"] == 4
    assert not depot.has(one.digest)
    assert sorted(depot.tags("quay.io/team/app")) == ["1.1", "stable"]
    assert "a clean-up removed it" in daemon.ferry("depot", "restore", "quay.io/team/app:1.0", code=3).stderr


@pytest.mark.timeout(300)
def test_wrong_words_are_refused(daemon, depot):
    put_image(depot, "a", "1", b"one")
    for words, code in (
        (("show", "b:1"), 3),
        (("show", "A"), 2),
        (("show", "a@sha256:12"), 2),
        (("rm", "a:2", "--yes"), 3),
        (("gc", "--grace", "soon"), 2),
        (("pin", "a"), 2),
        (("unpin", "a:1"), 3),
        (("tag", "a:1", "-x"), 2),
        (("tag", "a:1", "ü"), 2),
    ):
        assert "error:" in daemon.ferry("depot", *words, code=code).stderr


def test_quota_and_rules_are_settings(daemon, depot, home):
    for number in range(3):
        put_image(depot, "a", f"v{number}", b"%d" % number)
    assert "rule" in daemon.ferry("settings", "set", "depot_retention=keep", code=2).stderr
    daemon.ferry("settings", "set", "depot_retention=a:v* keep=1")
    assert told(daemon, "gc", "--dry-run")["tags"] == ["a:v0", "a:v1"]
    (home / "ferry.toml").write_text('depot_quota = "1TB"\n')
    assert told(daemon, "du")["quota"] == 10**12


@pytest.mark.timeout(300)
@pytest.mark.skipif(DockerRegistry.program() is None, reason="docker-registry is not installed")
def test_a_flipped_bit_is_fetched_again_from_where_it_came(daemon, home, tmp_path):
    images = Images(tmp_path / "made")
    made = images.image([images.noise(300_000, 1), images.noise(200_000, 2)], tag="1")
    with DockerRegistry(tmp_path / "registry") as registry:
        images.push(registry.host, "team/app", made)
        name = f"{registry.host}/team/app"
        daemon.ferry("copy", f"docker://{name}:1", "depot:", "--plain-http")
        kept = Kept(home)
        whole = kept.depot.manifest(name, "1")
        layer, other = (kept.depot.path(blob.digest) for blob in whole.layers)
        flip(layer)
        flip(kept.depot.path(whole.digest))
        found = told(daemon, "fsck", code=1)
        assert sorted(one["trouble"] for one in found["findings"]) == ["damaged", "damaged"]
        assert all(one["used_by"] == [f"{name}:1"] for one in found["findings"])
        assert f"docker://{name}" in {one["source"] for one in found["findings"]}
        mended = told(daemon, "fsck", "--repair", "--plain-http")
        assert [one["repaired"] for one in mended["findings"]] == [True, True]
        assert told(daemon, "fsck")["findings"] == []
        assert kept.depot.manifest(name, "1").raw == whole.raw
        flip(other)
        daemon.start()
        asked = daemon.api("POST", "/api/v1/depot/fsck", {"repair": True, "plain_http": True})
        ended = daemon.ended(asked["id"])
        assert ended["state"] == "succeeded", ended
        assert ended["result"]["repaired"] == 1
        flip(other)
        kept.close()
    ended = daemon.ended(daemon.api("POST", "/api/v1/depot/fsck", {"deep": True})["id"])
    assert (ended["state"], ended["error_code"]) == ("failed", "depot_damaged")


def test_the_same_through_the_api(daemon, home):
    daemon.start()
    kept = Kept(home)
    depot = kept.depot
    put_image(depot, "a/b", "1", b"layer" * 100)
    loose = store(depot, b"loose")
    digest = digest_of(b"layer" * 100)
    usage = daemon.api("GET", "/api/v1/depot?repository=a/")
    assert (usage["unreferenced"], usage["references"][0]["name"]) == (5, "a/b:1")
    first = daemon.api("GET", "/api/v1/depot/blobs?sort=-size&limit=1")
    second = daemon.api("GET", f"/api/v1/depot/blobs?sort=-size&limit=100&cursor={first['next_cursor']}")
    sizes = [one["size"] for one in first["items"] + second["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert (len(sizes), second["next_cursor"]) == (4, None)
    (found,) = daemon.api("GET", f"/api/v1/depot/blobs?q={digest.hex[5:20]}")["items"]
    assert found["digest"] == str(digest)
    for order in ("digest", "size", "created", "-created"):
        seen, cursor = [], ""
        while cursor is not None:
            page = daemon.api("GET", f"/api/v1/depot/blobs?sort={order}&limit=1{cursor}")
            seen += [one["digest"] for one in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert len(set(seen)) == len(seen) == 4
    detail = daemon.api("GET", f"/api/v1/depot/blobs/{digest}")
    assert (detail["used_by"], detail["repositories"]) == (["a/b:1"], ["a/b"])
    assert detail["origin"]["source"] == ORIGIN.source
    daemon.api("POST", "/api/v1/depot/pins", {"target": "a/b:1"})
    assert daemon.problem("POST", "/api/v1/depot/removals", {"target": "a/b:1"})["code"] == "pinned"
    assert daemon.api("GET", "/api/v1/depot/pins")["items"][0]["target"] == "a/b:1"
    daemon.api("DELETE", "/api/v1/depot/pins?target=a/b:1")
    told_first = daemon.api("POST", "/api/v1/depot/removals", {"target": "a/b:1", "dry_run": True})
    assert daemon.api("POST", "/api/v1/depot/removals", {"target": "a/b:1"}) == {
        **told_first,
        "dry_run": False,
    }
    assert daemon.api("GET", "/api/v1/depot/history?repository=a/b")["items"][0]["digest"] is None
    wanted = {"target": "a/b:1", "dry_run": True}
    would = daemon.api("POST", "/api/v1/depot/restorations", wanted)
    back = daemon.api("POST", "/api/v1/depot/restorations", {"target": "a/b:1"})
    assert back == {**would, "dry_run": False}
    assert (back["tags"], back["manifests"], back["changed"]) == (["a/b:1"], told_first["manifests"], True)
    newest = daemon.api("GET", "/api/v1/depot/history?repository=a/b&tag=1")["items"][0]
    assert (newest["restores"], newest["there"], newest["source"]) == (True, True, "user:local")
    assert not daemon.api("POST", "/api/v1/depot/restorations", {"target": "a/b:1"})["changed"]
    daemon.api("POST", "/api/v1/depot/removals", {"target": "a/b:1"})
    job = daemon.ended(daemon.api("POST", "/api/v1/depot/gc", {"grace": 0})["id"])
    assert (job["state"], job["result"]["blobs"]) == ("succeeded", 4)
    assert not depot.has(loose)
    for method, path, body, code in (
        ("GET", f"/api/v1/depot/blobs/{digest}", None, "blob_unknown"),
        ("GET", "/api/v1/depot/blobs/x", None, "request_invalid"),
        ("GET", "/api/v1/depot/blobs?sort=colour", None, "request_invalid"),
        ("GET", "/api/v1/depot/blobs?cursor=x", None, "cursor_invalid"),
        ("POST", "/api/v1/depot/gc", {"grace": -1}, "request_invalid"),
        ("POST", "/api/v1/depot/gc", {"colour": 1}, "request_invalid"),
        ("POST", "/api/v1/depot/removals", {"target": "a/b:1"}, "manifest_unknown"),
        ("POST", "/api/v1/depot/removals", {"target": "A"}, "reference_invalid"),
        ("POST", "/api/v1/depot/restorations", {"target": "a/b:1"}, "restore_gone"),
        ("POST", "/api/v1/depot/restorations", {"target": "a/b:2"}, "history_unknown"),
        ("POST", "/api/v1/depot/restorations", {"target": "a/b:1", "digest": "x"}, "digest_invalid"),
        ("DELETE", "/api/v1/depot/pins?target=a/b:1", None, "pin_unknown"),
    ):
        assert daemon.problem(method, path, body)["code"] == code, path
    kept.close()


def test_who_may_what(daemon):
    daemon.start()
    tokens = {}
    for role in ("viewer", "member", "operator"):
        daemon.ferry("users", "add", f"{role}1", "--role", role, "--generate")
        daemon_scopes = {"viewer": ["depot:read"], "member": ["depot:read", "depot:write"]}
        scopes = daemon_scopes.get(role, ["depot:read", "depot:write", "depot:delete"])
        words = [word for scope in scopes for word in ("--scope", scope)]
        made = daemon.ferry("tokens", "create", "test", "--user", f"{role}1", *words, "--json")
        tokens[role] = json.loads(made.stdout)["secret"]
    for role, token in tokens.items():
        assert daemon.api("GET", "/api/v1/depot", token=token)["blobs"] == 0
        for path, needs in (("gc", "operator"), ("fsck", "member")):
            allowed = needs == role or role == "operator"
            if allowed:
                assert daemon.api("POST", f"/api/v1/depot/{path}", {}, token=token)["kind"] == path
            else:
                problem = daemon.problem("POST", f"/api/v1/depot/{path}", {}, token=token)
                assert problem["code"] == "scope_missing"

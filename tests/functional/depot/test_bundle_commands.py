"""`ferry bundle` between two homes."""

import json
import random
from pathlib import Path

import pytest

from ferryman.depot.bundles.create import Creation, Order
from ferryman.depot.bundles.keys import Keys
from tests.conformance.depot.making import put_image
from tests.functional.depot.test_commands import Kept
from tests.functional.running import RunningDaemon, wait


@pytest.fixture
def here(home):
    kept = Kept(home)
    put_image(kept.depot, "quay.io/team/app", "1.0", b"base" * 90_000, b"one", config=b'{"a":1}')
    put_image(kept.depot, "quay.io/team/app", "1.1", b"base" * 90_000, b"two", config=b'{"a":2}')
    kept.close()
    return RunningDaemon(home)


@pytest.fixture
def there(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    return RunningDaemon(other)


def told(site, *words, code=0):
    return json.loads(site.ferry(*words, "--json", code=code).stdout)


def test_from_site_to_site(here, there, tmp_path):
    file = tmp_path / "app.bundle"
    key = told(here, "bundle", "key")
    assert here.ferry("bundle", "key").stdout.strip() == key["key"]
    made = told(here, "bundle", "create", "quay.io/team/app:1.0", "-o", file, "--volume-size", "100K")
    assert (made["key_id"], len(made["files"])) == (key["key_id"], 5)
    refused = told(there, "bundle", "load", file, code=4)
    assert refused["code"] == "key_untrusted"
    assert told(there, "bundle", "ls", f"{file}.001")["key_name"] is None
    (tmp_path / "here.key").write_text(key["key"] + "\n")
    assert told(there, "bundle", "trust", "here", tmp_path / "here.key")["key_id"] == key["key_id"]
    assert "here" in there.ferry("bundle", "trusted").stdout
    assert "all well" in there.ferry("bundle", "verify", file).stdout
    assert told(there, "bundle", "load", f"{file}.002", "--more")["complete"] is False
    assert told(there, "bundle", "load", f"{file}.001", code=3)["code"] == "volume_missing"
    assert "quay.io/team/app:1.0" in there.ferry("bundle", "load", file).stdout
    assert [one["name"] for one in told(there, "depot", "ls")] == ["quay.io/team/app:1.0"]
    assert "blobs" in there.ferry("depot", "inventory", "-o", tmp_path / "there.inventory").stdout
    here.ferry("bundle", "trust", "there", told(there, "bundle", "key")["key"])
    less = told(
        here,
        "bundle",
        "create",
        "quay.io/team/app:1.1",
        "-o",
        file,
        "--against",
        tmp_path / "there.inventory",
    )
    assert (less["blobs"], less["left_out"]) == (3, 1)
    assert "1.1" in there.ferry("bundle", "load", file).stdout
    there.ferry("bundle", "untrust", "here")
    assert "not trusted" in there.ferry("bundle", "verify", file, code=4).stderr


def test_wrong_words(here, tmp_path):
    file = tmp_path / "app.bundle"
    assert (
        "too small"
        in here.ferry(
            "bundle", "create", "quay.io/team/app:1.0", "-o", file, "--volume-size", "1K", code=2
        ).stderr
    )
    here.ferry("bundle", "create", "quay.io/team/none:1", "-o", file, code=3)
    here.ferry("bundle", "trust", "x", "no key", code=2)
    here.ferry("bundle", "trust", "../x", "no key", code=2)
    here.ferry("bundle", "untrust", "x", code=3)
    here.ferry("bundle", "ls", file, code=3)
    here.ferry("bundle", "create", "quay.io/team/app:1.0", "-o", tmp_path / "no" / "such", code=4)
    assert not list(tmp_path.glob("*.bundle*"))


def ended(site, **order):
    return site.ended(site.api("POST", "/api/v1/bundles", order)["id"])


def test_as_jobs(here):
    here.start()
    try:
        made = ended(here, action="create", name="app.bundle", refs=["quay.io/team/app:1.0"])
        assert (made["state"], made["result"]["files"]) == ("succeeded", ["app.bundle"])
        assert (here.home / "bundles" / "app.bundle").exists()
        assert ended(here, action="load", name="app.bundle")["result"]["complete"]
        assert ended(here, action="load", name="none")["state"] == "failed"
        wrong = {"action": "load", "name": "../x"}
        assert here.problem("POST", "/api/v1/bundles", wrong)["code"] == "request_invalid"
    finally:
        here.kill()


@pytest.mark.timeout(300)
def test_by_the_daemon(here, tmp_path):
    """`--detach` gives a job that goes on after the daemon was killed, wherever it was by then."""
    kept = Kept(here.home)
    layers = [random.Random(at).randbytes(8_000_000) for at in range(6)]
    put_image(kept.depot, "team/large", "1", *layers, config=b'{"large":1}')
    file = tmp_path / "my app.bundle"
    here.start()
    try:
        job = told(here, "bundle", "create", "team/large:1", "-o", file, "--volume-size", "8MB", "--detach")
        wait(lambda: file.with_name("my app.bundle.001").exists(), "the first volume")
        here.kill()
        assert all(path.stat().st_size <= 8_000_000 for path in tmp_path.glob("my app*"))
        here.start()
        made = here.ended(job["id"], 120)
        volumes = [Path(one) for one in made["result"]["files"]]
        assert [one.name for one in volumes] == [f"my app.bundle.00{number}" for number in range(1, 8)]
        assert not list(tmp_path.glob(".my app*"))
        order = Order(("team/large:1",), tmp_path / "again", 8_000_000)
        again = Creation(kept.depot, Keys(here.home / "keys"), order).run(lambda _: None)
        assert [one.read_bytes() for one in again.files] == [one.read_bytes() for one in volumes]
        load = here.ferry("bundle", "load", *volumes[3:], volumes[0], "--more", "--detach").stdout.split()[0]
        assert here.ended(load)["result"]["complete"], "everything is there already"
        order = {"action": "load", "paths": {"files": [str(volumes[0])]}, "name": "both"}
        assert here.problem("POST", "/api/v1/bundles", order)["code"] == "bundle_order"
    finally:
        here.kill()
        kept.close()

"""Writing and loading are killed at known places: nothing half is visible, and what was done is not done again."""

import json
import random
import signal
import subprocess
import sys

import pytest

from tests.conformance.depot.making import put_image
from tests.integration.depot.test_bundles import Site, digests, everything, flip

LAYER = 3_000_000
REFS = ("team/app:0", "team/app:1")
SLACK = 400_000
"""Bytes that the database and its journal may take beside."""


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    for number in range(2):
        layers = [random.Random(number * 10 + at).randbytes(LAYER) for at in range(2)]
        put_image(site.depot, "team/app", str(number), *layers, config=b'{"n":%d}' % number)
    yield site
    site.close()


@pytest.fixture
def there(tmp_path, here):
    site = Site(tmp_path / "there")
    site.keys.trust("here", str(here.keys.own()))
    yield site
    site.close()


def worker(action, site, stop, *words):
    """Run a worker; return what it said, or None when it was killed."""
    command = [sys.executable, "-m", "tests.integration.depot.bundle_worker", action, str(site.folder)]
    done = subprocess.run(
        [*command, str(stop), *map(str, words)], capture_output=True, text=True, check=False
    )
    if stop:
        assert done.returncode == -signal.SIGKILL, done.stderr
        return None
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shown(folder):
    return {name: content for name, content in contents(folder).items() if not name.startswith(".")}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def reference(here, tmp_path, size):
    """Write the same bundle without any interruption."""
    folder = tmp_path / "reference"
    folder.mkdir()
    worker("create", here, 0, folder / "app.bundle", size, *REFS)
    return contents(folder)


def test_the_same_content_gives_the_same_bytes(here, tmp_path, out):
    whole = reference(here, tmp_path, 2_500_000)
    worker("create", here, 0, out / "app.bundle", 2_500_000, *REFS)
    assert contents(out) == whole
    assert sorted(whole) == [f"app.bundle.00{number}" for number in range(1, 6)]


def test_finished_volumes_are_not_written_again(here, there, tmp_path, out):
    whole = reference(here, tmp_path, 2_500_000)
    worker("create", here, 2 * LAYER, out / "app.bundle", 2_500_000, *REFS)
    there_by_then = shown(out)
    assert sorted(there_by_then) == ["app.bundle.001", "app.bundle.002"]
    assert all(whole[name] == content for name, content in there_by_then.items())
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("app*")}
    done = worker("create", here, 0, out / "app.bundle", 2_500_000, *REFS)
    assert contents(out) == whole
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())
    total = sum(map(len, whole.values()))
    assert done["kept"] >= sum(map(len, there_by_then.values())) - 100_000
    assert done["written"] <= total - done["kept"] + SLACK
    assert there.load(out / "app.bundle").complete


def test_one_file_goes_on_behind_the_last_whole_blob(here, tmp_path, out):
    whole = reference(here, tmp_path, 0)
    worker("create", here, int(2.5 * LAYER), out / "app.bundle", 0, *REFS)
    assert shown(out) == {}
    assert len(contents(out)) == 2
    done = worker("create", here, 0, out / "app.bundle", 0, *REFS)
    assert contents(out) == whole
    assert done["kept"] >= 2 * LAYER
    assert done["written"] <= len(whole["app.bundle"]) - done["kept"] + SLACK


def test_what_an_earlier_attempt_left_is_used_only_when_it_is_the_same(here, tmp_path, out):
    whole = reference(here, tmp_path, 2_500_000)
    output = out / "app.bundle"
    worker("create", here, 2 * LAYER, output, 2_500_000, *REFS)
    flip(out / "app.bundle.001", 2_000_000)
    record = out / ".app.bundle.ferry"
    content = record.read_bytes()
    record.write_bytes(b"another-boot tar\n" + content.partition(b"\n")[2])
    done = worker("create", here, 0, output, 2_500_000, *REFS)
    assert contents(out) == whole
    assert done["kept"] < LAYER, "the changed volume and the part of before the reboot were written again"
    worker("create", here, 2 * LAYER, output, 2_500_000, *REFS)
    done = worker("create", here, 0, output, 4_000_000, *REFS)
    assert done["kept"] == 0
    assert sorted(contents(out)) == [f"app.bundle.00{number}" for number in range(1, 5)]
    record.write_bytes(b"nothing\nof\nsense\n")
    assert worker("create", here, 0, output, 2_500_000, *REFS)["kept"] == 0
    assert contents(out) == whole


def test_loading_reads_only_what_is_not_in(here, there, tmp_path, out):
    worker("create", here, 0, out / "app.bundle", 0, *REFS)
    size = here.create(*REFS).bundle.size
    stop = int(2.5 * LAYER)
    worker("load", there, stop, out / "app.bundle")
    assert not everything(there.depot)
    second = worker("load", there, LAYER // 2, out / "app.bundle")
    assert second is None
    assert not everything(there.depot)
    last = worker("load", there, 0, out / "app.bundle")
    assert last["complete"]
    assert last["read"] <= size - stop + (1 << 20), "only what was not in by the first kill is read"
    assert digests(there.depot) == digests(here.depot)
    assert worker("load", there, 0, out / "app.bundle")["read"] == 0


def test_a_damaged_rest_is_not_glued_to_what_was_in(here, there, out):
    worker("create", here, 0, out / "app.bundle", 0, *REFS)
    worker("load", there, LAYER // 2, out / "app.bundle")
    file = out / "app.bundle"
    good = file.read_bytes()
    blob = good.index(random.Random(0).randbytes(LAYER)[:1000])
    flip(file, blob + LAYER - 5)
    with pytest.raises(Exception, match=r"app\.bundle is damaged at sha256") as told:
        there.load(file)
    assert told.value.code == "volume_damaged"
    assert not everything(there.depot)
    file.write_bytes(good)
    assert there.load(file).complete
    assert not list(there.depot.fsck())

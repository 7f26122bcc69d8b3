"""Loading is killed again and again, at random moments; in the end everything is there, and nothing was visible before."""

import json
import os
import random
import select
import signal
import subprocess
import sys

import pytest

from ferryman.depot.model import Trouble
from tests.conformance.depot.making import put_image
from tests.integration.depot.test_bundles import Site, digests, everything

KILLS = 12


@pytest.fixture
def here(tmp_path):
    site = Site(tmp_path / "here")
    yield site
    site.close()


@pytest.fixture
def there(tmp_path, here):
    site = Site(tmp_path / "there")
    site.keys.trust("here", str(here.keys.own()))
    yield site
    site.close()


def start(there, *files):
    words = [
        sys.executable,
        "-m",
        "tests.integration.depot.bundle_worker",
        "load",
        str(there.folder),
        "0",
        *map(str, files),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "go\n"
    return process


def killed(process, after):
    """Kill after a time, unless it was faster; whether it was killed."""
    select.select([process.stdout], [], [], after)
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0]
    return rest == ""


@pytest.mark.timeout(300)
def test_killed_at_random_moments(here, there):
    chance = random.Random(os.urandom(8))
    for number in range(3):
        layers = [random.Random(number * 10 + at).randbytes(3_000_000 + at * 1_234_567) for at in range(4)]
        put_image(here.depot, "team/app", str(number), *layers, config=b'{"n":%d}' % number)
    made = here.create("team/app:0", "team/app:1", "team/app:2", volume_size=11_000_000)
    files = list(made.files)
    assert len(files) > 3
    chance.shuffle(files)
    kills = 0
    for _ in range(40):
        if kills == KILLS:
            break
        file = files[kills % len(files)] if kills < len(files) else chance.choice(files)
        kills += killed(start(there, file), chance.uniform(0, 0.08))
        assert len(everything(there.depot)) in {0, 3}
    for file in files:
        process = start(there, file)
        last = process.communicate()[0]
        assert process.returncode == 0
    assert json.loads(last)["complete"]
    assert kills
    assert everything(there.depot) == everything(here.depot)
    assert digests(there.depot) >= digests(here.depot)
    # A kill between a file's place and its record leaves the file, which nobody sees; the sweep takes it.
    assert {one.trouble for one in there.depot.fsck()} <= {Trouble.STRAY}
    there.depot.gc(grace=0)
    assert digests(there.depot) == digests(here.depot)
    assert not list(there.depot.fsck())

"""A process that loads files of a bundle into a site, or writes one, until it is killed.

    python -m tests.integration.depot.bundle_worker load HOME STOP FILE…
    python -m tests.integration.depot.bundle_worker create HOME STOP FILE VOLUME_SIZE REF…

It says `go` when it begins to bring bytes, and in the end what came of it in JSON. After STOP bytes it kills itself with
signal 9, which nobody can catch; 0 is never.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.bundles.create import Creation, Order
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.load import Loading
from ferryman.depot.bundles.volume import open_all
from ferryman.depot.service import Depot


@dataclass
class Fuse:
    left: int

    def __call__(self, count: int) -> None:
        if self.left:
            self.left -= min(count, self.left)
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    action, home, stop, *words = sys.argv[1:]
    site = Path(home)
    depot = Depot(site / "depot", Database(sqlite_url(site / "ferry.db")), SystemClock())
    keys = Keys(site / "keys")
    sys.stdout.write("go\n")
    sys.stdout.flush()
    before = written()
    if action == "load":
        volumes, broken = open_all([Path(word) for word in words], keys)
        loaded = Loading(depot, volumes).run(Fuse(int(stop)), broken)
        found = {"complete": loaded.complete, "read": loaded.read, "brought": loaded.brought}
    else:
        file, size, *refs = words
        made = Creation(depot, keys, Order(tuple(refs), Path(file), int(size) or None)).run(Fuse(int(stop)))
        found = {"kept": made.kept, "files": [str(path) for path in made.files]}
    sys.stdout.write(json.dumps({**found, "written": written() - before}) + "\n")
    sys.stdout.flush()


def written() -> int:
    """Return how many bytes this process gave to `write` by now."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"])


if __name__ == "__main__":
    main()

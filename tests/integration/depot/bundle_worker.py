"""A process that loads one file of a bundle into a site, until it is killed.

    python -m tests.integration.depot.bundle_worker HOME FILE…

It says `go` when it begins to bring bytes.
"""

import sys
from pathlib import Path

from ferryman.core.clock import SystemClock
from ferryman.db import Database, sqlite_url
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.bundles.load import Loading
from ferryman.depot.bundles.volume import open_all
from ferryman.depot.service import Depot


def main() -> None:
    home, *files = (Path(word) for word in sys.argv[1:])
    depot = Depot(home / "depot", Database(sqlite_url(home / "ferry.db")), SystemClock())
    volumes, broken = open_all(files, Keys(home / "keys"))
    sys.stdout.write("go" + "\n")
    sys.stdout.flush()
    loaded = Loading(depot, volumes).run(lambda _: None, broken)
    sys.stdout.write("complete\n" if loaded.complete else "more\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Many small blobs into the depot: one by one, in groups, from several threads, beside plain files that are as durable.

`python -m bench.blobs --rounds 5 [--count N] [--size BYTES] [--folder FOLDER]`. Each row stores `--count` different blobs and prints blobs per
second (median of interleaved rounds) and the ratio to the first row. `files` writes, syncs, names and syncs the folder of each
file, without a digest or a record: what a careful program without a depot does.
"""

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ferryman.core.clock import SystemClock
from ferryman.core.digests import Digest
from ferryman.core.durable import sync_folder
from ferryman.db import Database, sqlite_url
from ferryman.depot.model import Origin
from ferryman.depot.service import Depot
from ferryman.depot.writer import BlobWriter

ORIGIN = Origin("bench", 0.0)
GROUP = 64
THREADS = 8


def files(folder: Path, contents: Sequence[bytes]) -> None:
    """Write plain files, each durable before the next."""
    for number, content in enumerate(contents):
        path = folder / f"{number}.part"
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.rename(folder / str(number))
        sync_folder(folder)


def verified(depot: Depot, content: bytes) -> BlobWriter:
    """Write a blob and check its digest."""
    digest = Digest("sha256", hashlib.sha256(content).hexdigest())
    writer = depot.writer(ORIGIN, digest)
    writer.write(content)
    writer.verify()
    return writer


def one_by_one(depot: Depot, contents: Sequence[bytes]) -> None:
    """Commit each before the next."""
    for content in contents:
        depot.commit_all([verified(depot, content)])


def grouped(depot: Depot, contents: Sequence[bytes]) -> None:
    """Commit many together."""
    for start in range(0, len(contents), GROUP):
        depot.commit_all([verified(depot, one) for one in contents[start : start + GROUP]])


def threads(depot: Depot, contents: Sequence[bytes]) -> None:
    """Commit each by itself, from several threads at once, as clients that push do."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda content: depot.commit_all([verified(depot, content)]), contents))


def in_depot(work: Callable[[Depot, Sequence[bytes]], None]) -> Callable[[Path, Sequence[bytes]], None]:
    """Run `work` with a depot of its own, opened before the clock starts."""

    def run(folder: Path, contents: Sequence[bytes]) -> None:
        work(opened[folder], contents)

    return run


opened: dict[Path, Depot] = {}
ROWS: dict[str, Callable[[Path, Sequence[bytes]], None]] = {
    "one by one": in_depot(one_by_one),
    f"groups of {GROUP}": in_depot(grouped),
    f"{THREADS} threads": in_depot(threads),
    "files": files,
}


def measure(name: str, folder: Path, contents: Sequence[bytes]) -> float:
    """Return blobs per second of one run in an empty folder."""
    folder.mkdir()
    database = Database(sqlite_url(folder / "ferry.db"))
    database.migrate()
    opened[folder] = Depot(folder / "depot", database, SystemClock())
    opened[folder].commit_all([verified(opened[folder], b"folders are there")])
    try:
        begun = time.perf_counter()
        ROWS[name](folder, contents)
        return len(contents) / (time.perf_counter() - begun)
    finally:
        opened.pop(folder).close()
        database.close_now()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench.blobs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument(
        "--folder", type=Path, help="a folder on the disk to measure; otherwise a temporary one"
    )
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory(dir=options.folder) as parent:
        for turn in range(options.rounds):
            for number, name in enumerate(ROWS):
                contents = [os.urandom(options.size) for _ in range(options.count)]
                found[name].append(measure(name, Path(parent) / f"{turn}-{number}", contents))
    table = Table("case", "blobs/s", "ratio", title=f"{options.count} blobs of {options.size} bytes")
    first = statistics.median(found["one by one"])
    for name, rates in found.items():
        rate = statistics.median(rates)
        table.add_row(name, f"{rate:.0f}", f"{rate / first:.1f}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`ferry copy` and `ferry get` beside skopeo, between two of Debian's docker-registry on loopback.

`python -m bench.images --rounds 5 [--rows NAME,…] [--size BYTES] [--count N] [--memory BYTES]`. Runs are interleaved, so that a busy
moment meets both; only ratios of one run count. Rows: `family` (images that share a base, registry to registry, empty
target), `again` (nothing to do, through the daemon), `layer` (one large layer, registry to depot), `memory` (peak of one
copy of `--memory` bytes through the depot; nothing is compared).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.transfer import FERRY, MIB, Row, Run, Tool, add_row, measure
from ferryman.testing.docker_registry import DockerRegistry
from ferryman.testing.images import Images

ROWS = ("family", "again", "layer", "memory")
LIMIT = 150 * MIB


class Place:
    """Source registry with the images; a new target registry for each run that needs an empty one."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        """Prepare; `size` is that of the family's base, each image has an eighth of it for its own."""
        self.folder, self.count, self.size = folder, count, size
        self.source = DockerRegistry(folder / "source")
        self.images = Images(folder / "made")
        self.targets = 0
        self.names: list[str] = []

    def fill(self) -> None:
        """Make and push the family."""
        for made in self.images.family(self.count, self.size, self.size * 24 // 206):
            self.images.push(f"127.0.0.1:{self.source.port}", f"team/{made.tag}", made, "1")
            self.names.append(str(made.tag))
        lines = [f"docker://127.0.0.1:{self.source.port}/team/{name}:1\n" for name in self.names]
        self.listed = self.folder / "list"
        self.listed.write_text("".join(lines))
        self.yaml = self.folder / "sync.yml"
        named = "".join(f'    team/{name}: ["1"]\n' for name in self.names)
        self.yaml.write_text(f"127.0.0.1:{self.source.port}:\n  tls-verify: false\n  images:\n{named}")

    def layer(self, size: int) -> str:
        """Push one image with one layer of `size` bytes and return its name."""
        made = self.images.image([self.images.noise(size, seed=99)], tag="1")
        self.images.push(f"127.0.0.1:{self.source.port}", f"big/{size}", made, "1")
        return f"docker://127.0.0.1:{self.source.port}/big/{size}:1"

    @contextmanager
    def target(self) -> Iterator[DockerRegistry]:
        """Give an empty registry."""
        self.targets += 1
        folder = self.folder / f"target{self.targets}"
        with DockerRegistry(folder) as registry:
            yield registry
        shutil.rmtree(folder, ignore_errors=True)

    def sync(self, target: DockerRegistry) -> Tool:
        """Copy the family with skopeo."""
        words = ("skopeo", "sync", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false")
        return Tool("skopeo sync", ((*words, str(self.yaml), f"127.0.0.1:{target.port}/skopeo"),))

    def copy(self, target: DockerRegistry, *more: str) -> Tool:
        """Copy the family with ours."""
        words = (FERRY, "copy", "--from-list", str(self.listed), f"docker://127.0.0.1:{target.port}/ferry/")
        return Tool("ferry copy", ((*words, "--plain-http", "-q", *more),))


def family(place: Place, rounds: int) -> tuple[Row, list[list[Run]]]:
    """All images to an empty target, straight through."""
    ours: list[Run] = []
    theirs: list[Run] = []
    for _ in range(rounds):
        for runs, tool in ((ours, place.copy), (theirs, place.sync)):
            with place.target() as target:
                more = ("--no-store",) if tool == place.copy else ()
                runs.append(measure(tool(target, *more)))
    tools = (Tool("ferry copy --no-store", ()), Tool("skopeo sync", ()))
    return Row(f"{place.count} images, empty target", tools, (0.6,)), [ours, theirs]


def again(place: Place, rounds: int) -> tuple[Row, list[list[Run]]]:
    """The same once more: nothing to do. Ours goes through the daemon; its CPU is not counted, only that of the command."""
    ours: list[Run] = []
    theirs: list[Run] = []
    with place.target() as target, daemon(place.folder / "home"):
        through = place.copy(target, "--through-daemon", "--no-store")
        measure(through)
        measure(place.sync(target))
        for _ in range(rounds):
            ours.append(measure(through))
            theirs.append(measure(place.sync(target)))
    tools = (Tool("ferry copy --through-daemon", ()), Tool("skopeo sync", ()))
    return Row("again, nothing to do", tools, (1.0,)), [ours, theirs]


@contextmanager
def daemon(home: Path) -> Iterator[None]:
    """Run a daemon of ours."""
    environment = {**os.environ, "FERRY_HOME": str(home), "FERRY_PORT": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [FERRY, "up"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    before = os.environ.get("FERRY_HOME")
    os.environ["FERRY_HOME"] = str(home)
    try:
        deadline = time.monotonic() + 60
        while not (home / "daemon.json").exists() or '"address"' not in (home / "daemon.json").read_text():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the daemon does not start")
            time.sleep(0.1)
        while subprocess.run([FERRY, "status", "--json"], capture_output=True, check=False).returncode:
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if before is None:
            del os.environ["FERRY_HOME"]
        else:
            os.environ["FERRY_HOME"] = before


def layer(place: Place, rounds: int, size: int) -> tuple[Row, list[list[Run]]]:
    """One layer into the depot, against skopeo into a folder."""
    name = place.layer(size)
    ours: list[Run] = []
    theirs: list[Run] = []
    out, fresh = place.folder / "out", place.folder / "fresh"
    os.environ["FERRY_HOME"] = str(fresh)  # making a home is done once, and not what is measured
    measure(Tool("ferry get", ((FERRY, "get", place.layer(1), "--plain-http", "-q"),)))
    os.environ["FERRY_HOME"] = str(out)
    for _ in range(rounds):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(fresh, out)
        os.sync()
        ours.append(measure(Tool("ferry get", ((FERRY, "get", name, "--plain-http", "-q"),))))
        shutil.rmtree(out, ignore_errors=True)
        os.sync()
        words = ("skopeo", "copy", "-q", "--src-tls-verify=false", name, f"oci:{out}:1")
        theirs.append(measure(Tool("skopeo copy", (words,))))
    shutil.rmtree(out, ignore_errors=True)
    del os.environ["FERRY_HOME"]
    tools = (Tool("ferry get", ()), Tool("skopeo copy oci:", ()))
    return Row(f"one layer of {size // MIB} MiB to the depot", tools, (0.5,)), [ours, theirs]


def memory(place: Place, size: int) -> tuple[int, int]:
    """Return the most memory of a copy of `size` bytes through the depot, and straight through."""
    name = place.layer(size)
    os.environ["FERRY_HOME"] = str(place.folder / "memory")
    found = []
    for more in ((), ("--no-store",)):
        with place.target() as target:
            words = (
                FERRY,
                "copy",
                name,
                f"docker://127.0.0.1:{target.port}/x/y",
                "--plain-http",
                "-q",
                *more,
            )
            found.append(measure(Tool("ferry copy", (words,))).memory)
    del os.environ["FERRY_HOME"]
    shutil.rmtree(place.folder / "memory", ignore_errors=True)
    return found[0], found[1]


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench.images", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default="", help="names of cases, separated by commas")
    parser.add_argument("--size", type=int, default=206 * MIB, help="bytes of the family's base")
    parser.add_argument("--count", type=int, default=20, help="images of the family")
    parser.add_argument("--layer", type=int, default=1024 * MIB, help="bytes of the one large layer")
    parser.add_argument(
        "--memory", type=int, default=1024 * MIB, help="bytes of the copy whose memory counts"
    )
    options = parser.parse_args()
    if not DockerRegistry.program() or not shutil.which("skopeo"):
        print("not installed: docker-registry or skopeo")
        return 1
    chosen = options.rows.split(",") if options.rows else ROWS
    table = Table(title=f"medians of {options.rounds} interleaved runs")
    for head in ("case", "tool", "wall s", "min-max", "CPU s", "memory MiB", "CPU ratio", "ratio", "at most"):
        table.add_column(head, justify="left" if head in {"case", "tool"} else "right")
    peaks = None
    with tempfile.TemporaryDirectory(prefix="ferry-bench-") as folder:
        place = Place(Path(folder), options.count, options.size)
        os.environ["FERRY_HOME"] = f"{folder}/home"
        with place.source:
            if {"family", "again"} & set(chosen):
                place.fill()
            if "family" in chosen:
                add_row(table, *family(place, options.rounds))
            if "again" in chosen:
                add_row(table, *again(place, options.rounds))
            if "layer" in chosen:
                add_row(table, *layer(place, options.rounds, options.layer))
            if "memory" in chosen:
                peaks = memory(place, options.memory)
    Console(width=130).print(table)
    if peaks:
        verdict = "✓" if max(peaks) < LIMIT else "✗"
        print(
            f"most memory of a copy of {options.memory / MIB:,.0f} MiB: through the depot {peaks[0] / MIB:.0f} MiB, "
            f"straight {peaks[1] / MIB:.0f} MiB, at most {LIMIT / MIB:.0f} {verdict}"
        )
    print(f"load average {os.getloadavg()[0]:.1f}; CPU of the family: at most 0.35 of skopeo's")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run the measurements, one process each so that none inherits the memory or caches of another.

`python -m bench [--rounds N] [NAME…]`: a name is a module of this folder (`transfer`, `ledger`, `days`, `daemon`, `registry`, `blobs`, `console`); without names
all run. A module takes `--rounds`, prints its own table and exits 0, or 1 when it could not measure.
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

ORDER = ("transfer", "ledger", "days", "daemon", "registry", "images", "blobs", "console")


def available() -> tuple[str, ...]:
    """Names of the measurements that are there, in the order they run."""
    folder = Path(__file__).parent
    return tuple(name for name in ORDER if (folder / f"{name}.py").exists() or (folder / name).is_dir())


def main() -> int:
    """Run what was asked for; 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Ferryman beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(available())}")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved runs of each case (default 5)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(available()):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(available())}")
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}", flush=True)
    failed = []
    for name in options.names or available():
        print(f"\n== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}", "--rounds", str(options.rounds)], check=False
        )
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

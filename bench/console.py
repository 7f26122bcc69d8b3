"""How fast the console is with a long history, and how smooth with many downloads at work. Prints a table with limits.

`python -m bench.console --jobs 1000000` makes a home with that many ended downloads, asks the running daemon for every
page, opens the first one in Chromium, then watches 32 active and 1,000 queued downloads for half a minute.
"""

import argparse
import contextlib
import http.client
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from bench.daemon import Daemon, Figure, wait
from bench.days import fill_days
from bench.history import fill
from ferryman.db import Database, sqlite_url
from ferryman.testing.nginx import Nginx

CHROMIUM: Final = "/usr/bin/chromium"
QUIET: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
PAGES: Final = (
    "/", "/downloads?tab=active", "/downloads?tab=queue", "/downloads?tab=completed", "/downloads/history",
    "/downloads/history?q=debian", "/downloads/history?state=failed", "/downloads/history?q=kernel&sort=-size",
    "/downloads/rules", "/jobs", "/jobs?q=file777", "/statistics", "/statistics?days=365", "/settings", "/users", "/tokens", "/audit",
)  # fmt: skip
ACTIVE: Final = 32
QUEUED: Final = 1000
WATCHED: Final = 30.0
"""Seconds."""
WATCHER: Final = """
window.seen = {gaps: [], rows: {}, last: performance.now(), ready: 0};
const frame = (now) => {
  window.seen.gaps.push(now - window.seen.last);
  window.seen.last = now;
  if (!window.seen.ready && document.documentElement?.dataset.stream === 'open') window.seen.ready = now;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""
COUNT_CHANGES: Final = """
() => {
  const seen = window.seen;
  seen.gaps = []; seen.rows = {}; seen.last = performance.now();
  const told = (changes) => {
    const rows = new Set();
    for (const change of changes) {
      const at = change.target.nodeType === 1 ? change.target : change.target.parentElement;
      const row = at?.closest('[data-job]');
      if (row) rows.add(row.dataset.job);
    }
    for (const id of rows) seen.rows[id] = (seen.rows[id] ?? 0) + 1;
  };
  new MutationObserver(told).observe(document.querySelector('#list'),
    {subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['width']});
}
"""


def asked(running: Daemon, rounds: int) -> Iterator[Figure]:
    """How long each page takes, connection kept, from the request to its last byte: the 95th percentile."""
    connection = http.client.HTTPConnection(urlsplit(running.address).netloc, timeout=60)
    for path in PAGES:
        times = []
        for number in range(20 * rounds + 1):
            began = time.perf_counter()
            connection.request("GET", path, headers=running.headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
            if number:  # the first one compiles the template
                times.append((time.perf_counter() - began) * 1000)
        yield Figure(f"GET {path}, p95", quantiles(times, n=20)[-1], "ms", 100.0)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A real browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


def opened(browser: Browser, running: Daemon, path: str) -> Page:
    """A page of a browser that was never here before, ready to use: its scripts run and it hears the daemon."""
    context = browser.new_context(
        base_url=running.address, extra_http_headers=running.headers, viewport={"width": 1280, "height": 800}
    )
    page = context.new_page()
    page.add_init_script(WATCHER)
    page.goto(path)
    page.wait_for_selector("html[data-stream=open]", state="attached")
    return page


def first_tab(running: Daemon, rounds: int) -> Iterator[Figure]:
    """How long a new visitor waits for the first tab."""
    times = []
    with chromium() as browser:
        for _ in range(rounds + 1):
            page = opened(browser, running, "/downloads")
            page.wait_for_timeout(100)
            times.append(float(page.evaluate("window.seen.ready")))
            page.context.close()
    yield Figure("first tab interactive, empty cache, median", median(times[1:]), "ms", 1000.0)


class Listener(threading.Thread):
    """One viewer of the event stream: counts bytes, and messages by kind and job."""

    def __init__(self, running: Daemon) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(urlsplit(running.address).netloc, timeout=60)
        self._connection.request("GET", "/api/v1/events", headers=running.headers)
        self._answer = self._connection.getresponse()
        self.bytes = 0
        self.progress = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Read until told to end."""
        while not self.ended.is_set():
            line = self._answer.readline()
            self.bytes += len(line)
            self.progress += line.startswith(b"event: progress")
        self._connection.close()


def busy(folder: Path) -> Iterator[Figure]:
    """What 32 active and 1,000 queued downloads cost, and how smooth their page is."""
    root = folder / "served"
    root.mkdir()
    with (root / "large.bin").open("wb") as file:
        file.truncate(256 << 20)  # more than they get in the time watched, and room for all on a small disk
    home = folder / "busy"
    with (
        Nginx(folder / "nginx", root, rate=300_000) as nginx,
        ended(Daemon(home, download_concurrency=ACTIVE, worker_concurrency=64, connections=2)) as running,
    ):
        for start in range(0, ACTIVE + QUEUED, 500):
            urls = [
                f"{nginx.url('large.bin')}?{n} out=large-{n}.bin"
                for n in range(start, min(start + 500, ACTIVE + QUEUED))
            ]
            running.api("POST", "/api/v1/downloads", {"urls": urls, "overwrite": "overwrite"})
        wait(lambda: running.api("GET", "/api/v1/overview")["counts"].get("running") == ACTIVE, "all at work")
        with chromium() as browser:
            yield from watched(browser, running)


def watched(browser: Browser, running: Daemon) -> Iterator[Figure]:
    """The figures of half a minute on the active tab, and as long on the queue."""
    listener = Listener(running)
    listener.start()
    for tab in ("active", "queue"):
        page = opened(browser, running, f"/downloads?tab={tab}")
        page.wait_for_timeout(3000)
        page.evaluate(COUNT_CHANGES)
        before, told, cpu, memory = listener.bytes, listener.progress, running.cpu(), []
        began = time.monotonic()
        while time.monotonic() - began < WATCHED:
            page.wait_for_timeout(1000)
            memory.append(running.memory())
        seconds = time.monotonic() - began
        seen: dict[str, Any] = page.evaluate("window.seen")
        page.context.close()
        if tab == "active":
            rows = Counter(seen["rows"])
            yield Figure(
                "messages for each active download", (listener.progress - told) / seconds / ACTIVE, "/s", None
            )
            yield Figure("rows that changed on the page", len(rows), "of 32", None)
            yield Figure(
                "  changes of a row, the fewest", min(rows.values(), default=0) / seconds, "/s", None
            )
            yield Figure(
                "event stream for one viewer", (listener.bytes - before) / seconds / 1000, "KB/s", 100.0
            )
            yield Figure("daemon, share of a core", (running.cpu() - cpu) * 100 / seconds, "%", None)
            yield Figure("daemon, resident memory", max(memory), "MB", 250.0)
        yield Figure(f"longest frame in 30 s, {tab} tab", max(seen["gaps"]), "ms", 100.0)
    listener.ended.set()


def rested(running: Daemon) -> None:
    """Pause what is unfinished in the history: pages are measured while nothing is fetched."""
    unfinished = {"state": ["queued", "running", "waiting"]}
    running.api("POST", "/api/v1/jobs/bulk", {"action": "pause", "filter": unfinished})

    def rests() -> bool:
        counts = running.api("GET", "/api/v1/overview")["counts"]
        return not any(counts.get(state) for state in unfinished["state"])

    wait(rests, "everything to rest")


@contextlib.contextmanager
def ended(running: Daemon) -> Iterator[Daemon]:
    """Stop a daemon in the end."""
    try:
        yield running
    finally:
        running.end()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1_000_000, help="rows of history")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ferry-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home = folder / "home"
        home.mkdir()
        database = Database(sqlite_url(home / "ferry.db"))
        database.migrate()
        began = time.monotonic()
        fill(database, options.jobs)
        fill_days(database, time.time())
        database.close_now()
        print(f"{options.jobs:,} jobs made in {time.monotonic() - began:.0f} s", flush=True)
        print(f"{'':<48}{'measured':>10} {'':<9}{'at most':>10}")
        with ended(Daemon(home)) as running:
            rested(running)
            for figure in (*asked(running, options.rounds), *first_tab(running, options.rounds)):
                print(figure.row(), flush=True)
        for figure in busy(folder):
            print(figure.row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

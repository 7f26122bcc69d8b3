"""A real daemon, an upstream on loopback and a real Chromium, one of each for the whole folder."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from ferryman.testing.ollama import OllamaRegistry
from ferryman.testing.sample import SampleFile, SampleServer

START = (
    "from ferryman.core.layers import load_settings; from ferryman.daemon.up import up; up(load_settings())"
)
CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run"
)
PATIENCE = 30_000
"""Milliseconds a test waits for what must come."""
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
"""What Chromium itself writes for an answer that a test provoked."""

expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class Console:
    """A running Ferryman."""

    address: str
    name: str
    password: str


@pytest.fixture(scope="package")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Start Ferryman in an empty home, end it afterwards."""
    with started(tmp_path_factory.mktemp("ferryman")) as running:
        yield running


@contextlib.contextmanager
def started(home: Path) -> Iterator[Console]:
    """Start Ferryman in an empty home below `home`, end it afterwards."""
    environment = {**os.environ, "FERRY_HOME": str(home / "home"), "FERRY_PORT": "0"}
    with (home / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", START], stdout=subprocess.PIPE, stderr=log, env=environment, text=True
        )
    try:
        assert process.stdout is not None
        greeting = [process.stdout.readline() for _ in range(2)]
        said = " ".join(greeting)
        address = re.search(r"http://\S+", said)
        password = re.search(r"password (\S+)", said)
        log_text = (home / "daemon.log").read_text()
        assert address is not None, f"{said}\n{log_text}"
        assert password is not None, f"{said}\n{log_text}"
        yield Console(address[0], "admin", password[1])
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="package")
def upstream() -> Iterator[SampleServer]:
    """Serve files to fetch."""
    with SampleServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="package")
def models() -> Iterator[OllamaRegistry]:
    """A registry of models on loopback; each test adds models of its own."""
    with OllamaRegistry() as registry:
        yield registry


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start Chromium once. The folder's, not the session's: its event loop would be in the way of other tests."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def session(browser: Browser, console: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sign in once and keep the session for the other tests."""
    context = browser.new_context(base_url=console.address)
    page = context.new_page()
    sign_in(page, console)
    kept = tmp_path_factory.mktemp("session") / "state.json"
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about during the test."""
    return []


@pytest.fixture
def visitor(browser: Browser, console: Console, complaints: list[str]) -> Iterator[BrowserContext]:
    """A browser nobody signed in with."""
    yield from watched(browser, console, complaints, {})


@pytest.fixture
def context(
    browser: Browser, console: Console, session: Path, complaints: list[str]
) -> Iterator[BrowserContext]:
    """A browser the admin signed in with, on a desk."""
    yield from watched(browser, console, complaints, {"storage_state": session})


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page of the signed-in browser."""
    return context.new_page()


def watched(
    browser: Browser, console: Console, complaints: list[str], options: dict[str, object]
) -> Iterator[BrowserContext]:
    """Open a context; afterwards no script failed and no rule of the content security policy was broken."""
    asked = {"viewport": {"width": 1280, "height": 800}, "base_url": console.address, **options}
    context = browser.new_context(**asked)
    context.on("console", lambda message: note(complaints, message))
    context.on("weberror", lambda error: complaints.append(f"script: {error.error}"))
    yield context
    context.close()
    assert complaints == []


def note(complaints: list[str], message: ConsoleMessage) -> None:
    """Keep what the browser wrote as an error or a warning."""
    if message.type in {"error", "warning"} and not REFUSED.match(message.text):
        complaints.append(f"{message.type}: {message.text}")


def offer(upstream: SampleServer, name: str, megabytes: int = 0, rate: int = 0) -> str:
    """Let `upstream` serve a file that no other test uses, and return its address; 0 MB is 1 KiB."""
    upstream.files[name] = SampleFile(name, megabytes << 20 or 1024, "made for one test", rate)
    return upstream.url(name)


def name_of(models: OllamaRegistry, name: str) -> str:
    """Return what the depot calls a model of the registry."""
    return f"127.0.0.1:{models.port}/library/{name}:latest"


def fetched(page: Page, name: str) -> None:
    """Bring a model into the depot as the console's own requests would, without clicking through a dialog."""
    page.goto("/depot")
    state = page.evaluate(
        """async (source) => {
            const token = document.querySelector("meta[name=csrf]").content;
            const answer = await fetch("/api/v1/images/copies?wait=30", {
                method: "POST",
                headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
                body: JSON.stringify({ sources: [source], source: { plain_http: true } }),
            });
            return (await answer.json()).state;
        }""",
        f"docker://{name}",
    )
    assert state == "succeeded"


def sign_in(page: Page, console: Console, path: str = "/") -> None:
    """Fill in the sign-in page that leads to `path`."""
    page.goto(path)
    page.get_by_label("User name").fill(console.name)
    page.get_by_label("Password").fill(console.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#content")).to_be_visible()


def add(page: Page, *urls: str, limit: str = "", checksum: str = "", folder: str = "") -> None:
    """Add downloads through the dialog, wait until they are accepted, and go to the active ones."""
    page.goto("/downloads")
    page.get_by_role("button", name="Add download").first.click()
    form = page.get_by_role("dialog", name="Add downloads")
    form.get_by_label("Addresses").fill("\n".join(urls))
    form.get_by_role("button", name="Continue").click()
    if limit or folder or checksum:
        form.get_by_role("button", name="Options").click()
        form.get_by_label("Speed limit").fill(limit)
        form.get_by_label("Folder", exact=True).fill(folder)
        form.get_by_label("Checksum", exact=True).fill(checksum)
    form.get_by_role("button", name=re.compile(r"Download \d+ file")).click()
    expect(form).to_be_hidden()
    expect(page.locator("#toasts")).to_contain_text("added")
    page.goto("/downloads?tab=active")

"""Everyone can use it: no accessibility faults in either theme, nothing to scroll sideways on a phone."""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import Console, add, offer

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PATHS: Final = (
    "/",
    "/downloads",
    "/downloads?tab=history",
    "/downloads/history",
    "/downloads/history?reason=network&open=import",
    "/downloads?open=add",
    "/downloads/add",
    "/downloads/rules",
    "/depot",
    "/depot/models",
    "/depot/blobs",
    "/depot/usage",
    "/depot/bundles",
    "/depot/models/add",
    "/jobs",
    "/statistics",
    "/statistics?days=365",
    "/settings",
    "/users",
    "/tokens",
    "/audit",
)
RULES: Final[dict[str, Any]] = {
    "light": {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]},
    # The other theme changes colours and nothing else.
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},
}


def faults(page: Page, theme: str) -> list[str]:
    """What axe finds on the page, one line for each element."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("(rules) => axe.run(document, rules)", RULES[theme])
    return [
        f"{page.url}: {rule['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def seen_by_all(page: Page, path: str) -> list[str]:
    """What axe finds in both themes, on a desk and on a phone, where nothing may scroll sideways. Leaves the page on a desk."""
    found = []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            expect(page.locator("html")).to_have_attribute("data-bs-theme", theme)
            found += faults(page, theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    return found


@pytest.fixture(scope="module")
def _filled(browser: Browser, console: Console, session: Path, upstream: SampleServer) -> None:
    """Have something done, something failed and something paused to show."""
    context = browser.new_context(base_url=console.address, storage_state=session)
    page = context.new_page()
    add(page, offer(upstream, "shown.txt"), f"{upstream.address}/files/gone.iso")
    add(page, offer(upstream, "held.bin", 64), limit="1MB/s")
    moving = page.locator("tr", has=page.get_by_role("link", name="held.bin"))
    moving.get_by_role("button", name="Pause held.bin").click()
    expect(moving).to_contain_text("Paused")
    context.close()


def job_paths(page: Page) -> list[str]:
    """The pages of the jobs on the list."""
    page.goto("/jobs")
    links = page.locator("#list a.title").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert len(links) >= 2
    return [str(link) for link in links[:2]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.usefixtures("_filled")
def test_no_page_has_accessibility_faults(page: Page, theme: str) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    found = []
    for path in (*PATHS, *job_paths(page)):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("data-stream", "open")
        found += faults(page, theme)
    assert found == []


def test_the_sign_in_page_has_no_accessibility_faults(visitor: BrowserContext) -> None:
    page = visitor.new_page()
    page.goto("/login")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert faults(page, "light") == []


@pytest.mark.usefixtures("_filled")
def test_nothing_scrolls_sideways_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in (*PATHS, *job_paths(page), "/login", "/nothing/here"):
        page.goto(path)
        expect(page.locator("main")).to_be_visible()
        width = page.evaluate("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        assert width <= 390, path
    page.goto("/")
    expect(page.get_by_role("navigation", name="Main, short")).to_be_visible()
    expect(page.locator(".side")).to_be_hidden()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_steps_of_adding_have_no_accessibility_faults(
    page: Page, upstream: SampleServer, theme: str, width: int
) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 800})
    name = f"twice-{theme}-{width}.bin"
    add(page, offer(upstream, name))
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    page.goto("/downloads?open=add")
    form = page.get_by_role("dialog", name="Add downloads")
    form.get_by_label("Addresses").fill(f"{upstream.url(name)}\n{upstream.address}/files/gone.zip\nnonsense")
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-items]")).to_contain_text("Fails")
    expect(form.locator("[data-items]")).to_contain_text("there already")
    found = faults(page, theme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    form.get_by_role("button", name="Options").click()
    form.get_by_text("Sign-in and certificates").click()
    assert found + faults(page, theme) == []

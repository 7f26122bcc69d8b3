"""The depot in a real browser: a model is looked at, fetched, read, and its name removed; hostile words stay words."""

import re

import pytest
from playwright.sync_api import Page, expect

from ferryman.testing.ollama import OllamaRegistry
from tests.browser.conftest import fetched, name_of
from tests.browser.test_access import faults, seen_by_all


def fetch(page: Page, source: str) -> None:
    """Fetch `source` by the dialog, from a registry without TLS."""
    page.goto("/depot")
    page.get_by_role("button", name="Fetch", exact=True).click()
    form = page.get_by_role("dialog", name="Fetch images or models")
    form.get_by_label("What to fetch").fill(source)
    form.get_by_text("Sign in, plain HTTP").click()
    form.get_by_label("The registry has no TLS").check()
    form.get_by_role("button", name="Look first").click()
    expect(form.locator("[data-plan]")).to_contain_text(re.compile(r"KiB to fetch: \d layers of 1 image\."))
    form.get_by_role("button", name="Fetch", exact=True).click()
    expect(form).to_be_hidden()
    expect(page.locator("#toasts")).to_contain_text("It is being fetched")


def test_a_model_is_fetched_read_and_removed(page: Page, models: OllamaRegistry) -> None:
    models.add("library/reader", seed=7)
    name = name_of(models, "reader")
    fetch(page, f"docker://{name}")
    expect(page.locator("#list .rows").get_by_role("link", name=name, exact=True)).to_be_visible()
    page.goto("/depot/models")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_label("Licence")).to_contain_text("Licence of a test model.")
    page.get_by_role("link", name="Details and removal").click()
    expect(page.locator(".facts")).to_contain_text(f"docker://127.0.0.1:{models.port}")
    expect(page.locator("main")).to_contain_text(f"ferry models export {name} -o models.zip")
    page.get_by_role("button", name="Remove").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text(f"{name} goes, with 1 tag and 1 manifest")
    asked.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/depot")
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("It is back")
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


@pytest.mark.timeout(300)
def test_filled_pages_have_no_accessibility_faults(page: Page, models: OllamaRegistry) -> None:
    """Both themes and both widths of each page, which is opened once: neither needs another answer of the server."""
    models.add("library/axed", seed=1280)
    name = name_of(models, "axed")
    fetched(page, name)
    page.emulate_media(reduced_motion="reduce")
    found = []
    for path in (
        "/depot",
        "/depot/models",
        f"/depot/models/show?name={name}",
        f"/depot/image?name={name}",
        "/depot/blobs",
        "/depot/usage",
    ):
        page.goto(path)
        expect(page.locator("html")).to_have_attribute("data-stream", "open")
        found += seen_by_all(page, path)
    assert found == []


def test_what_is_not_there_or_wrong_is_said(page: Page, models: OllamaRegistry) -> None:
    page.goto("/depot?q=nothing%3Cscript%3E")
    expect(page.locator(".empty-state")).to_contain_text("Nothing begins with “nothing<script>”")
    answer = page.goto("/depot/image?name=no/such:thing")
    assert answer is not None
    assert answer.status == 404
    page.goto("/depot?open=fetch")
    form = page.get_by_role("dialog", name="Fetch images or models")
    form.get_by_label("What to fetch").fill("ollama:a//b")
    form.get_by_role("button", name="Look first").click()
    expect(form).to_contain_text("names no model")


def test_a_hostile_licence_stays_text(page: Page, models: OllamaRegistry) -> None:
    models.add("library/evil", seed=9, licence="<script>document.title='owned'</script><b>bold</b>")
    name = name_of(models, "evil")
    fetched(page, name)
    page.goto(f"/depot/models/show?name={name}")
    expect(page.get_by_label("Licence")).to_contain_text("<script>document.title='owned'</script>")
    expect(page).to_have_title(f"{name} · Ferryman")


def test_a_clean_up_and_a_check_are_started_and_seen(page: Page) -> None:
    page.goto("/depot/usage")
    page.get_by_role("button", name="Check everything").click()
    expect(page.locator("#toasts")).to_contain_text("The check is queued")
    page.get_by_role("button", name="Clean up").click()
    expect(page.locator("#list")).to_contain_text("Last work on it")
    expect(page.locator("#list .rows").last).to_contain_text("fsck")
    expect(page.locator("#list .rows").last).to_contain_text("gc")


def test_each_layer_of_a_copy_is_seen_on_its_way(page: Page, models: OllamaRegistry) -> None:
    models.add("library/watched", seed=21, size=900_000)
    models.released.clear()
    models.hold = 200_000
    try:
        fetch(page, f"docker://{name_of(models, 'watched')}")
        page.locator("#list .rows").get_by_role("link", name=re.compile("watched.* → the depot")).click()
        page.get_by_role("tab", name="Items").click()
        weights = page.locator("[data-items] tr", has_text=re.compile(r"^\s*model"))
        expect(weights).to_contain_text(re.compile(r"\d[\d.]* KiB of 878\.9 KiB"))
        expect(weights).to_contain_text("Moving")
        expect(page.locator("[data-items-sum]")).to_contain_text("4 of 5 blobs")
        assert faults(page, "light") == []
    finally:
        models.hold = None
        models.released.set()
    expect(page.locator("[data-items-sum]")).to_contain_text("5 of 5 blobs")
    expect(weights).to_contain_text("Arrived")


def test_a_model_is_looked_at_then_fetched_layer_by_layer(page: Page, models: OllamaRegistry) -> None:
    models.add("library/picked", seed=22, size=6_000_000, licence="Take it for tests.")
    name = name_of(models, "picked")
    page.goto("/depot/models")
    page.get_by_role("link", name="Get a model").first.click()
    page.get_by_label("Model", exact=True).fill(f"ollama pull {name}")
    page.locator("main").get_by_label("The registry has no TLS").check()
    page.get_by_role("button", name="Look").click()
    preview = page.locator("#preview")
    expect(preview.get_by_role("heading", name=name)).to_be_visible()
    expect(preview.locator("tr", has_text=re.compile(r"^\s*model"))).to_contain_text("to fetch")
    assert not preview.get_by_label("Licence").is_visible()
    preview.get_by_text("Licence").click()
    expect(preview.get_by_label("Licence")).to_have_text("Take it for tests.")
    assert faults(page, "light") == []
    models.released.clear()
    models.hold = 300_000
    try:
        preview.get_by_role("button", name=re.compile(r"Fetch \d")).click()
        weights = page.locator("[data-items] tr", has_text=re.compile(r"^\s*model"))
        expect(weights).to_contain_text("Moving")
        page.set_viewport_size({"width": 390, "height": 844})
        assert faults(page, "light") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#fetching .state").first).to_have_text(re.compile("Pausing|Paused"))
    finally:
        models.hold = None
        models.released.set()
    expect(page.locator("#fetching .state").first).to_have_text("Paused")
    expect(weights).to_contain_text("Stopped")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#fetching .state").first).to_have_text("Done")
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_label("Licence")).to_have_text("Take it for tests.")


def test_a_model_that_is_not_there_is_said_in_place(page: Page, models: OllamaRegistry) -> None:
    page.goto(f"/depot/models/add?name={name_of(models, 'nowhere')}&plain_http=true")
    expect(page.locator("#preview")).to_contain_text("This model cannot be shown")
    expect(page.locator("#preview")).to_contain_text("does not exist")

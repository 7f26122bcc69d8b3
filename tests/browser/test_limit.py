"""The limit of one download is changed on the page of its job."""

import re

from playwright.sync_api import Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer


def test_a_download_that_runs_is_limited_and_freed_on_its_page(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "limited.bin", 60), limit="200K")
    page.get_by_role("link", name="limited.bin", exact=True).click()
    head = page.locator("#job-head")
    expect(head).to_contain_text("195.3 KiB/s")
    dialog = page.get_by_role("dialog", name="Limit this download")
    head.get_by_role("button", name="Limit").click()
    dialog.get_by_label("Speed limit").fill("very fast")
    dialog.get_by_role("button", name="Limit", exact=True).click()
    expect(dialog.get_by_role("alert").first).to_contain_text("is not a rate")
    dialog.get_by_label("Speed limit").fill("2MiB/s")
    dialog.get_by_label("Connections").fill("3")
    dialog.get_by_role("button", name="Limit", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(head).to_contain_text("2.0 MiB/s")
    expect(head.locator("[data-field=connections]")).to_have_text(re.compile("^[123]$"))
    head.get_by_role("button", name="Limit").click()
    dialog.get_by_role("button", name="No limit").click()
    expect(dialog).to_be_hidden()
    expect(head).to_contain_text("Done")


def test_a_paused_download_is_limited_from_its_row(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "held-back.bin", 60), limit="100K")
    row = page.locator("#list tr").filter(has_text="held-back.bin")
    row.get_by_role("button", name="Pause held-back.bin").click()
    row.get_by_label("More for held-back.bin").click()
    row.get_by_role("link", name="Limit…").click()
    dialog = page.get_by_role("dialog", name="Limit this download")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Speed limit").fill("9MiB/s")
    dialog.get_by_role("button", name="Limit", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#job-head")).to_contain_text("9.0 MiB/s")
    page.get_by_role("button", name="Cancel").first.click()
    page.get_by_role("button", name="Cancel the job").click()

"""The page of a job, the list of all jobs and the history."""

import re

from playwright.sync_api import Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer


def test_the_page_of_a_job_tells_everything(page: Page, upstream: SampleServer) -> None:
    address = offer(upstream, "told.txt")
    digest = upstream.files["told.txt"].sha256
    add(page, address, checksum=f"sha256:{digest}", folder="told")
    page.goto("/downloads?tab=completed")
    page.get_by_role("link", name="told.txt", exact=True).click()
    expect(page.locator("#job-head h1")).to_have_text("told.txt")
    head = page.locator("#job-head")
    expect(head).to_contain_text("Done")
    expect(head.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    expect(head.get_by_role("list", name="Phases").locator(".is-done")).to_have_count(6)
    expect(head).to_contain_text(digest)
    page.get_by_role("tab", name="Report").click()
    expect(page.get_by_role("tabpanel", name="Report")).to_contain_text("told.txt")
    page.get_by_role("tab", name="Events").click()
    expect(page.get_by_role("tabpanel", name="Events")).to_contain_text("phase")
    page.get_by_role("tab", name="Configuration").click()
    expect(page.get_by_role("tabpanel", name="Configuration")).to_contain_text('"folder": "told"')
    expect(page).to_have_url(re.compile("#configuration$"))
    page.reload()
    expect(page.get_by_role("tab", name="Configuration")).to_have_attribute("aria-selected", "true")


def test_the_log_is_followed_and_searched(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "logged.bin", 24), limit="3MB/s")
    page.get_by_role("link", name="logged.bin", exact=True).click()
    log = page.get_by_role("log")
    expect(log.locator(".log-line").first).to_be_visible()
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    expect(page.locator("#job-head")).to_have_attribute("data-state", "succeeded")
    job = page.locator("[data-log]").get_attribute("data-log")
    written = page.request.get(f"/api/v1/jobs/{job}/log?limit=262144").json()["text"].splitlines()
    assert written[-1].endswith("succeeded")
    expect(log.locator(".log-line")).to_have_count(len(written))
    page.get_by_label("Search the log").fill("phase")
    found = [line for line in written if "phase" in line]
    assert 0 < len(found) < len(written)
    expect(log.locator(".log-line")).to_have_count(len(found))
    expect(log.locator("mark")).to_have_text(["phase"] * len(found))
    page.get_by_label("Search the log").fill("nothing has this in it")
    expect(log).to_contain_text("No line matches")
    page.get_by_label("Search the log").fill("")
    expect(log.locator(".log-line")).to_have_count(len(written))


def test_the_history_is_searched_and_filtered(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "present.txt"), f"{upstream.address}/files/absent.iso")
    page.goto("/downloads?tab=history")
    rows = page.locator("#list tbody tr")
    expect(rows.filter(has_text="absent.iso").first).to_contain_text("Failed")
    page.get_by_label("Search the history").fill("absent")
    expect(rows.filter(has_text="present.txt")).to_have_count(0)
    expect(rows.filter(has_text="absent.iso").first).to_be_visible()
    expect(page).to_have_url(re.compile("q=absent"))
    page.reload()
    expect(page.get_by_label("Search the history")).to_have_value("absent")
    page.get_by_role("group", name="Outcome").get_by_text("Done").click()
    expect(page.locator("#list")).to_contain_text("No download matches")
    page.get_by_role("link", name="Show the whole history").click()
    expect(rows.filter(has_text="present.txt").first).to_be_visible()


def test_an_ended_job_is_removed(page: Page, upstream: SampleServer) -> None:
    add(page, f"{upstream.address}/files/removed.iso")
    page.goto("/jobs?q=removed.iso")
    entry = page.locator("#list tbody tr", has_text="removed.iso")
    expect(entry).to_contain_text("Failed")
    entry.get_by_role("button", name="Delete removed.iso").click()
    expect(entry).to_have_count(0)
    expect(page.locator(".toast-note", has_text="Deleted removed.iso")).to_be_visible()
    expect(page.locator("#list")).to_contain_text("No job matches")


def test_an_unknown_job_says_what_to_do(page: Page) -> None:
    page.goto("/jobs/00000000-0000-7000-8000-000000000000")
    expect(page.get_by_role("main")).to_contain_text("There is no job")
    page.get_by_role("link", name="Back to the overview").click()
    expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()

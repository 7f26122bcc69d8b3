"""Adding downloads and steering them."""

import re

from playwright.sync_api import Locator, Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer


def row(page: Page, name: str) -> Locator:
    """The first row of the list with this name."""
    return page.locator("tr", has=page.get_by_role("link", name=name, exact=True)).first


def choose(page: Page, *names: str) -> None:
    """Select rows of the list."""
    for name in names:
        page.get_by_label(f"Select {name}").check()


def test_several_addresses_become_downloads_that_arrive(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "several-1.txt"), offer(upstream, "several-2.bin", 16), folder="several")
    page.goto("/downloads?tab=completed")
    for name in ("several-1.txt", "several-2.bin"):
        expect(row(page, name)).to_contain_text("Done")
    expect(row(page, "several-2.bin")).to_contain_text("16.0 MiB")


def test_progress_speed_and_time_left_are_shown_while_it_runs(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "watched.bin", 16), limit="3MB/s")
    moving = row(page, "watched.bin")
    expect(moving).to_contain_text("Running")
    bar = moving.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    first = int(bar.get_attribute("aria-valuenow") or 0)
    expect(moving.locator("[data-field=rate]")).to_have_text(re.compile(r"^[1-9][\d.]* (K|M)iB/s$"))
    expect(moving.locator("[data-field=eta]")).to_have_text(re.compile(r"about|seconds"))
    expect(page.locator(".flow [data-flow]")).to_have_text(re.compile(r"MiB/s"))
    expect(row(page, "watched.bin")).to_have_count(0)
    page.goto("/downloads?tab=completed")
    expect(row(page, "watched.bin")).to_contain_text("16.0 MiB")
    assert first > 0


def test_pause_resume_cancel_and_retry(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "steered.bin", 256), limit="5MB/s")
    moving = row(page, "steered.bin")
    expect(moving.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    moving.get_by_role("button", name="Pause steered.bin").click()
    expect(moving).to_contain_text("Paused")
    moving.get_by_role("button", name="Resume steered.bin").click()
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel steered.bin").click()
    question = page.get_by_role("dialog", name="Cancel this job")
    expect(question).to_contain_text("steered.bin")
    question.get_by_role("button", name="Keep it").click()
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel steered.bin").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect(moving).to_have_count(0)
    page.goto("/downloads?tab=history")
    ended = row(page, "steered.bin")
    expect(ended).to_contain_text("Cancelled")
    ended.get_by_role("button", name="Try again steered.bin").click()
    expect(ended).to_have_count(0)
    page.goto("/downloads?tab=active")
    moving = row(page, "steered.bin")
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel steered.bin").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect(moving).to_have_count(0)


def test_several_are_steered_at_once(page: Page, upstream: SampleServer) -> None:
    add(page, *[offer(upstream, f"bulk-{number}.bin", 64) for number in (1, 2)], limit="1MB/s")
    rows = page.locator("tr", has=page.get_by_role("link", name=re.compile("bulk-")))
    expect(rows).to_have_count(2)
    choose(page, "bulk-1.bin", "bulk-2.bin")
    bar = page.get_by_role("group", name="Act on the selected jobs")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Pause").click()
    expect(rows.filter(has_text="Paused")).to_have_count(2)
    choose(page, "bulk-1.bin", "bulk-2.bin")
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel them").click()
    expect(rows).to_have_count(0)


def test_what_is_wrong_is_said_at_its_field(page: Page, upstream: SampleServer) -> None:
    page.goto("/downloads?open=add")
    form = page.get_by_role("dialog", name="Add downloads")
    form.get_by_label("Addresses").fill("gopher://example.com/file")
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-error=urls]")).to_contain_text("gopher")
    expect(form.get_by_label("Addresses")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Addresses").fill(f"{offer(upstream, 'field.txt')}\ngopher://example.com/file")
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-left]")).to_contain_text("gopher")
    form.get_by_role("button", name="Options").click()
    form.get_by_label("Checksum", exact=True).fill("sha256:1234")
    form.get_by_role("button", name="Download 1 file").click()
    expect(form.locator("[data-error=checksum]")).not_to_be_empty()
    expect(form.locator("[data-error=urls]")).to_be_empty()
    form.get_by_label("Checksum", exact=True).fill("")
    form.get_by_label("Speed limit").fill("fast")
    form.get_by_role("button", name="Download 1 file").click()
    expect(form.locator("[data-error=rate_limit]")).to_contain_text("fast")
    page.goto("/downloads?tab=history")
    expect(page.locator("tr", has_text="gopher")).to_have_count(0)


def test_a_wrong_checksum_fails_and_says_what_to_do(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "wrong.txt"), checksum=f"sha256:{'0' * 64}")
    page.goto("/downloads?tab=history&state=failed")
    failed = row(page, "wrong.txt")
    expect(failed).to_contain_text("Failed")
    failed.get_by_role("link", name="wrong.txt").click()
    expect(page.locator("#job-head .notice")).to_contain_text("corrupt")
    page.goto("/")
    expect(page.locator("section", has_text="Needs you").locator("li", has_text="wrong.txt")).to_be_visible()


def test_a_hostile_name_is_only_text(page: Page, upstream: SampleServer) -> None:
    hostile = "%3Cimg%20src%3Dx%20onerror%3Dwindow.taken%3D1%3E%22%27.bin"
    add(page, f"{upstream.address}/files/{hostile}")
    for path in ("/downloads?tab=history", "/jobs", "/"):
        page.goto(path)
        expect(page.get_by_text("onerror").first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
    page.goto("/jobs")
    page.get_by_role("link", name=re.compile("onerror")).first.click()
    expect(page.locator("#job-head h1")).to_contain_text("onerror")
    page.get_by_role("tab", name="Events").click()
    page.get_by_role("tab", name="Report").click()
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.taken") is None

"""Adding downloads and steering them."""

import re

from playwright.sync_api import Locator, Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add

DONE = re.compile("Done")


def row(page: Page, name: str) -> Locator:
    """The first row of the list with this name."""
    return page.locator("tr", has=page.get_by_role("link", name=name, exact=True)).first


def test_several_addresses_become_downloads_that_arrive(page: Page, upstream: SampleServer) -> None:
    files = upstream.files
    add(page, upstream.url("hello.txt"), upstream.url("medium.bin"), folder="several")
    page.goto("/downloads?tab=completed")
    for name in ("hello.txt", "medium.bin"):
        expect(row(page, name)).to_contain_text(DONE)
    expect(row(page, "medium.bin")).to_contain_text("32.0 MiB")
    assert files["medium.bin"].size == 32 << 20


def test_progress_speed_and_time_left_are_shown_while_it_runs(page: Page, upstream: SampleServer) -> None:
    add(page, upstream.url("slow.bin"), limit="3MB/s", folder="progress")
    moving = row(page, "slow.bin")
    expect(moving).to_contain_text("Running")
    bar = moving.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    first = int(bar.get_attribute("aria-valuenow") or 0)
    expect(moving.locator("[data-field=rate]")).to_have_text(re.compile(r"^[1-9][\d.]* (K|M)iB/s$"))
    expect(moving.locator("[data-field=eta]")).to_have_text(re.compile(r"about|seconds"))
    expect(page.locator(".flow [data-flow]")).to_have_text(re.compile(r"MiB/s"))
    expect(row(page, "slow.bin")).to_have_count(0)
    page.goto("/downloads?tab=completed")
    expect(row(page, "slow.bin")).to_contain_text("24.0 MiB")
    assert first > 0


def test_pause_resume_cancel_and_retry(page: Page, upstream: SampleServer) -> None:
    add(page, upstream.url("large.bin"), limit="4MB/s", folder="steered")
    moving = row(page, "large.bin")
    expect(moving.get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d?$"))
    moving.get_by_role("button", name="Pause large.bin").click()
    expect(moving).to_contain_text("Paused")
    moving.get_by_role("button", name="Resume large.bin").click()
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel large.bin").click()
    question = page.get_by_role("dialog", name="Cancel this job")
    expect(question).to_contain_text("large.bin")
    question.get_by_role("button", name="Keep it").click()
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel large.bin").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect(moving).to_have_count(0)
    page.goto("/downloads?tab=history")
    ended = row(page, "large.bin")
    expect(ended).to_contain_text("Cancelled")
    ended.get_by_role("button", name="Try again large.bin").click()
    expect(ended).to_have_count(0)
    page.goto("/downloads?tab=active")
    moving = row(page, "large.bin")
    expect(moving).to_contain_text("Running")
    moving.get_by_role("button", name="Cancel large.bin").click()
    question.get_by_role("button", name="Cancel the job").click()
    expect(moving).to_have_count(0)


def test_several_are_steered_at_once(page: Page, upstream: SampleServer) -> None:
    add(page, *[upstream.url("large.bin")] * 2, limit="1MB/s", folder="bulk")
    rows = page.locator("tr", has=page.get_by_role("link", name="large.bin"))
    expect(rows).to_have_count(2)
    page.get_by_label("Select all").check()
    bar = page.get_by_role("group", name="Act on the selected jobs")
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Pause").click()
    expect(rows.filter(has_text="Paused")).to_have_count(2)
    page.get_by_label("Select all").check()
    bar.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel them").click()
    expect(rows).to_have_count(0)


def test_what_is_wrong_is_said_at_its_field(page: Page, upstream: SampleServer) -> None:
    page.goto("/downloads?open=add")
    form = page.get_by_role("dialog", name="Add download")
    form.get_by_label("Addresses").fill(f"{upstream.url('hello.txt')}\ngopher://example.com/file")
    form.get_by_role("button", name="Download", exact=True).click()
    expect(form.locator("[data-error=urls]")).to_contain_text("gopher")
    expect(form.get_by_label("Addresses")).to_have_attribute("aria-invalid", "true")
    form.get_by_label("Addresses").fill(upstream.url("hello.txt"))
    form.get_by_label("Checksum").fill("sha256:1234")
    form.get_by_role("button", name="Download", exact=True).click()
    expect(form.locator("[data-error=checksum]")).not_to_be_empty()
    expect(form.locator("[data-error=urls]")).to_be_empty()
    form.get_by_label("Checksum").fill("")
    form.get_by_text("Folder, speed and more").click()
    form.get_by_label("Speed limit").fill("fast")
    form.get_by_role("button", name="Download", exact=True).click()
    expect(form.locator("[data-error=rate_limit]")).to_contain_text("fast")
    page.goto("/downloads?tab=history")
    expect(page.locator("tr", has_text="gopher")).to_have_count(0)


def test_a_wrong_checksum_fails_and_says_what_to_do(page: Page, upstream: SampleServer) -> None:
    add(page, upstream.url("hello.txt"), checksum=f"sha256:{'0' * 64}", folder="wrong")
    page.goto("/downloads?tab=history&state=failed")
    failed = row(page, "hello.txt")
    expect(failed).to_contain_text("Failed")
    failed.get_by_role("link", name="hello.txt").click()
    expect(page.locator("#job-head .notice")).to_contain_text("corrupt")
    page.goto("/")
    expect(page.locator("section", has_text="Needs you").locator("li", has_text="hello.txt")).to_be_visible()


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

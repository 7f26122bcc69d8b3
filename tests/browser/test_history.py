"""The history in a real browser: what ended is narrowed, sorted, saved, exported, and lists are imported."""

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from ferryman.core.ids import new_id
from ferryman.db import Database, sqlite_url
from ferryman.jobs.model import NewJob, Progress, Reason
from ferryman.jobs.ports import Claim, Outcome
from ferryman.jobs.sql import SqlStore
from ferryman.jobs.transitions import Cause
from tests.browser.conftest import Console, sign_in, started, watched

NOW = 1_790_000_000.0
NUMBER = 60
EVIL = "<img src=x onerror=alert(1)>.iso"


async def fill(store: SqlStore) -> None:
    """Sixty downloads that ended: every tenth failed, images are from one host and larger."""
    for n in range(NUMBER):
        at = NOW + n * 3600
        images = n % 3 == 0
        title = EVIL if n == 1 else f"{'disk' if images else 'book'}-{n:02}.{'iso' if images else 'pdf'}"
        host = "images.example" if images else "books.example"
        new = NewJob(
            "download",
            title,
            {"urls": [f"https://{host}/{n}"]},
            host=host,
            category="images" if images else None,
        )
        (job,) = await store.add([(new_id(at), new)], at)
        (job,) = await store.lease(Claim("w", ["download"], 1), at + 1, at + 60)
        end = Outcome(Cause.SUCCEED, result={"path": title})
        if n % 10 == 5:
            end = Outcome(
                Cause.FAIL, reason=Reason.NETWORK, error="The connection was reset.", error_code="reset"
            )
        await store.finish(
            job.id, job.epoch, end, at + 60, Progress(total=(n + 1) * (10**8 if images else 10**4))
        )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A Ferryman of its own with a past."""
    folder = tmp_path_factory.mktemp("past")
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "ferry.toml").write_text("download_concurrency = 1\n")
    database = Database(sqlite_url(home / "ferry.db"))
    database.migrate()
    with ThreadPoolExecutor(1) as aside:  # the browser's library has a loop in this thread
        aside.submit(asyncio.run, fill(SqlStore(database))).result()
    database.close_now()
    with started(folder) as console:
        yield console


@pytest.fixture(scope="module")
def signed(browser: Browser, past: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session there."""
    context = browser.new_context(base_url=past.address)
    sign_in(context.new_page(), past)
    kept = tmp_path_factory.mktemp("signed") / "state.json"
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def context(browser: Browser, past: Console, signed: Path, complaints: list[str]) -> Iterator[BrowserContext]:
    """A browser that is signed in there."""
    yield from watched(browser, past, complaints, {"storage_state": signed, "accept_downloads": True})


def titles(page: Page) -> list[str]:
    """What is listed."""
    return page.locator("#list a.title").all_inner_texts()


def test_filters_narrow_the_list_its_sums_and_the_address(page: Page) -> None:
    page.goto("/downloads/history")
    sums = page.locator(".sums-text")
    expect(sums).to_contain_text("60 downloads")
    expect(sums).to_contain_text("90.0% success")
    page.get_by_label("Search the history").fill("disk")
    expect(sums).to_contain_text("20 downloads")
    page.locator("label.chip", has_text="Failed").click()
    expect(sums).to_contain_text("2 downloads")
    expect(page).to_have_url(re.compile(r"q=disk&state=failed"))
    page.reload()
    expect(sums).to_contain_text("2 downloads")
    assert titles(page) == ["disk-45.iso", "disk-15.iso"]
    page.goto("/downloads/history")
    page.get_by_text("More filters").click()
    page.get_by_label("Host").fill("books.example")
    expect(sums).to_contain_text("40 downloads")
    page.get_by_label("Size at most").fill("200 kB")
    expect(sums).to_contain_text("13 downloads")
    page.get_by_role("link", name="Remove the filter Host books.example").click()
    expect(sums).to_contain_text("13 downloads")
    expect(page.get_by_label("Host")).to_have_value("")
    page.get_by_text("More filters").click()
    page.get_by_label("Size at most").fill("much")
    expect(page.locator(".list-note")).to_contain_text("'much' is not a size")


def test_heads_of_columns_sort(page: Page) -> None:
    page.goto("/downloads/history?category=images")
    page.get_by_role("link", name="Size").click()
    expect(page.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "descending")
    assert titles(page)[:2] == ["disk-57.iso", "disk-54.iso"]
    page.get_by_role("link", name="Size").click()
    expect(page.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "ascending")
    assert titles(page)[:2] == ["disk-00.iso", "disk-03.iso"]
    page.get_by_text("More filters").click()
    page.get_by_label("Size at least").fill("5.2 GB")
    expect(page.locator(".sums-text")).to_contain_text("3 downloads")
    assert titles(page) == ["disk-51.iso", "disk-54.iso", "disk-57.iso"]


def test_a_filter_is_saved_applied_and_deleted(page: Page) -> None:
    page.goto("/downloads/history?reason=network&until=2026-12-31&sort=title")
    page.get_by_role("button", name="Save filter").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Broken <b>")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved filters")).to_be_visible()
    page.goto("/downloads/history")
    page.get_by_text("Saved filters").click()
    page.get_by_role("link", name="Broken <b>", exact=True).click()
    expect(page.locator(".sums-text")).to_contain_text("6 downloads")
    expect(page.get_by_label("Reason", exact=True)).to_have_value("network")
    expect(page.get_by_label("Added until", exact=True)).to_have_value("2026-12-31")
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    page.get_by_text("Saved filters").click()
    page.get_by_role("button", name="Delete the filter Broken <b>").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Saved filters")).to_have_count(0)


def test_what_is_shown_is_exported(page: Page, tmp_path: Path) -> None:
    page.goto("/downloads/history?category=images&sort=title")
    page.get_by_text("More filters").click()
    page.get_by_label("Size at most").fill("700 MB")
    expect(page.locator(".sums-text")).to_contain_text("3 downloads")
    for form in ("CSV", "JSON"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=form).click()
        waiting.value.save_as(tmp_path / form)
        assert waiting.value.suggested_filename == f"downloads.{form.lower()}"
    rows = list(csv.DictReader((tmp_path / "CSV").read_text().splitlines()))
    items = json.loads((tmp_path / "JSON").read_text())["items"]
    wanted = ["disk-00.iso", "disk-03.iso", "disk-06.iso"]
    assert [row["title"] for row in rows] == [item["title"] for item in items] == wanted


def test_an_import_says_which_lines_are_wrong_and_offers_the_rest(page: Page, tmp_path: Path) -> None:
    lines = [f"https://files.example/{n}.iso" for n in range(10_000)]
    lines[41], lines[4_999], lines[9_998] = "gopher://files.example/x", "https://", "not an address"
    list_file = tmp_path / "list.txt"
    list_file.write_text("\n".join(lines))
    page.goto("/downloads/history")
    page.get_by_role("button", name="Import list").click()
    dialog = page.get_by_role("dialog", name="Import list")
    dialog.get_by_label("File").set_input_files(list_file)
    expect(dialog.get_by_label("Or paste it")).to_have_value(re.compile("9999.iso"))
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_text("3 lines are wrong. Nothing was added.")).to_be_visible()
    numbers = dialog.locator("[data-wrong-lines] tr td:first-child").all_inner_texts()
    assert numbers == ["42", "5000", "9999"]
    expect(dialog.locator("[data-wrong-lines]")).to_contain_text("gopher")
    dialog.get_by_role("button", name="Take the rest").click()
    expect(page.get_by_text("9,997 downloads added, 3 left out")).to_be_visible()
    expect(dialog).to_be_hidden()


def test_what_a_file_is_called_is_never_markup(page: Page) -> None:
    page.goto("/downloads/history?sort=title")
    expect(page.get_by_role("link", name=EVIL, exact=True)).to_be_visible()
    assert page.locator("#list img").count() == 0

"""Charts of what was done: the page of the statistics, the chart of one job, the overview."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ferryman.core.units import format_duration, format_size
from ferryman.testing.sample import SampleServer
from tests.browser.conftest import Console, add, offer, sign_in, started

DRAWN = """canvas => {
  const {width, height} = canvas;
  if (!width || !height) return 0;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked / (width * height);
}"""
"""The share of a canvas that something was drawn on."""


@pytest.fixture(scope="module")
def _counted(browser: Browser, console: Console, session: object, upstream: SampleServer) -> None:
    """Have something fetched and something failed."""
    context = browser.new_context(base_url=console.address, storage_state=session)
    page = context.new_page()
    add(page, offer(upstream, "counted.bin", 2), f"{upstream.address}/files/counted-not.iso")
    page.goto("/jobs?q=counted")
    expect(page.locator("#list tr", has_text="counted.bin").first).to_contain_text("Done")
    expect(page.locator("#list tr", has_text="counted-not.iso").first).to_contain_text("Failed")
    context.close()


def hold_all(page: Page) -> None:
    """Pause whatever other tests left at work, so that no figure changes any more."""
    page.goto("/jobs")
    asked = """async () => (await fetch('/api/v1/jobs/bulk', {
      method: 'POST', headers: {'content-type': 'application/json', 'x-csrf-token': document.querySelector('meta[name=csrf]').content},
      body: JSON.stringify({action: 'pause', filter: {state: ['queued', 'running', 'waiting']}}),
    })).status"""
    assert page.evaluate(asked) == 200
    page.wait_for_function(
        "async () => (await (await fetch('/api/v1/jobs?state=running')).json()).items.length === 0"
    )


@pytest.mark.usefixtures("_counted")
def test_the_page_tells_what_was_done(page: Page) -> None:
    hold_all(page)
    page.goto("/")
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Statistics").click()
    expect(page.get_by_role("heading", name="Statistics", exact=True)).to_be_visible()
    found = page.request.get("/api/v1/statistics?days=30").json()
    assert min(found["bytes"], found["succeeded"], found["failed"], found["failures"]["not_found"]) > 0
    main = page.get_by_role("main")
    expect(main.locator(".stat-value")).to_have_text(
        [
            format_size(found["bytes"]),
            f"{100 * found['success']:.1f} %".replace(".0 ", " "),
            format_duration(found["saved_seconds"]) if found["resumed"] else "—",
            str(found["retries"]),
        ]
    )
    expect(main.locator(".stat-note").nth(1)).to_have_text(
        f"{found['succeeded']} done, {found['failed']} failed, {found['cancelled']} cancelled"
    )
    hosts = main.get_by_role("region", name="Top hosts").locator("tbody tr")
    expect(hosts.locator("td:first-child")).to_have_text([one["name"] for one in found["hosts"]])
    expect(hosts.locator("td:nth-child(2)")).to_have_text(
        [format_size(one["bytes"]) for one in found["hosts"]]
    )
    failures = main.get_by_role("region", name="Why jobs failed").locator("tbody tr")
    expect(failures.locator("td.number")).to_have_text([str(one) for one in found["failures"].values()])
    expect(failures.filter(has_text="It was not found").locator("td.number")).to_have_text(
        str(found["failures"]["not_found"])
    )
    for name in ("Bytes per day", "Speed over time", "Jobs that ended"):
        figure = page.get_by_role("figure", name=name)
        canvas = figure.locator("canvas")
        expect(canvas).to_be_visible()
        assert canvas.evaluate(DRAWN) > 0.005, name
        expect(figure.get_by_role("table")).to_be_hidden()
        figure.get_by_text("Show as a table").click()
        expect(figure.get_by_role("table")).to_be_visible()
    for figure, columns in (
        ("Bytes per day", {"bytes": format_size}),
        ("Jobs that ended", {"succeeded": str, "failed": str}),
    ):
        rows = page.get_by_role("figure", name=figure).locator("tbody tr")
        for place, (field, written) in enumerate(columns.items(), 2):
            expect(rows.locator(f":nth-child({place})")).to_have_text(
                [written(day[field]) for day in found["by_day"]]
            )


@pytest.mark.usefixtures("_counted")
def test_the_period_is_chosen_and_kept_in_the_address(page: Page) -> None:
    page.goto("/statistics")
    periods = page.get_by_role("navigation", name="Period")
    expect(periods.get_by_role("link", name="30 days")).to_have_attribute("aria-current", "page")
    periods.get_by_role("link", name="1 year").click()
    expect(page).to_have_url(re.compile(r"days=365$"))
    expect(page.get_by_role("figure", name="Bytes per week").locator("tbody tr")).to_have_count(53)
    periods.get_by_role("link", name="7 days").click()
    expect(page.get_by_role("figure", name="Bytes per day").locator("tbody tr")).to_have_count(7)


@pytest.mark.usefixtures("_counted")
def test_what_is_under_the_pointer_is_said_and_nothing_jumps(page: Page) -> None:
    page.goto("/statistics?days=7")
    figure = page.get_by_role("figure", name="Bytes per day")
    over = figure.locator(".u-over")
    expect(over).to_be_visible()
    before = figure.bounding_box()
    box = over.bounding_box()
    assert before is not None
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 15, box["y"] + box["height"] / 2)
    expect(figure.locator("[data-say]")).to_contain_text(re.compile(r"\d+ \w+ \d{4}: [\d.]+ [KMG]iB"))
    assert figure.bounding_box() == before
    page.mouse.move(5, 5)
    expect(figure.locator("[data-say]")).to_have_text("")


@pytest.mark.usefixtures("_counted")
def test_drawing_moves_nothing_on_the_page(page: Page) -> None:
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => {"
        " for (const entry of list.getEntries()) window.shift += entry.value;"
        "}).observe({type: 'layout-shift', buffered: true});"
    )
    for path in ("/statistics", "/"):
        page.goto(path)
        expect(page.locator("canvas").first).to_be_visible()
        page.wait_for_function("document.documentElement.dataset.stream === 'open'")
        assert page.evaluate("window.shift") < 0.02, path


@pytest.mark.usefixtures("_counted")
def test_charts_follow_the_theme_and_fit_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/statistics")
    canvas = page.get_by_role("figure", name="Bytes per day").locator("canvas")
    expect(canvas).to_be_visible()
    light = canvas.evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => document.querySelector('[data-plot] canvas')?.toDataURL() !== before", arg=light
    )
    box = canvas.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_a_job_shows_its_whole_story_whenever_it_is_opened(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "story.bin", 12), limit="2MB/s")
    page.get_by_role("link", name="story.bin", exact=True).click()
    chart = page.locator("[data-chart]")
    expect(chart.locator("canvas")).to_be_visible()
    expect(page.locator("#job-head")).to_have_attribute("data-state", "succeeded")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    expect(chart.locator("canvas")).to_be_visible()
    said = chart.get_attribute("aria-label") or ""
    seconds = re.search(r"Speed over ([\d.]+) s", said)
    assert seconds is not None, said
    assert float(seconds[1]) > 3
    assert chart.locator("canvas").evaluate(DRAWN) > 0.005


def test_the_overview_says_what_needs_someone_and_how_fast_it_is(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "flowing.bin", 40), f"{upstream.address}/files/needed.iso", limit="3MB/s")
    page.goto("/")
    needs = page.get_by_role("region", name="Needs you")
    expect(needs).to_contain_text("needed.iso")
    expect(page.locator("#overview")).to_contain_text("Failed in the last day")
    speed = page.get_by_role("region", name="Speed", exact=True)
    expect(speed.locator("[data-flow]")).to_contain_text(re.compile(r"[1-9][\d.]* (K|M)iB/s"))
    expect(speed.locator("canvas")).to_be_visible()
    chart = speed.locator("canvas").element_handle()
    assert chart is not None
    needs.get_by_role("button", name="Delete needed.iso").first.click()
    expect(needs).not_to_contain_text("needed.iso")
    assert chart.is_visible()  # the list was renewed around the chart


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Console]:
    """A Ferryman where nothing was done yet."""
    with started(tmp_path) as running:
        yield running


def test_nothing_done_teaches_the_first_step(browser: Browser, fresh: Console) -> None:
    context = browser.new_context(base_url=fresh.address)
    page = context.new_page()
    sign_in(page, fresh, "/statistics")
    expect(page.get_by_role("heading", name="Nothing to count in these 30 days")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Add download").click()
    expect(page.get_by_role("dialog", name="Add download")).to_be_visible()
    page.goto("/")
    expect(page.locator("#overview")).to_contain_text("Everything is well")
    context.close()

"""The order of the queue, what runs at once, selecting and acting on many, deleting and taking it back."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer
from tests.browser.test_access import faults

Call = Callable[..., Any]
LETTERS = "abcde"


@pytest.fixture
def call(page: Page) -> Call:
    """Ask the API as the page does."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        return page.evaluate(
            """async ([method, path, body]) => {
                const csrf = document.querySelector("meta[name=csrf]").content;
                const headers = {"X-CSRF-Token": csrf, "Content-Type": "application/json"};
                const answer = await fetch(path, {method, headers, body: body ?? undefined});
                return JSON.parse((await answer.text()) || "null");
            }""",
            [method, path, None if body is None else json.dumps(body)],
        )

    return ask


@pytest.fixture
def queue(page: Page, call: Call, upstream: SampleServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """Five downloads that wait behind one that takes long; their names begin with what this returns."""
    name = request.node.name.removeprefix("test_")[:24].replace("[", "-").replace("]", "")
    _clear(page, call)
    call("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": 1})
    add(page, offer(upstream, f"{name}-runs.bin", 64), limit="60KB/s")
    expect(row(page, f"{name}-runs.bin")).to_contain_text("Running")
    for letter in LETTERS:
        url = offer(upstream, f"{name}-{letter}.bin", 64)
        call("POST", "/api/v1/downloads", {"urls": [url], "rate_limit": "60KB/s"})
    page.goto("/downloads?tab=queue")
    expect(page.locator("#list tbody tr")).to_have_count(5)
    yield name
    _clear(page, call)
    call("PUT", "/api/v1/jobs/limits", {"kind": "download", "limit": 8})


def _clear(page: Page, call: Call) -> None:
    """Leave nothing in the lists of what moves, whoever brought it there."""
    page.goto("/downloads")
    moving = ["queued", "waiting", "paused", "running"]
    for _ in range(100):
        call("POST", "/api/v1/jobs/bulk", {"action": "cancel", "filter": {"state": moving}})
        counts = call("GET", "/api/v1/overview")["counts"]
        if not any(counts.get(state) for state in moving):
            break
        page.wait_for_timeout(100)
    call("POST", "/api/v1/jobs/bulk", {"action": "delete", "filter": {"state": ["cancelled"]}})
    page.goto("/downloads")
    expect(page.locator("#list tbody tr")).to_have_count(0)


def row(page: Page, name: str) -> Locator:
    """The row with this name."""
    return page.locator("#list tr", has=page.get_by_role("link", name=name, exact=True)).first


def order(page: Page) -> str:
    """The letters of the queued downloads in the order of the page, with their numbers checked."""
    rows = page.locator('#list tr[data-state="queued"]')
    titles = rows.locator("a.title").all_inner_texts()
    numbers = rows.locator("[data-place]").all_inner_texts()
    letters = "".join(title[-5] for title in titles)
    return letters if numbers == [str(index + 1) for index in range(len(titles))] else f"{letters} {numbers}"


def shows(page: Page, letters: str) -> None:
    """Wait until the page has this order."""
    for _ in range(100):
        if order(page) == letters:
            return
        page.wait_for_timeout(50)
    assert order(page) == letters


def settled(page: Page, letters: str, call: Call) -> None:
    """Wait until server and page have this order."""

    def told() -> str:
        items = call("GET", "/api/v1/jobs?state=queued&sort=run_order")["items"]
        return "".join(item["title"][-5] for item in items)

    for _ in range(100):
        if told() == letters:
            break
        page.wait_for_timeout(50)
    assert told() == letters
    page.reload()
    shows(page, letters)


def grip(page: Page, name: str) -> Locator:
    """What a row is dragged by."""
    return row(page, name).locator("[data-grip]")


def middle(place: Locator) -> tuple[float, float]:
    """The middle of a place on the page."""
    box = place.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_rows_are_dragged_to_their_place_with_the_mouse(page: Page, queue: str, call: Call) -> None:
    shows(page, "abcde")
    page.mouse.move(*middle(grip(page, f"{queue}-e.bin")))
    page.mouse.down()
    x, y = middle(grip(page, f"{queue}-b.bin"))
    page.mouse.move(x, y - 8, steps=8)
    expect(row(page, f"{queue}-e.bin")).to_have_class(re.compile("is-dragging"))
    page.wait_for_timeout(120)
    page.mouse.up()
    shows(page, "aebcd")
    settled(page, "aebcd", call)
    page.mouse.move(*middle(grip(page, f"{queue}-a.bin")))
    page.mouse.down()
    x, y = middle(grip(page, f"{queue}-d.bin"))
    page.mouse.move(x, y + 30, steps=8)
    page.wait_for_timeout(120)
    page.mouse.up()
    settled(page, "ebcda", call)


def test_a_drag_is_given_up_with_escape(page: Page, queue: str, call: Call) -> None:
    page.mouse.move(*middle(grip(page, f"{queue}-a.bin")))
    page.mouse.down()
    page.mouse.move(*middle(grip(page, f"{queue}-d.bin")), steps=6)
    page.wait_for_timeout(120)
    assert order(page) != "abcde"
    page.keyboard.press("Escape")
    page.mouse.up()
    settled(page, "abcde", call)


def test_rows_are_dragged_with_a_finger(page: Page, queue: str, call: Call) -> None:
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    x, y = middle(grip(page, f"{queue}-c.bin"))
    end = middle(grip(page, f"{queue}-a.bin"))[1] - 10
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 7):
        now = y + (end - y) * step / 6
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": now}]})
        page.wait_for_timeout(30)
    page.wait_for_timeout(120)
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settled(page, "cabde", call)


def test_rows_are_moved_with_the_keyboard_and_the_menu(page: Page, queue: str, call: Call) -> None:
    grip(page, f"{queue}-a.bin").focus()
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("#announce")).to_have_text(f"{queue}-a.bin, now number 3")
    expect(grip(page, f"{queue}-a.bin")).to_be_focused()
    settled(page, "bcade", call)
    for key in ("j", "j", "j", "j", "j", "Alt+ArrowUp"):
        page.keyboard.press(key)
    settled(page, "bcaed", call)
    row(page, f"{queue}-d.bin").get_by_label("More for").click()
    row(page, f"{queue}-d.bin").get_by_role("button", name="Move to top").click()
    settled(page, "dbcae", call)
    row(page, f"{queue}-b.bin").get_by_label("Priority of").select_option("9")
    settled(page, "dcaeb", call)


def test_start_now_runs_beyond_the_limit(page: Page, queue: str) -> None:
    row(page, f"{queue}-c.bin").get_by_role("button", name="Start now").click()
    expect(row(page, f"{queue}-c.bin")).to_have_count(0)
    shows(page, "abde")
    page.goto("/downloads?tab=active")
    expect(page.locator('#list tr[data-state="running"]')).to_have_count(2)


def test_how_many_run_and_how_fast_is_changed_live(page: Page, queue: str, call: Call) -> None:
    limits = page.get_by_role("group", name="Limits of all downloads")
    limits.get_by_role("button", name="One more at once").click()
    limits.get_by_role("button", name="One more at once").click()
    expect(page.locator("#list tbody tr")).to_have_count(3)
    expect(page.get_by_role("link", name="Active")).to_contain_text("3")
    expect(page.get_by_role("link", name="Queue")).to_contain_text("3")
    assert call("GET", "/api/v1/jobs/limits")["limits"]["download"] == 3
    field = limits.get_by_label("At once", exact=True)
    field.fill("40")
    field.press("Enter")
    expect(field).to_have_value("3")
    speed = limits.get_by_label("Speed", exact=True)
    speed.fill("3MB/s")
    speed.press("Enter")
    expect(page.locator(".toast-note", has_text="Speed limit: 3MB/s")).to_be_visible()
    assert call("GET", "/api/v1/downloads/speed")["rate_limit"] == 3_000_000
    speed.fill("fast")
    speed.press("Enter")
    expect(page.locator(".toast-note.is-bad", has_text="fast")).to_be_visible()
    expect(speed).to_have_value("3MB/s")
    speed.fill("")
    speed.press("Enter")
    expect(page.locator(".toast-note", has_text="Speed limit: no limit")).to_be_visible()


def test_a_range_is_selected_with_shift_and_acted_on(page: Page, queue: str) -> None:
    page.get_by_label(f"Select {queue}-b.bin").click()
    page.get_by_label(f"Select {queue}-d.bin").click(modifiers=["Shift"])
    bar = page.get_by_role("group", name="Act on the selected jobs")
    expect(bar).to_contain_text("3 selected")
    bar.get_by_label("Priority of the selected jobs").select_option("2")
    expect(bar).to_be_hidden()
    expect(page.locator("#list [data-place]").first).to_have_text("1")
    shows(page, "bcdae")
    for key in ("j", "x", "j", "j", "X"):
        page.keyboard.press(key)
    expect(bar).to_contain_text("3 selected")
    bar.get_by_role("button", name="Category").click()
    dialog = page.get_by_role("dialog", name="Category")
    dialog.get_by_role("textbox").fill("music")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#list .pill", has_text="music")).to_have_count(3)
    page.keyboard.press("a")
    expect(bar).to_contain_text("5 selected")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()


def test_all_that_the_list_finds_are_selected_beyond_the_page(
    page: Page, queue: str, call: Call, upstream: SampleServer
) -> None:
    urls = [f"{upstream.address}/files/many-{number}.bin" for number in range(120)]
    call("POST", "/api/v1/downloads", {"urls": urls})
    page.get_by_label("Search this list").fill("many")
    expect(page.locator("#list tbody tr")).to_have_count(50)
    page.get_by_label("Select all", exact=True).check()
    bar = page.get_by_role("group", name="Act on the selected jobs")
    expect(bar).to_contain_text("50 selected")
    bar.get_by_role("button", name="Select all 120").click()
    expect(bar).to_contain_text("All 120 selected")
    bar.get_by_role("button", name="Cancel").click()
    question = page.get_by_role("dialog", name="Cancel 120 jobs")
    question.get_by_role("button", name="Cancel them").click()
    expect(page.locator(".toast-note", has_text="Cancelled 120")).to_be_visible()
    expect(page.locator("#list")).to_contain_text("Nothing here matches")
    page.get_by_label("Search this list").fill("")
    expect(page.locator("#list tbody tr")).to_have_count(5)


def test_pause_all_and_resume_all(page: Page, queue: str) -> None:
    page.get_by_role("button", name="Pause all").click()
    expect(page.locator(".toast-note", has_text="Paused 6")).to_be_visible()
    expect(page.locator("#list")).to_contain_text("The queue is empty")
    expect(page.get_by_role("link", name="Active")).to_contain_text("6")
    page.get_by_role("button", name="Resume all").click()
    expect(page.locator("#list tbody tr")).to_have_count(5)


def test_a_schedule_is_set_and_taken_away(page: Page, queue: str) -> None:
    planned = row(page, f"{queue}-a.bin")
    planned.get_by_label("More for").click()
    planned.get_by_role("button", name="Schedule…").click()
    dialog = page.get_by_role("dialog", name="Schedule")
    expect(dialog).to_contain_text(f"{queue}-a.bin")
    dialog.get_by_label("Start at").fill("2031-05-06T07:30")
    dialog.get_by_label("Only at night").check()
    dialog.get_by_label("From").fill("07:00")
    dialog.get_by_label("To", exact=True).fill("07:00")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.locator("[data-error=window]")).not_to_be_empty()
    dialog.get_by_label("To", exact=True).fill("09:00")
    dialog.get_by_role("button", name="Save").click()
    expect(planned).to_contain_text("Waiting")
    shows(page, "bcde")
    planned.get_by_label("More for").click()
    planned.get_by_role("button", name="Schedule…").click()
    dialog.get_by_role("button", name="At any time").click()
    expect(planned).to_contain_text("Queued")
    shows(page, "abcde")


def test_what_ends_stays_a_moment_and_leaves_with_a_word(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "leaving.bin", 3), limit="1MB/s")
    ended = row(page, "leaving.bin")
    expect(ended).to_contain_text("Running")
    expect(ended).to_contain_text("Done")
    page.wait_for_timeout(2500)
    expect(ended).to_contain_text("Done")
    expect(ended).to_have_count(0)
    note = page.locator(".toast-note", has_text="leaving.bin is complete")
    note.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("tab=completed"))
    expect(row(page, "leaving.bin")).to_be_visible()


def test_what_ended_just_before_the_page_was_opened_leaves_too(
    page: Page, call: Call, upstream: SampleServer
) -> None:
    page.goto("/settings")
    url = offer(upstream, "ended-before.bin")
    job = call("POST", "/api/v1/downloads", {"urls": [url]})["items"][0]["id"]
    for _ in range(100):
        if call("GET", f"/api/v1/jobs/{job}")["state"] == "succeeded":
            break
        page.wait_for_timeout(20)
    page.goto("/downloads")
    expect(row(page, "ended-before.bin")).to_contain_text("Done")
    expect(row(page, "ended-before.bin")).to_have_count(0)


def test_deleting_is_taken_back(page: Page, upstream: SampleServer) -> None:
    names = [f"deleted-{number}.bin" for number in (1, 2, 3)]
    add(page, *[offer(upstream, name, 1) for name in names])
    page.goto("/downloads?tab=completed&q=deleted")
    rows = page.locator("#list tbody tr")
    expect(rows).to_have_count(3)
    row(page, names[0]).get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete this entry")
    expect(dialog).to_contain_text(f"{names[0]}, 1.0 MiB, is removed from the disk.")
    dialog.get_by_role("button", name="Keep").click()
    expect(rows).to_have_count(3)
    page.get_by_label("Select all", exact=True).check()
    page.get_by_role("group", name="Act on").get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete 3 entries")
    expect(dialog).to_contain_text("and 2 more, 3.0 MiB together")
    dialog.get_by_label("The entry and the file").check()
    dialog.get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(0)
    page.locator(".toast-note", has_text="Deleted 3 entries").get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("Delete")
    page.get_by_role("dialog", name="Delete this entry").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(2)
    page.keyboard.press("u")
    expect(rows).to_have_count(3)


def test_the_palette_finds_jobs_by_name(page: Page, upstream: SampleServer) -> None:
    add(page, offer(upstream, "needle-in-the-palette.bin"))
    page.goto("/settings")
    page.keyboard.press("Control+k")
    page.keyboard.type("needle-in")
    page.get_by_role("option", name="needle-in-the-palette.bin").first.click()
    expect(page.locator("#job-head h1")).to_have_text("needle-in-the-palette.bin")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_queue_and_its_dialogs_have_no_accessibility_faults(page: Page, queue: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    found = []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto("/downloads?tab=queue")
        page.get_by_label(f"Select {queue}-a.bin").check()
        found += faults(page, theme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("group", name="Act on").get_by_role("button", name="Category").click()
        found += faults(page, theme)
        page.keyboard.press("Escape")
        row(page, f"{queue}-b.bin").get_by_label("More for").click()
        found += faults(page, theme)
        row(page, f"{queue}-b.bin").get_by_role("button", name="Schedule…").click()
        page.locator("#schedule").get_by_label("Only at night").check()
        found += faults(page, theme)
    page.goto("/downloads?tab=active")
    expect(page.locator('#list tr[data-state="running"]')).to_have_count(1)
    assert found + faults(page, theme) == []

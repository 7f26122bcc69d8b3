"""The page of settings: search, checks while typing, saving, going back, carrying, and the timetable."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Console, watched
from tests.browser.test_access import faults


@pytest.fixture
def settings(page: Page) -> Iterator[Page]:
    """The page of settings; afterwards everything is as before."""
    page.goto("/settings")
    expect(page.locator("[data-hours-now]")).to_contain_text("Now")
    yield page
    page.evaluate(
        """async () => {
            const headers = {"X-CSRF-Token": document.querySelector("meta[name=csrf]").content};
            const found = await (await fetch("/api/v1/settings")).json();
            for (const item of found.items.filter((one) => one.origin === "console"))
                await fetch(`/api/v1/settings/${item.name}`, {method: "DELETE", headers});
        }"""
    )


def row(page: Page, name: str):
    return page.locator(f"[data-setting={name}]")


def cell(page: Page, day: int, hour: int):
    return page.locator(f'.hours-cell[data-day="{day}"][data-hour="{hour}"]')


def test_a_change_is_checked_saved_marked_and_taken_back(settings: Page) -> None:
    field, bar = settings.get_by_label("Downloads at once"), settings.locator("[data-set-bar]")
    expect(bar).to_be_hidden()
    field.fill("99")
    expect(settings.locator("#error-download_concurrency")).to_have_text(
        "Must be a whole number from 1 to 32."
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(bar).to_contain_text("1 change is not saved. Downloads at once")
    bar.get_by_role("button", name="Save changes").click()
    expect(field).to_be_focused()
    field.fill("5")
    expect(settings.locator("#error-download_concurrency")).to_be_empty()
    settings.get_by_label("Log level").select_option("debug")
    expect(bar).to_contain_text("2 changes are not saved.")
    settings.keyboard.press("Control+s")
    expect(settings.get_by_text("2 settings are saved")).to_be_visible()
    expect(bar).to_be_hidden()
    expect(row(settings, "download_concurrency")).to_contain_text("console")
    expect(row(settings, "download_concurrency")).to_contain_text("Set by admin")
    settings.reload()
    expect(field).to_have_value("5")
    row(settings, "download_concurrency").get_by_role("button", name="Back to the default: 8").click()
    expect(field).to_have_value("8")
    bar.get_by_role("button", name="Save changes").click()
    expect(row(settings, "download_concurrency").locator(".pill").first).to_have_text("default")


def test_changes_can_be_discarded(settings: Page) -> None:
    field = settings.get_by_label("Connections of a download")
    field.fill("2")
    settings.get_by_role("button", name="Discard").click()
    expect(field).to_have_value("8")
    expect(settings.locator("[data-set-bar]")).to_be_hidden()


def test_what_waits_for_the_next_start_says_so(settings: Page) -> None:
    settings.get_by_label("Download folder").fill("/tmp")
    expect(settings.locator("[data-set-later]")).to_be_visible()
    settings.get_by_role("button", name="Save changes").click()
    expect(row(settings, "download_folder")).to_contain_text("In force until the next start: the default")


def test_what_the_environment_fixes_is_read_only_with_the_reason(settings: Page) -> None:
    expect(settings.get_by_label("Port", exact=True)).not_to_be_editable()
    expect(row(settings, "port")).to_contain_text("Port is fixed by FERRY_PORT in the environment.")
    expect(row(settings, "host")).to_contain_text("set on the machine only")


def test_settings_are_found_by_words(settings: Page) -> None:
    settings.keyboard.press("/")
    expect(settings.get_by_label("Find a setting")).to_be_focused()
    settings.keyboard.type("session console")
    expect(row(settings, "session_hours")).to_be_visible()
    expect(row(settings, "connections")).to_be_hidden()
    expect(settings.get_by_role("heading", name="Downloads")).to_be_hidden()
    settings.get_by_label("Find a setting").fill("nothing has this")
    expect(settings.get_by_text("No setting has these words.")).to_be_visible()


def test_somebody_else_s_change_is_not_overwritten(settings: Page, context: BrowserContext) -> None:
    other = context.new_page()
    other.goto("/settings")
    other.get_by_label("Connections of a download").fill("3")
    other.get_by_role("button", name="Save changes").click()
    expect(other.get_by_text("The setting is saved")).to_be_visible()
    settings.get_by_label("Connections of a download").fill("4")
    settings.get_by_role("button", name="Save changes").click()
    expect(settings.get_by_text("Somebody else changed the settings meanwhile.")).to_be_visible()


def test_export_and_import_show_what_changes(settings: Page) -> None:
    settings.get_by_label("Connections of a download").fill("3")
    settings.get_by_role("button", name="Save changes").click()
    settings.get_by_role("button", name="Export").click()
    expect(settings.get_by_label("Exported settings")).to_have_value("connections = 3\n")
    settings.get_by_label("JSON", exact=True).check()
    expect(settings.get_by_label("Exported settings")).to_have_value('{\n  "connections": 3\n}\n')
    with settings.expect_download() as download:
        settings.get_by_role("link", name="Download", exact=True).last.click()
    assert download.value.suggested_filename == "ferryman-settings.json"
    settings.keyboard.press("Escape")
    settings.get_by_role("button", name="Import").click()
    dialog = settings.get_by_role("dialog", name="Import settings")
    dialog.get_by_label("Settings TOML or JSON").fill("connections = 99\nlog_level = 'debug'")
    dialog.get_by_role("button", name="Show what changes").click()
    expect(dialog).to_contain_text("Nothing is imported. connections: Must be a whole number from 1 to 32.")
    expect(dialog.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    file = {"name": "s.toml", "mimeType": "text/plain", "buffer": b"connections = 6\nlog_level = 'debug'"}
    dialog.get_by_label("File").set_input_files([file])
    expect(dialog.get_by_role("row", name="Connections of a download 3 6")).to_be_visible()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(settings.get_by_text("2 settings are imported")).to_be_visible()
    expect(settings.get_by_label("Connections of a download")).to_have_value("6")


def drag(page: Page, first: tuple[int, int], last: tuple[int, int]) -> None:
    for step, place in enumerate((first, last)):
        box = cell(page, *place).bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=6)
        if step == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_timetable_is_painted_with_the_mouse(settings: Page) -> None:
    text = settings.locator("#set-rate_schedule")
    cell(settings, 0, 0).scroll_into_view_if_needed()
    drag(settings, (0, 8), (4, 17))
    expect(text).to_have_value("mon-fri 08:00-18:00=2MB/s")
    settings.get_by_label("No limit").check()
    settings.locator('.hours-day[data-day="5"]').click()
    settings.locator('.hours-day[data-day="6"]').click()
    expect(text).to_have_value("mon-fri 08:00-18:00=2MB/s, sat,sun=0")
    settings.get_by_label("Erase").check()
    drag(settings, (0, 12), (4, 12))
    expect(text).to_have_value("mon-fri 08:00-12:00=2MB/s, mon-fri 13:00-18:00=2MB/s, sat,sun=0")
    settings.get_by_role("button", name="Save changes").click()
    expect(settings.get_by_text("The setting is saved")).to_be_visible()
    settings.reload()
    expect(cell(settings, 1, 9)).to_have_attribute("aria-label", "Tuesday 09:00, 2MB/s")
    expect(cell(settings, 6, 23)).to_have_attribute("aria-label", "Sunday 23:00, no limit")
    expect(cell(settings, 1, 12)).to_have_attribute("aria-label", "Tuesday 12:00, the speed limit counts")
    expect(settings.locator(".hours-cell[aria-current]")).to_have_count(1)


def test_a_timetable_is_painted_with_the_keyboard(settings: Page) -> None:
    cell(settings, 0, 8).focus()
    settings.keyboard.press("Space")
    settings.keyboard.press("Shift+ArrowRight")
    settings.keyboard.press("Shift+ArrowDown")
    settings.keyboard.press("ArrowDown")
    settings.keyboard.press("Enter")
    expect(settings.locator("#set-rate_schedule")).to_have_value(
        "mon 08:00-10:00=2MB/s, tue,wed 09:00-10:00=2MB/s"
    )
    settings.keyboard.press("Home")
    expect(cell(settings, 2, 0)).to_be_focused()


def test_what_is_typed_is_drawn_and_what_is_wrong_is_said(settings: Page) -> None:
    text = settings.locator("#set-rate_schedule")
    text.fill("wed,fri 20:00-23:30=500K")
    expect(cell(settings, 4, 21)).to_have_attribute("aria-label", "Friday 21:00, 500KB/s")
    expect(settings.get_by_text("Some rules begin or end within an hour")).to_be_visible()
    text.fill("friday 20:00-23:00=500K")
    expect(settings.locator("#error-rate_schedule")).to_contain_text("is not a time with a limit")
    settings.get_by_label("Speed to paint with").fill("quick")
    cell(settings, 0, 0).click()
    expect(settings.locator("[data-hours-error]")).to_contain_text("'quick' is not a speed")


def test_fingers_paint_on_a_phone(
    browser: Browser, console: Console, session: str, complaints: list[str]
) -> None:
    options = {
        "storage_state": session,
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
    }
    for context in watched(browser, console, complaints, options):
        page = context.new_page()
        page.goto("/settings")
        expect(page.locator("[data-hours-now]")).to_contain_text("Now")
        cell(page, 2, 10).tap()
        expect(page.locator("#set-rate_schedule")).to_have_value("wed 10:00-11:00=2MB/s")
        top, below = cell(page, 2, 10).bounding_box(), cell(page, 2, 11).bounding_box()
        assert top is not None
        assert below is not None
        assert below["y"] > top["y"]
        assert below["x"] == top["x"]
        page.get_by_role("button", name="Discard").click()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_and_changes_have_no_accessibility_faults(settings: Page, theme: str) -> None:
    settings.emulate_media(color_scheme=theme, reduced_motion="reduce")
    settings.locator("#set-rate_schedule").fill("mon=1K, tue=2K, wed=3K, thu=4K, fri=5K, sat=6K, sun=0")
    settings.get_by_label("Connections of a download").fill("99")
    expect(settings.locator("#error-connections")).not_to_be_empty()
    expect(cell(settings, 5, 1)).to_have_class(re.compile("is-rate-4"))
    assert faults(settings, theme) == []
    settings.get_by_role("button", name="Import").click()
    settings.get_by_label("Settings TOML or JSON").fill("connections = 3")
    settings.get_by_role("button", name="Show what changes").click()
    expect(settings.get_by_role("row", name="Connections of a download 8 3")).to_be_visible()
    assert faults(settings, theme) == []

"""What every page has: palette, keyboard, themes, the stream, administration."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Console


def test_the_palette_goes_anywhere(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search or go anywhere")
    expect(palette).to_be_visible()
    palette.get_by_role("combobox").fill("audit")
    expect(palette.get_by_role("option").first).to_contain_text("Audit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    page.keyboard.press("Control+k")
    palette.get_by_role("combobox").fill("some file")
    palette.get_by_role("option", name=re.compile("Search all jobs")).click()
    expect(page).to_have_url(re.compile(r"/jobs\?q=some%20file$"))


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("heading", name="Downloads", exact=True)).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_role("dialog", name="Add download").get_by_label("Addresses")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Add download")).to_be_hidden()
    page.goto("/downloads?tab=history")
    page.keyboard.press("/")
    expect(page.get_by_label("Search the history")).to_be_focused()


def test_the_theme_follows_the_system_until_chosen(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_label("Theme").click()
    page.get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_a_lost_daemon_is_told_and_found_again(page: Page, complaints: list[str]) -> None:
    page.route("**/api/v1/events*", lambda route: route.abort())
    page.goto("/downloads")
    banner = page.get_by_role("alert").filter(has_text="does not answer")
    expect(banner).to_be_visible()
    page.unroute("**/api/v1/events*")
    expect(banner).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-stream", "open")
    # The browser itself writes down each refused connection.
    complaints[:] = [text for text in complaints if "net::ERR_FAILED" not in text]


def test_users_and_tokens_are_made_and_taken_back(page: Page, browser: Browser, console: Console) -> None:
    page.goto("/users")
    page.get_by_role("button", name="Add user").click()
    form = page.get_by_role("dialog", name="Add a user")
    form.get_by_label("Name").fill("Bad Name")
    form.get_by_label("Password").fill("a long enough one")
    form.get_by_role("button", name="Add user").click()
    expect(form.locator("[data-error=name]")).not_to_be_empty()
    form.get_by_label("Name").fill("maria")
    form.get_by_role("button", name="Add user").click()
    maria = page.locator("#list tr", has_text="maria")
    expect(maria).to_contain_text("member")
    maria.get_by_role("button", name="Disable maria").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable", exact=True).click()
    expect(maria).to_contain_text("Disabled")
    maria.get_by_role("button", name="Delete maria").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete maria").click()
    expect(maria).to_have_count(0)
    page.goto("/tokens")
    page.get_by_role("button", name="Make a token").first.click()
    form = page.get_by_role("dialog", name="Make a token")
    form.get_by_label("Name").fill("nightly")
    form.get_by_role("button", name="Make a token").click()
    expect(form.locator("#token-secret code")).to_have_text(re.compile(r"^ferry_\S{20,}$"))
    form.get_by_role("button", name="Close").last.click()
    token = page.locator("#list tr", has_text="nightly")
    token.get_by_role("button", name="Revoke nightly").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(token).to_have_count(0)
    page.goto("/audit")
    expect(page.get_by_text("The chain is whole")).to_be_visible()
    expect(page.locator("#content tbody")).to_contain_text("maria")

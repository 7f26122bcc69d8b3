"""Rules and hooks in a real browser: made, tried, put in order by mouse and keyboard, carried elsewhere."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer

RULES = "/downloads/rules"


@pytest.fixture(autouse=True)
def _clean(page: Page) -> Iterator[None]:
    """Begin and end without rules and hooks."""
    empty(page)
    yield
    empty(page)


def empty(page: Page) -> None:
    page.goto(RULES)
    page.evaluate(
        """async () => {
          const csrf = document.querySelector("meta[name=csrf]").content;
          for (const kind of ["rules", "hooks"]) {
            const items = (await (await fetch(`/api/v1/downloads/${kind}`)).json()).items;
            for (const item of items) {
              await fetch(`/api/v1/downloads/${kind}/${item.id}`, { method: "DELETE", headers: { "X-CSRF-Token": csrf } });
            }
          }
        }"""
    )
    page.goto(RULES)


def names(page: Page) -> list[str]:
    return page.locator("#rules .title").all_text_contents()


def test_a_starter_set_teaches_the_first_step(page: Page) -> None:
    page.get_by_role("button", name="Add a starter set").click()
    expect(page.locator("#rules .title")).to_have_count(5)
    page.get_by_label("Try an address").fill("https://example.org/debian.iso")
    expect(page.locator("#try-answer")).to_contain_text(
        "Disk images counts: filed under Disk images, goes to images/"
    )
    expect(page.locator("tr.is-hit .title")).to_have_text("Disk images")
    page.get_by_label("Try an address").fill("nonsense")
    expect(page.locator("#try-answer")).to_contain_text("has no scheme")


def test_a_rule_is_made_tried_changed_and_removed(page: Page) -> None:
    page.get_by_role("button", name="Add rule").click()
    form = page.get_by_role("dialog", name="Add a rule")
    form.get_by_label("Name").fill("Night builds")
    form.get_by_label("Category").fill("Builds")
    form.get_by_label("Endings").fill("tgz, zip")
    form.get_by_label("Regular expression").fill("/nightly/[0-9]+/")
    form.get_by_label("Folder").fill("builds/{host}")
    form.get_by_label("Archives").select_option("true")
    form.get_by_label("Try this rule").fill("https://ci.example.org/nightly/12/app.tgz")
    answer = form.locator("#rule-try-answer")
    expect(answer).to_contain_text(
        "It matches: filed under Builds, goes to builds/ci.example.org/, is unpacked."
    )
    form.get_by_label("Endings").fill("iso")
    expect(answer).to_have_text("It does not match.")
    form.get_by_label("Regular expression").fill("(a")
    expect(answer).to_contain_text("is no regular expression")
    form.get_by_role("button", name="Save").click()
    expect(form.locator("#rule-expression-error")).to_contain_text("is no regular expression")
    form.get_by_label("Regular expression").fill("/nightly/")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    row = page.locator("#rules tr", has_text="Night builds")
    expect(row).to_contain_text("to builds/{host}/")
    expect(row).to_contain_text("unpack")
    row.get_by_role("button", name="Change Night builds").click()
    form = page.get_by_role("dialog", name="Change the rule")
    expect(form.get_by_label("Endings")).to_have_value("iso")
    expect(form.get_by_label("Archives")).to_have_value("true")
    form.get_by_label("Folder").fill("")
    form.get_by_label("The rule is switched on").uncheck()
    form.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Switched off")
    expect(row).not_to_contain_text("builds/")
    row.get_by_role("button", name="Remove Night builds").click()
    page.get_by_role("button", name="Remove", exact=True).last.click()
    expect(page.get_by_role("heading", name="No rules yet")).to_be_visible()


def test_rules_are_put_in_order_by_buttons_keys_and_mouse(page: Page) -> None:
    page.get_by_role("button", name="Add a starter set").click()
    expect(page.locator("#rules .title")).to_have_count(5)
    page.get_by_role("button", name="Move Media up").click()
    expect(page.locator("#rules .title").nth(3)).to_have_text("Media")
    page.get_by_role("button", name=re.compile("Move Archives: place 1")).focus()
    page.keyboard.press("Alt+ArrowDown")
    expect(page.locator("#rules .title").first).to_have_text("Disk images")
    expect(page.get_by_role("button", name=re.compile("Move Archives: place 2"))).to_be_focused()
    page.reload()
    assert names(page) == ["Disk images", "Archives", "Packages", "Media", "Documents"]
    grip = page.get_by_role("button", name=re.compile("Move Documents: place 5"))
    grip.drag_to(page.locator("#rules tbody tr").first, target_position={"x": 30, "y": 4})
    expect(page.locator("#rules .title").first).to_have_text("Documents")
    page.reload()
    assert names(page)[0] == "Documents"


def test_a_hostile_name_is_only_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)>' data-x='\"</script>"
    page.get_by_role("button", name="Add rule").click()
    form = page.get_by_role("dialog", name="Add a rule")
    form.get_by_label("Name").fill(name)
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#rules .title")).to_have_text(name)
    page.get_by_role("button", name=f"Change {name}").click()
    expect(page.get_by_role("dialog", name="Change the rule").get_by_label("Name")).to_have_value(name)
    assert page.locator("#rules img").count() == 0


def test_rules_are_imported_and_wrong_ones_are_named(page: Page) -> None:
    page.get_by_role("button", name="Import", exact=True).click()
    form = page.get_by_role("dialog", name="Import rules")
    form.get_by_label("Exported rules").fill(
        json.dumps({"rules": [{"name": "a"}, {"name": "b", "folder": "/x"}]})
    )
    form.get_by_role("button", name="Import", exact=True).click()
    expect(form.locator("#import-rules-error")).to_contain_text("no folder below the download folder")
    form.get_by_label("Exported rules").fill("no json")
    form.get_by_role("button", name="Import", exact=True).click()
    expect(form.locator("#import-rules-error")).not_to_be_empty()
    form.get_by_label("Exported rules").fill(json.dumps({"rules": [{"name": "a"}, {"name": "b"}]}))
    form.get_by_role("button", name="Import", exact=True).click()
    expect(form).to_be_hidden()
    expect(page.locator("#rules .title")).to_have_count(2)


def test_a_rule_counts_for_what_is_added(page: Page, upstream: SampleServer) -> None:
    page.get_by_role("button", name="Add rule").click()
    form = page.get_by_role("dialog", name="Add a rule")
    form.get_by_label("Name").fill("Logs")
    form.get_by_label("Endings").fill("log")
    form.get_by_label("Folder").fill("logs")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    add(page, offer(upstream, "rule-made.log"))
    page.goto("/downloads?tab=completed")
    page.get_by_role("link", name="rule-made.log").click()
    expect(page.locator("#content")).to_contain_text("/logs/rule-made.log")


def test_a_hook_shows_its_key_once_and_sends_a_test(page: Page) -> None:
    page.get_by_role("button", name="Add hook").click()
    form = page.get_by_role("dialog", name="Add a hook")
    expect(form.get_by_label("Program and arguments")).to_be_hidden()
    form.get_by_label("Name").fill("chat")
    form.get_by_label("Address").fill("ftp://example.org/x")
    form.get_by_role("button", name="Save").click()
    expect(form.locator("#hook-url-error")).to_contain_text("https://")
    form.get_by_label("Address").fill("https://hooks.example.org/a?key=hidden")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    secret = page.locator("#hook-secret code").text_content()
    assert secret
    page.reload()
    assert secret not in page.content()
    assert "key=hidden" not in page.content()
    row = page.locator("#hooks tr", has_text="chat")
    expect(row).to_contain_text("https://hooks.example.org/")
    row.get_by_role("button", name="Test chat").click()
    expect(page.locator(".toasts")).to_contain_text("A test is on its way")
    row.get_by_role("button", name="Change chat").click()
    form = page.get_by_role("dialog", name="Change the hook")
    expect(form.get_by_label("Address")).to_have_value("")
    form.get_by_label("Kind").select_option("command")
    expect(form.get_by_label("Program and arguments")).to_be_visible()
    expect(form.get_by_label("Address")).to_be_hidden()

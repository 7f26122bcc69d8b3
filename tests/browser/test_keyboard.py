"""Whatever can be clicked can be reached and seen with the Tab key alone, on every page and in every dialog."""

from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_access import PATHS

MARK: Final = """
() => {
  const scope = document.querySelector('dialog:modal') ?? document;  // beside a modal dialog nothing can be reached
  const parts = scope.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [contenteditable], [tabindex], [data-open], [data-api], [data-bulk]');
  let number = 0;
  for (const one of parts) {
    if (one.disabled || one.type === 'hidden' || one.matches('form, main, dialog:not([open])')) continue;
    if (one.closest('dialog:not([open]), details:not([open]) > :not(summary)')) continue;
    if (!one.checkVisibility({visibilityProperty: true})) continue;
    // Of a group with one stop, the arrow keys reach the others.
    if (one.tabIndex < 0 && one.closest('[role=tablist], [role=listbox], [role=menu], [role=grid], [role=radiogroup]')) continue;
    if (one.type === 'radio' && !one.checked) continue;
    one.dataset.probe = String(number++);
  }
  return number;
}
"""
HERE: Final = """
() => {
  const one = document.activeElement;
  const seen = getComputedStyle(one);
  const label = one.closest('label') ?? (one.id && document.querySelector(`label[for="${CSS.escape(one.id)}"]`));
  const around = label ? getComputedStyle(label) : seen;
  const drawn = [seen, around].some((style) =>
    (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none');
  return {probe: one.dataset.probe ?? null, drawn, html: one.outerHTML.slice(0, 160)};
}
"""


LINKS: Final = 9
"""Links of the main navigation for an admin."""
PAGES: Final = tuple(
    path for path in PATHS if "open=" not in path and path not in {"/downloads/add", "/downloads?tab=history"}
)
"""Those of `PATHS` that open no dialog and do not lead to another one."""
DIALOGS: Final = (
    ("/", "keys"),
    ("/", "password"),
    ("/downloads", "add"),
    ("/downloads/history", "import"),
    ("/downloads/history", "save-filter"),
    ("/downloads/rules", "import-rules"),
    ("/depot", "fetch"),
    ("/depot/bundles", "write-bundle"),
    ("/depot/bundles", "load-bundle"),
    ("/settings", "export-settings"),
    ("/settings", "import-settings"),
    ("/users", "add-user"),
    ("/tokens", "add-token"),
)
"""Every dialog that a button opens, and a page that has it."""


def visit(page: Page, path: str, dialogs: list[str]) -> None:
    """Open a page and make sure that it is the one that was meant, with these dialogs open and no others."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(path)
    expect(page.locator("html")).to_have_attribute("data-stream", "open")
    assert urlsplit(page.url).path == urlsplit(path).path
    assert page.locator("dialog:modal").evaluate_all("all => all.map((one) => one.id)") == dialogs
    page.wait_for_timeout(300)  # the first refresh of the lists


@pytest.mark.parametrize("path", PAGES)
def test_the_tab_key_reaches_everything_on_a_page_and_shows_where_it_is(page: Page, path: str) -> None:
    visit(page, path, [])
    count = int(page.evaluate(MARK))
    links = page.get_by_role("navigation", name="Main", exact=True).get_by_role("link")
    assert links.count() == LINKS
    assert links.and_(page.locator("[data-probe]")).count() == LINKS
    tabbed(page, count)


@pytest.mark.parametrize(("path", "dialog"), DIALOGS)
def test_the_tab_key_reaches_everything_in_a_dialog_and_shows_where_it_is(
    page: Page, path: str, dialog: str
) -> None:
    visit(page, f"{path}?open={dialog}", [dialog])
    count = int(page.evaluate(MARK))
    assert page.locator("[data-probe]").count() == page.locator(f"#{dialog} [data-probe]").count() == count
    assert page.locator(f"#{dialog} [data-close][data-probe]").count() > 0
    tabbed(page, count)


def test_every_dialog_that_a_button_opens_is_among_them(page: Page) -> None:
    named: set[str] = set()
    for path in PAGES:
        page.goto(path)
        named |= set(page.locator("[data-open]").evaluate_all("all => all.map((one) => one.dataset.open)"))
    assert named == {dialog for _, dialog in DIALOGS}


def tabbed(page: Page, count: int) -> None:
    """Press Tab until all that was marked has had the focus, each time visibly."""
    reached: set[str] = set()
    hidden: list[str] = []
    for _ in range(count + 20):
        page.keyboard.press("Tab")
        here = page.evaluate(HERE)
        if here["probe"] is None:
            continue
        if not here["drawn"]:
            hidden.append(here["html"])
        reached.add(here["probe"])
        if len(reached) == count:
            break
    left = page.locator("[data-probe]").evaluate_all(
        "(all, reached) => all.filter((one) => !reached.includes(one.dataset.probe)).map((one) => one.outerHTML.slice(0, 160))",
        list(reached),
    )
    assert left == []
    assert hidden == []

"""Whatever can be clicked can be reached and seen with the Tab key alone."""

from typing import Final

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


@pytest.mark.parametrize("path", PATHS)
def test_the_tab_key_reaches_everything_and_shows_where_it_is(page: Page, path: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(path)
    expect(page.locator("html")).to_have_attribute("data-stream", "open")
    if "open=" in path:
        expect(page.locator("dialog[open] button[type=submit]").first).to_be_visible()
    page.wait_for_timeout(300)  # the first refresh of the lists
    count = int(page.evaluate(MARK))
    assert count > 3
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

"""The add dialog: pasted, dropped, previewed, asked about, undone; and nothing starts by itself."""

import re
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

from ferryman.testing.sample import SampleServer
from tests.browser.conftest import add, offer

METALINK = (
    '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="{name}"><size>1024</size><url>{url}</url></file>'
    '<file name="other-{name}"><url>{url}</url></file></metalink>'
)
DROP = """([type, value, name]) => {
  const data = new DataTransfer();
  if (name) data.items.add(new File([value], name, { type }));
  else data.setData(type, value);
  for (const kind of ["dragenter", "dragover"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  const seen = document.querySelector("#drop:not([hidden])")?.textContent ?? "";
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  return seen;
}"""
PASTE = """(text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Add downloads")


def line(form: Locator, name: str) -> Locator:
    """The row of the preview whose name field holds `name`."""
    return form.locator(
        "[data-items] tr", has=form.page.get_by_role("checkbox", name=f"Download {name}", exact=True)
    )


def preview(page: Page, text: str) -> Locator:
    """Open the dialog on the downloads page and go on to the preview of `text`."""
    page.goto("/downloads?open=add")
    form = dialog(page)
    form.get_by_label("Addresses").fill(text)
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-step=preview]")).to_be_visible()
    return form


def start(form: Locator) -> None:
    form.get_by_role("button", name=re.compile(r"Download \d+ file")).click()
    expect(form).to_be_hidden()


def test_the_preview_shows_name_size_kind_and_room(page: Page, upstream: SampleServer) -> None:
    form = preview(page, f"{offer(upstream, 'shown.iso', 3)}\n{upstream.url('shown-[1-2].zip')}\nnonsense")
    first = line(form, "shown.iso")
    expect(first).to_contain_text("3.0 MiB")
    expect(first).to_contain_text("Yes")
    expect(first).to_contain_text("Disk image")
    expect(form.locator("[data-left]")).to_contain_text("Line 3")
    expect(line(form, "shown-1.zip")).to_contain_text("404")
    expect(form.locator("[data-room]")).to_contain_text("free")
    first.get_by_label(re.compile("Name of")).fill("renamed.iso")
    for name in ("shown-1.zip", "shown-2.zip"):
        line(form, name).get_by_role("checkbox").uncheck()
    start(form)
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name="renamed.iso")).to_be_visible()


def test_undo_takes_back_what_was_added(page: Page, upstream: SampleServer) -> None:
    page.goto("/downloads")
    page.keyboard.press("n")
    form = dialog(page)
    form.get_by_label("Addresses").fill(offer(upstream, "undone.bin", 64))
    form.get_by_role("button", name="Continue").click()
    form.get_by_role("button", name="Options").click()
    form.get_by_label("Speed limit").fill("100KB/s")
    start(form)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("cancelled")
    page.goto("/downloads?tab=history&state=cancelled")
    expect(page.get_by_role("link", name="undone.bin")).to_be_visible()


def test_duplicates_and_files_that_are_there_are_asked_about(page: Page, upstream: SampleServer) -> None:
    url = offer(upstream, "asked.bin")
    add(page, url)
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name="asked.bin")).to_be_visible()
    form = preview(page, url)
    row = line(form, "asked.bin")
    expect(row).to_contain_text("there already")
    expect(row.get_by_role("link", name="an earlier download")).to_have_attribute(
        "href", re.compile("/jobs/")
    )
    form.get_by_role("button", name="Download 1 file").click()
    expect(form).to_be_visible()
    expect(row.get_by_label(re.compile("which is there"))).to_be_focused()
    form.locator("[data-ask]").get_by_role("button", name="Keep both").click()
    form.locator("[data-ask]").get_by_role("button", name="Download again").click()
    expect(form.locator("[data-ask]")).to_be_hidden()
    start(form)
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name="asked.bin")).to_have_count(2)


def test_a_file_found_later_is_asked_about_in_the_list(page: Page, upstream: SampleServer) -> None:
    url = offer(upstream, "later.bin")
    add(page, url)
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name="later.bin")).to_be_visible()
    added = page.evaluate(
        """(url) => fetch("/api/v1/downloads", {method: "POST", body: JSON.stringify({urls: [url], overwrite: "ask"}), headers: {
          "Content-Type": "application/json", "X-CSRF-Token": document.querySelector("meta[name=csrf]").content}}).then((a) => a.json())""",
        url,
    )
    page.goto("/downloads/history?state=failed")
    expect(page.get_by_role("group", name="Decide about later.bin")).to_be_visible()
    page.goto(f"/jobs/{added['ids'][0]}")
    choices = page.get_by_role("group", name="Decide about later.bin")
    choices.get_by_role("button", name="Keep both").click()
    expect(page.locator("#job-head")).to_contain_text("Done")
    expect(page.locator("#job-head")).to_contain_text("later (1).bin")


def test_a_link_is_dropped_on_another_page(page: Page, upstream: SampleServer) -> None:
    page.goto("/jobs")
    assert "Drop links" in page.evaluate(
        DROP, ["text/uri-list", f"# a\r\n{offer(upstream, 'dropped.bin')}", ""]
    )
    form = dialog(page)
    expect(form.get_by_label("Addresses")).to_have_value(upstream.url("dropped.bin"))
    form.get_by_role("button", name="Continue").click()
    expect(line(form, "dropped.bin")).to_contain_text("1.0 KiB")
    start(form)


def test_metalinks_and_lists_are_dropped(page: Page, upstream: SampleServer) -> None:
    page.goto("/")
    document = METALINK.format(name="meta.bin", url=offer(upstream, "meta-source.bin"))
    page.evaluate(DROP, ["", document, "some.meta4"])
    form = dialog(page)
    expect(form.locator("[data-files]")).to_contain_text("some.meta4: 2 files")
    page.evaluate(DROP, ["text/plain", f"{offer(upstream, 'listed.bin')}\nnonsense\n", "list.txt"])
    expect(form.locator("[data-files]")).to_contain_text("list.txt: 1 files, 1 wrong lines")
    page.evaluate(
        DROP,
        ["", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><metalink>&b;</metalink>', "bad.meta4"],
    )
    expect(form.locator("[data-error=file]")).to_contain_text("bad.meta4")
    form.get_by_role("button", name="Continue").click()
    for name in ("meta.bin", "other-meta.bin", "listed.bin"):
        expect(line(form, name)).to_contain_text("1.0 KiB")
    start(form)
    page.goto("/downloads?tab=completed")
    expect(page.get_by_role("link", name="other-meta.bin")).to_be_visible()


def test_what_is_pasted_outside_of_fields_opens_the_dialog(page: Page, upstream: SampleServer) -> None:
    page.goto("/settings")
    page.evaluate(PASTE, f"  {offer(upstream, 'pasted.bin')}\n")
    expect(dialog(page).get_by_label("Addresses")).to_have_value(upstream.url("pasted.bin"))


def test_a_bookmark_fills_the_dialog_and_starts_nothing(page: Page, upstream: SampleServer) -> None:
    url = offer(upstream, "marked.bin")
    page.goto(f"/downloads/add?url={quote(f'web+ferry:{url}', safe='')}")
    form = dialog(page)
    expect(form.get_by_label("Addresses")).to_have_value(url)
    found = page.evaluate("fetch('/api/v1/downloads?q=marked').then((answer) => answer.json())")
    assert found["items"] == []
    form.get_by_role("button", name="Close").click()
    link = page.get_by_role("link", name="Send to Ferryman")
    expect(link).to_have_attribute("href", re.compile(r"^javascript:.*/downloads/add"))


def test_hostile_text_is_only_text(page: Page, upstream: SampleServer) -> None:
    hostile = "%3Cimg%20src%3Dx%20onerror%3Dwindow.taken%3D1%3E.bin"
    page.goto(
        f"/downloads/add?url={quote('</textarea><script>window.taken=1</script>', safe='')}&out=%22%3E%3Cimg%20src=x%3E"
    )
    expect(dialog(page).get_by_label("Addresses")).to_have_value(re.compile("</textarea><script>"))
    form = preview(
        page,
        f"{upstream.address}/files/{hostile}\n<img/src=x/onerror=window.taken=1>\nhttp://127.0.0.1:9/<b>",
    )
    expect(form.locator("[data-items]")).to_contain_text("onerror")
    expect(form.locator("[data-left]")).to_contain_text("<img/src=x/onerror")
    page.evaluate(DROP, ["", "nonsense", "<img src=x onerror=window.taken=1>.meta4"])
    expect(form.locator("[data-error=file]")).to_contain_text("<img src=x")
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.taken") is None


def test_checksum_lists_ask_where_the_files_are(page: Page, upstream: SampleServer) -> None:
    offer(upstream, "summed.bin")
    page.goto("/downloads?open=add")
    form = dialog(page)
    form.get_by_label("Addresses").fill(f"{'a' * 64}  summed.bin")
    form.get_by_role("button", name="Continue").click()
    base = form.get_by_label("Where the listed files are")
    expect(base).to_be_focused()
    base.fill("nonsense")
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-error=base]")).to_contain_text("nonsense")
    base.fill(f"{upstream.address}/files/")
    form.get_by_role("button", name="Continue").click()
    expect(line(form, "summed.bin")).to_contain_text("1.0 KiB")


def test_later_and_at_night(page: Page, upstream: SampleServer) -> None:
    form = preview(page, offer(upstream, "night.bin"))
    form.get_by_role("button", name="Options").click()
    form.get_by_label("Only at night").check()
    form.get_by_label("Time of day to run in").fill("at night")
    form.get_by_role("button", name="Download 1 file").click()
    expect(form.locator("[data-error=window]")).to_contain_text("22:00-06:00")
    form.get_by_label("Later, at").check()
    form.get_by_role("button", name="Download 1 file").click()
    expect(form.locator("[data-error=not_before]")).to_contain_text("when")
    form.get_by_label("Start at").fill("2027-06-01T03:00")
    start(form)
    found = page.evaluate("fetch('/api/v1/downloads?q=night').then((answer) => answer.json())")
    assert found["items"][0]["not_before"].startswith("2027-0")
    assert found["items"][0]["state"] == "waiting"


def test_a_list_that_is_too_long_is_not_begun_with_a_part(page: Page) -> None:
    page.goto("/downloads?open=add")
    form = dialog(page)
    form.get_by_label("Addresses").fill("http://127.0.0.1:9/[1-9999]\nhttp://127.0.0.1:9/{a,b}")
    form.get_by_role("button", name="Continue").click()
    expect(form.locator("[data-error=urls]")).to_contain_text("Line 2: The list has more than 10,000 entries")
    expect(form.locator("[data-step=paste]")).to_be_visible()

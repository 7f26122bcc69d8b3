"""What hostile pages, servers and names must not reach: the session, the pages, other sites."""

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from ferryman.testing.sample import SampleServer
from ferryman.testing.upstream import Exchange, Upstream
from tests.browser.conftest import Console, add, offer, sign_in
from tests.browser.test_access import PATHS

HOSTILE: Final = "<img src=x onerror=window.taken=1>"
INLINE: Final = """
(text) => [...new DOMParser().parseFromString(text, 'text/html').querySelectorAll('*')].filter((one) =>
  one.matches('script:not([src]), style') || [...one.attributes].some((each) => /^(on|style$)/.test(each.name)))
  .map((one) => one.outerHTML.slice(0, 160))
"""
Attack = Callable[[str], str]


@pytest.fixture
def attacker() -> Iterator[Attack]:
    """A site of somebody else; call it with the HTML of its page to get the port it is on."""
    pages: list[bytes] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages[-1])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def serve(html: str) -> str:
        pages.append(html.encode())
        return str(server.server_port)

    yield serve
    server.shutdown()
    server.server_close()
    thread.join()


def _hold(page: Page, upstream: SampleServer, name: str) -> str:
    """Have a paused download, and return the path of its page."""
    add(page, offer(upstream, name, 64), limit="1MB/s")
    row = page.locator("tr", has=page.get_by_role("link", name=name))
    row.get_by_role("button", name=f"Pause {name}").click()
    expect(row).to_contain_text("Paused")
    return str(row.get_by_role("link", name=name).get_attribute("href"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_site_changes_nothing_in_the_name_of_who_is_signed_in(
    context: BrowserContext,
    page: Page,
    console: Console,
    upstream: SampleServer,
    attacker: Attack,
    host: str,
    complaints: list[str],
) -> None:
    """From 127.0.0.1 the browser even sends the cookie: another port is the same site."""
    job = _hold(page, upstream, f"wanted-{host}.bin")
    cancel = f"{console.address}/api/v1{job}/cancel"
    port = attacker(
        f'<form id=f method=post action="{cancel}"><input name=csrf value=guess></form>'
        f'<form id=g method=post action="{console.address}/logout" target=other></form>'
        "<iframe name=other></iframe>"
        f"<script>fetch('{cancel}', {{method: 'POST', credentials: 'include', mode: 'no-cors'}})"
        ".finally(() => { g.submit(); document.title = 'sent'; })</script>"
    )
    evil = context.new_page()
    evil.goto(f"http://{host}:{port}/")
    expect(evil).to_have_title("sent")
    with evil.expect_navigation():
        evil.evaluate("document.getElementById('f').submit()")
    expect(evil.locator("body")).to_contain_text("another site")
    page.goto(job)
    expect(page.locator("#job-head")).to_contain_text("Paused")
    for text in ("NotSameOrigin", "script: Failed to fetch", "frame-ancestors 'none'"):
        assert [text in one for one in complaints].count(True) == 1, complaints
    assert len(complaints) == 3
    complaints.clear()


def test_no_other_page_can_frame_the_console(
    context: BrowserContext, console: Console, attacker: Attack, complaints: list[str]
) -> None:
    port = attacker(f'<iframe id=inside width=900 height=600 src="{console.address}/downloads"></iframe>')
    evil = context.new_page()
    evil.goto(f"http://127.0.0.1:{port}/")
    evil.wait_for_timeout(1000)
    frame = next(one for one in evil.frames if one.parent_frame is not None)
    assert "Downloads" not in frame.content()
    assert [text for text in complaints if "frame-ancestors 'none'" in text] == complaints != []
    complaints.clear()


@pytest.mark.parametrize(
    "elsewhere",
    ["https://example.com/", "//example.com/", "/\\example.com", "/\t/example.com", "javascript:alert(1)"],
)
def test_signing_in_leads_to_no_other_site(visitor: BrowserContext, console: Console, elsewhere: str) -> None:
    page = visitor.new_page()
    gone: list[str] = []
    page.on("request", lambda request: gone.append(urlsplit(request.url).hostname or ""))
    sign_in(page, console, f"/login?next={quote(elsewhere, safe='')}")
    assert page.url.startswith(f"{console.address}/")
    assert set(gone) == {"127.0.0.1"}


def test_what_a_server_says_is_only_text(page: Page) -> None:
    """Hostile words in the status line, in the name it gives, and in the type of the file."""
    with Upstream() as upstream:

        def named(exchange: Exchange) -> None:
            name = f"attachment; filename*=UTF-8''{quote(HOSTILE)}.bin"
            exchange.start(
                200, {"Content-Length": 4, "Content-Disposition": name, "Content-Type": f"text/{HOSTILE}"}
            )
            exchange.write(b"byte")

        def refused(exchange: Exchange) -> None:
            exchange.start(404, {"Content-Length": len(HOSTILE), "Content-Type": "text/html", "X": HOSTILE})
            exchange.write(HOSTILE.encode())

        add(page, upstream.serve("/named", named), f"{upstream.serve('/refused', refused)}?{quote(HOSTILE)}")
        for path in (
            "/downloads?tab=active",
            "/downloads?tab=completed",
            "/downloads?tab=history",
            "/jobs",
            "/",
        ):
            page.goto(path)
            expect(page.locator("html")).to_have_attribute("data-stream", "open")
            _unharmed(page)
        for name in ("named", "refused"):
            page.goto("/jobs")
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.locator("#job-head")).to_contain_text(re.compile("Done|Failed"))
            expect(page.locator("main")).to_contain_text("onerror")
            for tab in page.get_by_role("tab").all():
                tab.click()
                _unharmed(page)


def _unharmed(page: Page) -> None:
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("window.taken") is None


def test_no_page_loads_anything_from_elsewhere(page: Page, console: Console) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - a built-in method cannot be listened with
    for path in (*PATHS, "/login", "/nothing/here"):
        page.goto(path)
        page.wait_for_load_state("load")
    home = urlsplit(console.address).netloc
    assert {f"{console.address}{path}" for path in PATHS} <= {one.url for one in asked}
    elsewhere = [
        one.url for one in asked if not one.url.startswith("data:") and urlsplit(one.url).netloc != home
    ]
    assert elsewhere == []


def test_a_script_that_got_into_a_page_does_not_run(page: Page, complaints: list[str]) -> None:
    page.goto("/downloads")
    for path in PATHS:
        answer = page.request.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy, path
        assert "default-src 'self'" in policy, path
        assert page.evaluate(INLINE, answer.text()) == [], path
    page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.taken = 1';"
        " document.body.append(one);"
        " document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.taken = 2\">'); }"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.taken") is None
    assert any("Content Security Policy" in text for text in complaints)
    complaints.clear()

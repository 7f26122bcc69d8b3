"""`python -m scripts.screenshots FOLDER`: screenshots of the console, for the documentation.

Without Chromium there are plain pictures instead, so that the documentation builds all the same.
"""

import argparse
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from scripts.screenshots.house import House

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
QUIET: Final = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
    " --no-first-run"
)
DESK: Final = (1280, 800)
PHONE: Final = (390, 844)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: a page, and what is done on it before."""

    name: str
    path: str
    theme: Literal["light", "dark"] = "light"
    size: tuple[int, int] = DESK
    prepare: "Callable[[Page], None] | None" = None


def _job(page: "Page") -> None:
    page.locator("#list a.title").first.click()
    page.locator("#job-head").wait_for()
    page.wait_for_timeout(2500)


def _selected(page: "Page") -> None:
    boxes = page.locator("input[data-select]")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])


def _menu(page: "Page") -> None:
    page.locator("#list details.menu > summary").nth(2).click()


def _schedule(page: "Page") -> None:
    _menu(page)
    page.locator("details[open] [data-schedule]").click()
    page.locator("#schedule").get_by_label("Only at night").check()


def _delete(page: "Page") -> None:
    page.locator("#list [data-delete]").first.click()


def _palette(page: "Page") -> None:
    page.keyboard.press("Control+k")
    page.keyboard.type("debian")
    page.locator("#palette-list li", has_text="netinst").first.wait_for()


def _keys(page: "Page") -> None:
    page.keyboard.press("?")


def _bundle(page: "Page") -> None:
    page.locator("[data-open=write-bundle]").first.click()
    page.locator(".choose-row").nth(1).click()
    page.locator(".choose-row").nth(2).click()


SHOTS: Final = (
    Shot("overview", "/"),
    Shot("overview-dark", "/", "dark"),
    Shot("active", "/downloads?tab=active"),
    Shot("active-dark", "/downloads?tab=active", "dark"),
    Shot("active-phone", "/downloads?tab=active", size=PHONE),
    Shot("queue", "/downloads?tab=queue"),
    Shot("queue-dark", "/downloads?tab=queue", "dark"),
    Shot("queue-phone", "/downloads?tab=queue", size=PHONE),
    Shot("queue-selected", "/downloads?tab=queue", prepare=_selected),
    Shot("queue-menu", "/downloads?tab=queue", prepare=_menu),
    Shot("schedule", "/downloads?tab=queue", prepare=_schedule),
    Shot("completed", "/downloads?tab=completed"),
    Shot("delete", "/downloads?tab=completed", prepare=_delete),
    Shot("job", "/downloads?tab=active", prepare=_job),
    Shot("job-dark", "/downloads?tab=active", "dark", prepare=_job),
    Shot("palette", "/", prepare=_palette),
    Shot("keys", "/downloads", prepare=_keys),
    Shot("depot", "/depot"),
    Shot("depot-phone", "/depot", "dark", size=PHONE),
    Shot("depot-image", "/depot/image?name=docker.io/library/busybox:1.36"),
    Shot("model", "/depot/models/add?name={models}/library/qwen3:4b&plain_http=true"),
    Shot("bundle", "/depot/bundles", prepare=_bundle),
)


def main() -> int:
    """Take all pictures, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="Only these.")
    parser.add_argument("--plain", action="store_true", help="Plain pictures, without a browser.")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    shots = [shot for shot in SHOTS if not asked.only or shot.name in asked.only]
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if asked.plain or browser is None:
        if not asked.plain:
            print(
                "Chromium is missing: the documentation gets plain pictures instead of screenshots. "
                "Install it with 'apt-get install chromium'.",
                file=sys.stderr,
            )
        for shot in shots:
            (asked.folder / f"{shot.name}.png").write_bytes(plain(*shot.size))
        return 0
    _take(shots, asked.folder, browser)
    return 0


def plain(width: int, height: int) -> bytes:
    """Return a grey PNG of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\xd8" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _take(shots: list[Shot], folder: Path, program: str) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where there is a browser

    from scripts.screenshots.house import house  # noqa: PLC0415 - as above

    with (
        tempfile.TemporaryDirectory(prefix="ferry-pictures-") as home,
        house(Path(home) / "home") as there,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=QUIET.split())
        state = Path(home) / "state.json"
        _sign_in(browser, there, state)
        for shot in shots:
            _shoot(browser, there, state, shot, folder / f"{shot.name}.png")
        browser.close()


def _sign_in(browser: "Browser", there: "House", state: Path) -> None:
    context = browser.new_context(base_url=there.address)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("User name").fill(there.name)
    page.get_by_label("Password").fill(there.password)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#content").wait_for()
    context.storage_state(path=state)
    context.close()


def _shoot(browser: "Browser", there: "House", state: Path, shot: Shot, picture: Path) -> None:
    width, height = shot.size
    context = browser.new_context(
        base_url=there.address,
        storage_state=state,
        viewport={"width": width, "height": height},
        color_scheme=shot.theme,
        device_scale_factor=2 if shot.size == PHONE else 1,
        has_touch=shot.size == PHONE,
    )
    page = context.new_page()
    page.goto(shot.path.replace("{models}", there.models))
    page.wait_for_timeout(1500)
    if shot.prepare:
        shot.prepare(page)
    page.wait_for_timeout(300)
    page.screenshot(path=picture)
    context.close()


if __name__ == "__main__":
    sys.exit(main())

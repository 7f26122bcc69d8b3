"""Bundles in a real browser: written from what is ticked, looked at, checked, brought in volumes, and loaded."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from ferryman.testing.ollama import OllamaRegistry
from tests.browser.conftest import fetched, name_of
from tests.browser.test_access import faults, seen_by_all

FERRY = (sys.executable, "-c", "import sys; from ferryman.cli import main; sys.exit(main())")


def writing(page: Page, name: str, file: str) -> Locator:
    """Open the dialog that writes, tick `name`, call the bundle `file`."""
    page.goto("/depot/bundles")
    page.get_by_role("button", name="Write a bundle").first.click()
    form = page.get_by_role("dialog", name="Write a bundle")
    form.get_by_role("searchbox").fill(name)
    form.get_by_role("checkbox", name=name).check()
    form.get_by_label("File", exact=True).fill(file)
    return form


def done(page: Page) -> None:
    """Wait on the page of a job until it is done."""
    expect(page.locator("#job-head .state").first).to_have_text("Done")


@pytest.mark.timeout(300)
def test_a_bundle_is_written_looked_at_checked_and_loaded(page: Page, models: OllamaRegistry) -> None:
    models.add("library/carried", seed=41)
    name = name_of(models, "carried")
    fetched(page, name)
    form = writing(page, name, "carried.bundle")
    expect(form.locator("[data-chosen]")).to_contain_text(re.compile(r"^1 chosen, 29\d"))
    assert faults(page, "light") == []
    form.get_by_role("button", name="Write").click()
    expect(page.locator("#toasts")).to_contain_text("carried.bundle is being written")
    done(page)
    page.goto("/depot/bundles")
    expect(page.locator("html")).to_have_attribute("data-stream", "open")
    found = seen_by_all(page, "/depot/bundles")
    page.get_by_role("link", name="carried.bundle", exact=True).click()
    expect(page.locator("main")).to_contain_text(name)
    found += seen_by_all(page, "/depot/bundles/show")
    assert found == []
    with page.expect_download() as loading:
        page.get_by_role("link", name="Download", exact=True).click()
    assert loading.value.suggested_filename == "carried.bundle"
    page.get_by_role("button", name="Check").click()
    done(page)
    page.goto("/depot/bundles/show?name=carried.bundle")
    page.get_by_role("button", name="Load", exact=True).click()
    done(page)
    page.goto("/depot/bundles/show?name=carried.bundle")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/depot/bundles")
    expect(page.get_by_role("link", name="carried.bundle", exact=True)).to_have_count(0)


def test_volumes_are_sent_and_loaded_and_an_inventory_leaves_out_what_is_there(
    page: Page, models: OllamaRegistry, tmp_path: Path
) -> None:
    models.add("library/halved", seed=42)
    name = name_of(models, "halved")
    fetched(page, name)
    page.goto("/depot/bundles")
    with page.expect_download() as loading:
        page.get_by_role("link", name="Inventory").click()
    loading.value.save_as(tmp_path / "here.inventory")
    form = writing(page, name, "halved.bundle")
    form.locator("[name=volume]").fill("0.2")
    form.get_by_label("Unit of the largest file").select_option("MB")
    form.get_by_role("button", name="Write").click()
    done(page)
    page.goto("/depot/bundles/show?name=halved.bundle")
    volumes = []
    for link in page.get_by_role("link", name=re.compile(r"Download halved\.bundle\.\d+")).all():
        with page.expect_download() as loading:
            link.click()
        volumes.append(tmp_path / loading.value.suggested_filename)
        loading.value.save_as(volumes[-1])
    assert len(volumes) == 2
    page.goto("/depot/bundles")
    page.get_by_role("button", name="Load", exact=True).click()
    form = page.get_by_role("dialog", name="Load a bundle")
    form.get_by_label("Files of the bundle").set_input_files(volumes)
    form.get_by_role("button", name="Load").click()
    expect(page.locator("#toasts")).to_contain_text("halved.bundle is being loaded")
    done(page)
    form = writing(page, name, "nothing.bundle")
    form.get_by_label("Choose a file…").set_input_files(tmp_path / "here.inventory")
    expect(form.locator("[data-inventory-said]")).to_contain_text("here.inventory names is left out")
    form.get_by_role("button", name="Write").click()
    done(page)
    page.goto("/depot/bundles/show?name=nothing.bundle")
    expect(page.locator(".facts")).to_contain_text("blobs that the receiver has")


def test_what_cannot_be_written_or_loaded_is_said_in_the_dialog(page: Page, tmp_path: Path) -> None:
    page.goto("/depot/bundles")
    page.get_by_role("button", name="Write a bundle").first.click()
    form = page.get_by_role("dialog", name="Write a bundle")
    form.get_by_role("button", name="Write").click()
    expect(form).to_contain_text("Choose at least one image or model.")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Load", exact=True).click()
    form = page.get_by_role("dialog", name="Load a bundle")
    form.get_by_role("button", name="Load").click()
    expect(form).to_contain_text("Choose files, or one that lies here.")
    (tmp_path / "no.bundle").write_text("<b>nothing</b>")
    form.get_by_label("Files of the bundle").set_input_files(tmp_path / "no.bundle")
    form.get_by_role("button", name="Load").click()
    expect(page.locator("#job-head")).to_contain_text("Failed")
    page.goto("/depot/bundles/show?name=no.bundle")
    expect(page.locator("main")).to_contain_text("It cannot be read as a bundle")


def test_the_key_of_another_site_is_accepted_before_its_bundle_is_loaded(
    page: Page, models: OllamaRegistry, tmp_path: Path
) -> None:
    models.add("library/foreign", seed=43)
    name = name_of(models, "foreign")
    environment = {**os.environ, "FERRY_HOME": str(tmp_path / "other"), "NO_COLOR": "1"}
    for words in (
        ["get", f"ollama:{name}", "--registry", models.url],
        ["bundle", "create", name, "-o", str(tmp_path / "foreign.bundle")],
    ):
        subprocess.run([*FERRY, *words], env=environment, check=True, capture_output=True, timeout=120)
    page.goto("/depot/bundles")
    page.get_by_role("button", name="Load", exact=True).click()
    form = page.get_by_role("dialog", name="Load a bundle")
    form.get_by_label("Files of the bundle").set_input_files(tmp_path / "foreign.bundle")
    form.get_by_role("button", name="Load").click()
    expect(page.locator("#job-head")).to_contain_text("which is not trusted here")
    page.goto("/depot/bundles/show?name=foreign.bundle")
    expect(page.get_by_role("button", name="Load", exact=True)).to_have_count(0)
    assert faults(page, "light") == []
    page.get_by_label("Name of the other site").fill("hamburg")
    page.get_by_role("button", name="Accept this key").click()
    expect(page.locator(".facts")).to_contain_text("hamburg")
    page.get_by_role("button", name="Load", exact=True).click()
    done(page)
    page.goto(f"/depot/image?name={name}")
    expect(page.get_by_role("heading", name=name)).to_be_visible()

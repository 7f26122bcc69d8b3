"""The documentation builds without a warning and loads nothing from elsewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tracked import ROOT

REMOTE = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^"'> ]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, made from a copy so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    for module, *arguments in (
        ("scripts.reference", folder / "docs" / "reference"),
        ("scripts.screenshots", "--plain", folder / "docs" / "explanation" / "screenshots"),
        ("mkdocs", "build", "--strict", "--quiet", "--config-file", folder / "mkdocs.yml"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_no_page_loads_anything_from_elsewhere(site: Path):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    found = [(page.name, match) for page in pages for match in REMOTE.findall(page.read_text())]
    assert not found


def test_the_search_index_knows_the_settings(site: Path):
    assert "FERRY_DATABASE_URL" in (site / "search" / "search_index.json").read_text()

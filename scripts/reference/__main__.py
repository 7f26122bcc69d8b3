"""Write the reference pages: `python -m scripts.reference [FOLDER]`, by default docs/reference.

Exits 1 with a list when something is undocumented.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from scripts.reference.api import api_page
from scripts.reference.commands import commands_page
from scripts.reference.errors import errors_page
from scripts.reference.metrics import metrics_page
from scripts.reference.page import Page
from scripts.reference.settings import settings_page
from scripts.reference.source import ROOT

PAGES: tuple[Callable[[], Page], ...] = (settings_page, commands_page, errors_page, metrics_page, api_page)


def main(arguments: list[str]) -> int:
    """Write every page, then say what lacks words."""
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "reference"
    pages = [make() for make in PAGES]
    for page in pages:
        (folder / page.name).write_text(page.text)
    missing = [line for page in pages for line in page.undocumented]
    for line in missing:
        print(f"undocumented: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

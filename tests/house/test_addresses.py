"""The repository installs anywhere: no address of a package index, no path of one machine, no key."""

import json
import re

import pytest

from tests.house.tracked import ROOT, name, tracked

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "address of a package index": r"py" + r"pi\.org|files\.python" + r"hosted|registry\.npm" + r"js\.org",
    "option that names a package index": r"^-" + r"-(extra-)?index-url|^-" + r"-find-links",
    "path of one machine": r"(?<![\w.])/(root|work" + r"|tmp/room)/",
    "private key": r"-----BEGIN (RSA |EC |OPENSSH |)PRIVATE" + r" KEY-----",
}
BINARY = {".png", ".ico", ".woff2", ".gz", ".db", ".pem"}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_holds_one(what: str):
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = [
        f"{name(path)}: {match.group()}"
        for path in tracked()
        if path.suffix not in BINARY
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert not found


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_requirement_is_pinned_and_hashed(lock):
    blocks = re.split(r"\n(?=[a-z0-9])", lock.read_text())[1:]
    assert blocks
    assert not [block for block in blocks if "==" not in block or "--hash=sha256:" not in block]


def test_the_lock_of_the_browser_packages_has_hashes_and_no_addresses():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    fetched = {key: value for key, value in packages.items() if key and not value.get("link")}
    assert fetched
    assert not [key for key, value in fetched.items() if "resolved" in value or "integrity" not in value]

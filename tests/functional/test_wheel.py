"""The wheel carries everything: installed into an empty environment, the daemon starts and serves its console."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src", "pyproject.toml", "README.md", "LICENSE")


def run(*command: str | Path, **options) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the sources, so that nothing old in a build folder gets in."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        origin = ROOT / name
        ignore = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(origin, source / name, ignore=ignore) if origin.is_dir() else shutil.copy(
            origin, source
        )
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the pinned requirements and the wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder)
    pip = (sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--quiet")
    run(*pip, "install", "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt")
    run(*pip, "install", "--no-deps", wheel)
    run(*pip, "check")
    return folder / "bin"


@pytest.fixture
def address(installed: Path, home: Path, tmp_path: Path) -> Iterator[str]:
    """Address of a daemon that runs from the wheel."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FERRY_HOME": str(home)}
    output = (tmp_path / "output").open("w+")
    daemon = subprocess.Popen(
        [installed / "ferry", "up", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        stdout=output,
        stderr=output,
    )
    try:
        yield wait_for_address(daemon, tmp_path / "output")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0, (tmp_path / "output").read_text()
    finally:
        daemon.kill()
        daemon.wait()
        output.close()


def wait_for_address(daemon: subprocess.Popen, output: Path) -> str:
    """The address the daemon prints once it serves."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert daemon.poll() is None, output.read_text()
        if found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", output.read_text()):
            return found.group()
        time.sleep(0.05)
    raise AssertionError(output.read_text())


def test_the_wheel_carries_assets_templates_and_migrations(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        r"ferryman/web/static/.+\.js$",
        r"ferryman/web/static/.+\.css$",
        r"ferryman/web/templates/.+\.html$",
    ):
        assert any(re.match(wanted, name) for name in names), wanted
    assert any(re.match(r"ferryman/db/migrations/versions/.+\.py$", name) for name in names)
    assert "ferryman/py.typed" in names
    assert not [name for name in names if name.startswith("tests/") or "node_modules" in name]


def test_the_daemon_runs_from_the_wheel(address: str):
    with urllib.request.urlopen(address + "/readyz", timeout=30) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(address + "/login", timeout=30) as answer:
        page = answer.read().decode()
    styles = re.findall(r'(?:href|src)="(/static/[^"?]+\.(?:css|js)(?:\?[^"]*)?)"', page)
    assert styles
    for style in styles:
        with urllib.request.urlopen(address + style, timeout=30) as answer:
            assert answer.status == 200

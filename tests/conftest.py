"""What every test stands on: a clean environment, and Hypothesis that does not judge a busy machine."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")

settings.register_profile(
    "ferryman",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("ferryman")


def pytest_configure() -> None:
    """Let no setting or proxy of the caller reach a test, and no test reach the caller's own home."""
    for name in list(os.environ):
        if name.startswith("FERRY_") or name.lower() in PROXIES:
            del os.environ[name]
    os.environ["FERRY_HOME"] = "/nonexistent/ferryman"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `FERRY_HOME` of this test, not yet made."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FERRY_HOME", str(folder))
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI nothing may be skipped: a missing server there is a fault."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report

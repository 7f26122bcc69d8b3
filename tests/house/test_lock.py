"""The lock answers every requirement that pyproject.toml names."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.tracked import ROOT


def locked(file: str) -> dict[str, Version]:
    lines = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]+\])?==([^\s;\\]+)", (ROOT / file).read_text(), re.MULTILINE
    )
    return {canonicalize_name(found): Version(version) for found, version in lines}


def unmet(requirements: list[str], lock: dict[str, Version]) -> list[str]:
    wanted = [Requirement(text) for text in requirements]
    return [
        str(item)
        for item in wanted
        if (version := lock.get(canonicalize_name(item.name))) is None or version not in item.specifier
    ]


def test_the_lock_is_complete():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime, dev = locked("requirements/runtime.txt"), locked("requirements/dev.txt")
    assert not unmet(project["project"]["dependencies"], runtime)
    assert not unmet(project["project"]["optional-dependencies"]["dev"], dev)
    assert not unmet(project["build-system"]["requires"], locked("requirements/build.txt"))
    assert {key: dev[key] for key in runtime} == runtime

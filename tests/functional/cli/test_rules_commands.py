"""Rules, hooks and unpacking from the command line."""

import json
import subprocess

import pytest

from ferryman.testing.upstream import File
from tests.functional.running import FERRY
from tests.integration.core.archives_made import zip_of

FILES = {"a.txt": b"first", "sub/b.bin": b"second" * 1000}


def ferry(daemon, *words, code=0):
    return daemon.ferry("downloads", *words, code=code)


def test_rules_from_the_command_line(daemon, tmp_path):
    ferry(
        daemon,
        "rules",
        "add",
        "Images",
        "--extension",
        "iso",
        "--folder",
        "images/{host}",
        "--category",
        "Images",
    )
    ferry(daemon, "rules", "add", "Big", "--min-size", "1GB", "--limit", "2MB/s")
    listed = ferry(daemon, "rules", "list").stdout
    assert listed.index("Images") < listed.index("Big")
    assert [line.split()[1] for line in ferry(daemon, "rules", "move", "Big", "1").stdout.splitlines()] == [
        "Big",
        "Images",
    ]
    tried = json.loads(ferry(daemon, "rules", "test", "https://h.org/a.iso", "--json").stdout)
    assert (tried["rule"], tried["effects"]["folder"]) == ("Images", "images/h.org")
    assert "No rule" in ferry(daemon, "rules", "test", "https://h.org/a.txt").stdout
    changed = json.loads(ferry(daemon, "rules", "edit", "Images", "--folder", "", "--off", "--json").stdout)
    assert (changed["folder"], changed["enabled"], changed["category"]) == ("", False, "Images")
    exported = tmp_path / "rules.json"
    exported.write_text(ferry(daemon, "rules", "export").stdout)
    assert "2 rules" in ferry(daemon, "rules", "import", str(exported), "--replace").stdout
    ferry(daemon, "rules", "remove", "Big", "--yes")
    ferry(daemon, "rules", "show", "Big", code=3)
    wrong = ferry(daemon, "rules", "add", "x", "--expression", "(", code=2)
    assert "regular expression" in wrong.stderr
    exported.write_text("nonsense")
    assert "not JSON" in ferry(daemon, "rules", "import", str(exported), code=2).stderr
    ferry(daemon, "rules", "remove", "Images", "--yes")


def test_hooks_from_the_command_line(daemon):
    made = ferry(daemon, "hooks", "webhook", "chat", "https://hooks.example.org/a", "--failures").stdout
    assert len(made.splitlines()) == 2
    ferry(daemon, "hooks", "command", "scan", "/bin/true", "--timeout", "5")
    listed = ferry(daemon, "hooks", "list").stdout
    assert "https://hooks.example.org/" in listed
    assert "/bin/true" in listed
    assert made.splitlines()[1] not in ferry(daemon, "hooks", "show", "chat", "--json").stdout
    before = json.loads(ferry(daemon, "hooks", "show", "chat", "--json").stdout)
    words = ("--name", "talk", "--failures", "--no-always", "--timeout", "60", "--off", "--json")
    after = json.loads(ferry(daemon, "hooks", "edit", "chat", *words).stdout)
    changed = {"name": "talk", "events": ["download.succeeded", "download.failed"], "always": False}
    changed |= {"timeout": 60, "enabled": False, "updated_at": after["updated_at"]}
    assert after == before | changed
    assert json.loads(ferry(daemon, "hooks", "show", "talk", "--json").stdout) == after
    moved = ferry(
        daemon, "hooks", "edit", "talk", "--name", "chat", "--url", "https://b.example.org/x", "--json"
    )
    assert json.loads(moved.stdout) == after | {
        "name": "chat", "host": "https://b.example.org/", "updated_at": json.loads(moved.stdout)["updated_at"],
    }  # fmt: skip
    command = ferry(daemon, "hooks", "edit", "scan", "--program", "/bin/true", "--program", "-q", "--json")
    assert json.loads(command.stdout)["command"] == ["/bin/true", "-q"]
    assert "--timeout" in ferry(daemon, "hooks", "edit", "chat", code=2).stderr
    assert (
        "address" in ferry(daemon, "hooks", "edit", "scan", "--url", "https://b.example.org/", code=2).stderr
    )
    ferry(daemon, "hooks", "edit", "nobody", "--off", code=3)
    job = json.loads(ferry(daemon, "hooks", "test", "scan", "--json").stdout)
    assert daemon.ended(job["id"])["error_code"] == "hook_commands_off"
    for name in ("chat", "scan"):
        ferry(daemon, "hooks", "remove", name, "--yes")


def test_get_unpacks_without_a_daemon(shared_upstream, tmp_path):
    archive = zip_of(tmp_path / "source", FILES)
    url = shared_upstream.serve("/cli/one.zip", File(archive.read_bytes()))
    out = tmp_path / "out"

    def get(*words):
        return subprocess.run(
            [*FERRY, "get", url, "--unpack", "-o", f"{out}/", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = get("--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unpacked"] == str(out / "one")
    assert (out / "one/sub/b.bin").read_bytes() == FILES["sub/b.bin"]
    assert get("--overwrite", "skip").returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["one", "one.zip"]


@pytest.mark.parametrize("files", [{"../evil": b"x"}])
def test_get_says_why_something_is_not_unpacked(shared_upstream, tmp_path, files):
    url = shared_upstream.serve("/cli/evil.zip", File(zip_of(tmp_path / "source", files).read_bytes()))
    done = subprocess.run(
        [*FERRY, "get", url, "--unpack", "-o", f"{tmp_path}/out/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "../evil" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evil.zip"]

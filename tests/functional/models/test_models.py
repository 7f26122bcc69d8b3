"""Models through the command, as at a terminal: fetched, killed, carried by zip and folder, installed; and hostile archives."""

import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from ferryman.testing.ollama import OllamaRegistry

WEIGHTS = 24 * 1024 * 1024
HELD = 16 * 1024 * 1024


class Site:
    """A home, and the command used with it."""

    def __init__(self, folder: Path) -> None:
        self.env = {**os.environ, "FERRY_HOME": str(folder / "home"), "HOME": str(folder)}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [str(Path(sys.executable).with_name("ferry")), *words]
        return subprocess.Popen(
            command, env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def ferry(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, (words, out, err)
        return out or err

    def json(self, *words: str) -> object:
        return json.loads(self.ferry(*words, "--json"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "here").mkdir()
    return Site(tmp_path / "here")


@pytest.fixture
def upstream():
    with OllamaRegistry() as registry:
        yield registry


@pytest.fixture
def model(site: Site, upstream: OllamaRegistry) -> str:
    upstream.add("library/tiny", "1b")
    site.ferry("get", "ollama:tiny:1b", "--registry", upstream.url)
    return f"127.0.0.1:{upstream.port}/library/tiny:1b"


def test_a_model_is_fetched_listed_and_shown(site: Site, upstream: OllamaRegistry, model: str) -> None:
    raw = upstream.manifests["library/tiny", "1b"]
    (found,) = site.json("models", "ls")
    assert found["name"] == model
    assert found["digest"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert [one["kind"] for one in found["layers"]] == ["model", "template", "license", "params"]
    shown = site.json("models", "show", model)
    assert shown["texts"]["license"] == ["Licence of a test model.\nUse it for tests.\n"]
    before = dict(upstream.served)
    site.ferry("get", "ollama:tiny:1b", "--registry", upstream.url)
    assert upstream.served == before, "nothing is fetched twice"


def test_killed_in_the_middle_only_the_rest_is_fetched(site: Site, upstream: OllamaRegistry) -> None:
    raw = json.loads(upstream.add("library/big", size=WEIGHTS))
    weights = raw["layers"][0]["digest"]
    upstream.hold = HELD
    fetching = site.start("get", "ollama:big", "--registry", upstream.url, "-c", "1")
    deadline = time.monotonic() + 60
    while upstream.served.get(weights, 0) < HELD and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.5)  # the journal is written once a second
    fetching.kill()
    fetching.communicate()
    before = upstream.served[weights]
    assert before >= HELD
    upstream.hold = None
    upstream.released.set()
    site.ferry("get", "ollama:big", "--registry", upstream.url, "-c", "1")
    again = upstream.served[weights] - before
    assert again <= WEIGHTS - HELD + 8 * 1024 * 1024 < WEIGHTS, "at most 8 MiB are moved again"
    assert site.json("models", "ls")[0]["size"] > WEIGHTS


def test_zip_and_folder_carry_a_model_to_another_site(site: Site, model: str, tmp_path: Path) -> None:
    zipped, folder = tmp_path / "models.zip", tmp_path / "stick"
    site.ferry("models", "export", model, "-o", str(zipped))
    site.ferry("models", "export", model, "-o", f"{folder}/")
    with zipfile.ZipFile(zipped) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {
        str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }
    for name, content in inside.items():
        if name.startswith("models/blobs/"):
            assert name == f"models/blobs/sha256-{hashlib.sha256(content).hexdigest()}"
    for source in (zipped, folder):
        (tmp_path / source.name.partition(".")[0]).mkdir(exist_ok=True)
        other = Site(tmp_path / source.name.partition(".")[0])
        carried = other.json("models", "import", str(source))
        assert carried["models"] == [model]
        assert other.json("models", "ls")[0]["digest"] == site.json("models", "ls")[0]["digest"]
    assert "exists" in site.ferry("models", "export", model, "-o", str(zipped), code=1)


def test_an_ollama_home_keeps_what_it_has(
    site: Site, upstream: OllamaRegistry, model: str, tmp_path: Path
) -> None:
    home, zipped = tmp_path / "ollama", tmp_path / "m.zip"
    site.ferry("models", "export", model, "-o", str(zipped))
    first = site.json("models", "install", str(zipped), "--home", str(home))
    assert first["models"] == [model]
    assert first["moved"] > 300_000
    again = site.json("models", "install", str(zipped), model, "--home", str(home))
    assert again["there"] == [model, model]
    assert again["moved"] == 0
    place = home / "models" / "manifests" / f"127.0.0.1:{upstream.port}" / "library" / "tiny" / "1b"
    assert place.read_bytes() == upstream.manifests["library/tiny", "1b"]
    place.write_bytes(b"{}")
    assert "another" in site.ferry("models", "install", str(zipped), "--home", str(home), code=1)
    assert place.read_bytes() == b"{}", "what was there stays"
    site.ferry("models", "install", str(zipped), "--home", str(home), "--overwrite")
    assert place.read_bytes() == upstream.manifests["library/tiny", "1b"]


def test_a_damaged_blob_in_the_home_is_written_anew(site: Site, model: str, tmp_path: Path) -> None:
    home = tmp_path / "ollama"
    site.ferry("models", "install", model, "--home", str(home))
    blob = max((home / "models" / "blobs").iterdir(), key=lambda one: one.stat().st_size)
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    site.ferry("models", "install", model, "--home", str(home))
    assert blob.read_bytes() == whole


def test_capitals_stay_as_they_are(site: Site, upstream: OllamaRegistry, tmp_path: Path) -> None:
    raw = upstream.add("Org/Model-GGUF", "Q4_K_M")
    name = f"127.0.0.1:{upstream.port}/Org/Model-GGUF:Q4_K_M"
    site.ferry("get", "ollama:Org/Model-GGUF:Q4_K_M", "--registry", upstream.url)
    (found,) = site.json("models", "ls")
    assert found["name"] == name
    assert found["repository"] == found["repository"].lower()
    assert site.json("models", "show", name.lower().replace("q4_k_m", "Q4_K_M"))["name"] == name
    before = dict(upstream.served)
    site.ferry("get", f"ollama:{name}", "--src-plain-http")
    assert upstream.served == before, "nothing is fetched twice"
    zipped, home = tmp_path / "m.zip", tmp_path / "ollama"
    site.ferry("models", "export", name, "-o", str(zipped))
    with zipfile.ZipFile(zipped) as archive:
        place = f"models/manifests/127.0.0.1:{upstream.port}/Org/Model-GGUF/Q4_K_M"
        assert archive.read(place) == raw
    (tmp_path / "there").mkdir()
    there = Site(tmp_path / "there")
    assert there.json("models", "import", str(zipped))["models"] == [name]
    assert there.json("models", "ls")[0]["digest"] == found["digest"]
    site.ferry("models", "install", name, "--home", str(home))
    assert (home / place).read_bytes() == raw


def test_names_that_differ_in_capitals_only_are_two_models_and_one_for_ollama(
    site: Site, upstream: OllamaRegistry, tmp_path: Path
) -> None:
    upper, lower = upstream.add("Org/Tiny", seed=1), upstream.add("org/tiny", seed=2)
    assert upper != lower
    host = f"127.0.0.1:{upstream.port}"
    for name in ("Org/Tiny", "org/tiny"):
        site.ferry("get", f"ollama:{name}", "--registry", upstream.url)
    names = [f"{host}/Org/Tiny:latest", f"{host}/org/tiny:latest"]
    assert sorted(one["name"] for one in site.json("models", "ls")) == names
    assert site.json("models", "show", names[1])["digest"] == f"sha256:{hashlib.sha256(lower).hexdigest()}"
    said = site.ferry("models", "show", f"{host}/ORG/tiny", code=1)
    assert all(name in said for name in names)
    assert "capitals" in site.ferry("models", "export", *names, "-o", str(tmp_path / "m.zip"), code=1)
    home = tmp_path / "ollama"
    site.ferry("models", "install", names[0], "--home", str(home))
    assert "another" in site.ferry("models", "install", names[1], "--home", str(home), code=1)
    place = home / "models/manifests" / host / "Org/Tiny/latest"
    assert place.read_bytes() == upper, "what was there stays"
    site.ferry("models", "install", names[1], "--home", str(home), "--overwrite")
    assert place.read_bytes() == lower, "under the spelling that is there"
    assert not (home / "models/manifests" / host / "org").exists()


GOOD = b"hello"
NAME = f"models/blobs/sha256-{hashlib.sha256(GOOD).hexdigest()}"


@pytest.mark.parametrize(
    ("member", "content", "code"),
    [
        ("../evil", b"x", 2),
        ("/etc/evil", b"x", 2),
        ("models/blobs/sha256-../../evil", b"x", 2),
        ("models/blobs/sha256-" + "0" * 64, b"x", 1),
        ("models/manifests/../../evil/a/b/c", b"{}", 2),
        ("models/odd.txt", b"x", 2),
    ],
)
@pytest.mark.parametrize("command", ["import", "install"])
def test_hostile_archives_leave_nothing_outside(
    site: Site, tmp_path: Path, member: str, content: bytes, code: int, command: str
) -> None:
    path, home = tmp_path / "evil.zip", tmp_path / "inner" / "ollama"
    home.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NAME, GOOD)
        archive.writestr(member, content)
    more = ("--home", str(home)) if command == "install" else ()
    said = site.ferry("models", command, str(path), *more, code=code)
    assert "error" in said
    assert not list(tmp_path.rglob("evil"))
    assert not list(home.rglob("*.part"))
    assert not (home / "models" / "manifests").exists()


def test_links_and_bombs_are_refused(site: Site, tmp_path: Path) -> None:
    link = tmp_path / "link.zip"
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo(NAME)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert "no place" in site.ferry("models", "import", str(link), code=2)
    bomb, raw = tmp_path / "bomb.zip", io.BytesIO(bytes(300 * 1024 * 1024))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for number in range(2):
            archive.writestr(f"models/blobs/sha256-{number:064x}", raw.getvalue())
    assert "the limit is" in site.ferry("models", "import", str(bomb), code=2)
    assert site.json("models", "ls") == []


def test_a_link_in_the_home_is_not_followed_out_of_it(site: Site, model: str, tmp_path: Path) -> None:
    home, outside = tmp_path / "ollama", tmp_path / "outside"
    outside.mkdir()
    (home / "models").mkdir(parents=True)
    (home / "models" / "blobs").symlink_to(outside)
    assert "leads out" in site.ferry("models", "install", model, "--home", str(home), code=4)
    assert list(outside.iterdir()) == []


def test_what_is_not_there_says_so(site: Site, upstream: OllamaRegistry, model: str, tmp_path: Path) -> None:
    assert "does not exist" in site.ferry("get", "ollama:nope", "--registry", upstream.url, code=3)
    assert "names no model" in site.ferry("get", "ollama:a//b", code=2)
    assert "no model 'nope:latest'" in site.ferry("models", "show", "nope", code=3)
    assert "not there" in site.ferry("models", "import", str(tmp_path / "none.zip"), code=3)
    assert "neither a zip nor a folder" in site.ferry(
        "models", "export", model, "-o", str(tmp_path / "x.rar"), code=2
    )
    site.ferry("models", "rm", model, "--yes")
    assert site.json("models", "ls") == []

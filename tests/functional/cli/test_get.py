"""`ferry get` against real servers: what it writes, says and exits with."""

import hashlib
import io
import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ferryman import __version__
from ferryman.cli.start import run
from ferryman.testing.faults import status
from ferryman.testing.upstream import File, made_up
from tests.functional.running import FERRY, Counted, wait

MIB = 1 << 20


class Typed:
    """Runs a command in this process and reads what it printed."""

    def __init__(self, capsys):
        self._capsys = capsys

    def __call__(self, *words, code=0):
        self._capsys.readouterr()
        got = run([str(word) for word in words])
        self.out, self.err = self._capsys.readouterr()
        assert got == code, self.out + self.err
        return self.out

    def json(self, *words, code=0):
        document = json.loads(self(*words, "--json", code=code))
        assert not self.err
        return document


@pytest.fixture
def ferry(home, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield Typed(capsys)
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def server(shared_upstream):
    return shared_upstream


@pytest.fixture(scope="module")
def file(server):
    served = File(made_up(300_000, "file"), headers={"Content-Type": "application/x-test"})
    server.serve("/file.bin", served)
    return served


def test_one_file_by_its_name(ferry, server, file, tmp_path):
    said = ferry("get", server.url("/file.bin"))
    assert said.startswith("file.bin  293.0 KiB in ")
    assert (tmp_path / "file.bin").read_bytes() == file.data
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_places(ferry, server, file, tmp_path):
    url = server.url("/file.bin")
    ferry("get", url, "-o", "new/folder/")
    ferry("get", "-o", "other.bin", url)
    (tmp_path / "there").mkdir()
    ferry("get", url, "--output=there")
    for name in ("new/folder/file.bin", "other.bin", "there/file.bin"):
        assert (tmp_path / name).read_bytes() == file.data


def test_json_of_one_source_is_its_result(ferry, server, file, tmp_path):
    url = server.url("/file.bin")
    found = ferry.json("get", url, "--checksum", f"sha256:{file.sha256}")
    assert found["path"] == str(tmp_path / "file.bin")
    assert (found["source"], found["size"], found["network"], found["resumed"]) == (url, 300_000, 300_000, 0)
    assert found["digests"] == [f"sha256:{file.sha256}"]
    problem = ferry.json("get", server.url("/none"), code=3)
    assert (problem["code"], problem["exit_code"]) == ("source_not_found", 3)


def test_json_of_several_sources_has_all(ferry, server, file):
    found = ferry.json("get", server.url("/file.bin"), server.url("/none"), code=3)
    assert (found["done"], found["failed"], found["size"]) == (1, 1, 300_000)
    assert found["items"][1]["error"]["code"] == "source_not_found"


def test_a_list_with_names_checksums_and_mirrors(ferry, server, file, tmp_path):
    other = File(made_up(20_000, "other"))
    url = server.serve("/other.bin", other)
    (tmp_path / "list.txt").write_text(
        f"# two files\n{server.url('/file.bin')} {server.url('/file.bin', 'localhost')} sha256:{file.sha256}\n"
        f"{url}\n  out=renamed.bin\n  dir=below\n"
    )
    ferry("get", "--input", "list.txt", "-o", "got/")
    assert (tmp_path / "got/file.bin").read_bytes() == file.data
    assert (tmp_path / "got/below/renamed.bin").read_bytes() == other.data


def test_a_list_from_standard_input(ferry, server, file, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{server.url('/file.bin')} out=piped.bin\n"))
    ferry("get", "-i", "-")
    assert (tmp_path / "piped.bin").read_bytes() == file.data


def test_checksum_file(ferry, server, file, tmp_path):
    sums = server.serve("/SHA256SUMS", lambda exchange: exchange.text(200, f"{file.sha256}  file.bin\n"))
    said = ferry("get", server.url("/file.bin"), "--checksum", sums)
    assert "sha256 verified" in said
    bad = server.serve("/bad", lambda exchange: exchange.text(200, f"{file.sha256}  another.bin\n"))
    ferry("get", server.url("/file.bin"), "--checksum", bad, "-o", "x.bin", code=2)
    assert "no checksum of 'file.bin'" in ferry.err
    assert not (tmp_path / "x.bin").exists()


def test_credentials_stay_with_their_host(ferry, server, file):
    sums = server.serve("/sums2", lambda exchange: exchange.text(200, f"{file.sha256}  file.bin\n"))
    url = server.url("/file.bin").replace("http://", "http://maria:hunter2@")
    ferry("get", url, "--checksum", sums.replace("127.0.0.1", "localhost"), "-H", "Cookie: a=b")
    assert server.seen("/file.bin")[-1].headers["authorization"].startswith("Basic ")
    listed = server.seen("/sums2")[-1].headers
    assert "authorization" not in listed
    assert "cookie" not in listed
    assert "hunter2" not in ferry.out + ferry.err


def test_secrets_from_environment_and_files(ferry, server, file, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_TOKEN", "abc.def")
    ferry("get", server.url("/file.bin"), "--bearer", "env:MY_TOKEN", "-o", "a")
    assert server.seen("/file.bin")[-1].headers["authorization"] == "Bearer abc.def"
    (tmp_path / "secret").write_text("hunter2\n")
    ferry("get", server.url("/file.bin"), "--user", "maria", "--password", "secret", "-o", "b")
    assert server.seen("/file.bin")[-1].headers["authorization"].startswith("Basic ")
    ferry("get", server.url("/file.bin"), "--bearer", "env:NOT_THERE", code=2)
    assert "NOT_THERE" in ferry.err


def test_metalink(ferry, server, file, tmp_path):
    document = f"""<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink">
<file name="sub/from-metalink.bin"><size>300000</size><hash type="sha-256">{file.sha256}</hash>
<url>{server.url("/file.bin")}</url><url>{server.url("/none")}</url></file></metalink>"""
    (tmp_path / "local.meta4").write_text(document)
    ferry("get", "local.meta4")
    assert (tmp_path / "sub/from-metalink.bin").read_bytes() == file.data
    url = server.serve("/remote.meta4", lambda exchange: exchange.text(200, document))
    assert "sha256 verified" in ferry("get", url, "-o", "two/")
    assert (tmp_path / "two/sub/from-metalink.bin").read_bytes() == file.data


def test_files_that_are_there(ferry, server, file, tmp_path):
    url, target = server.url("/file.bin"), tmp_path / "file.bin"
    target.write_bytes(b"old")
    ferry("get", url, code=1)
    assert "exists already" in ferry.err
    assert "rename" in ferry.err
    ferry("get", url, "-o", "file.bin", code=1)
    assert "skipped" in ferry("get", url, "--overwrite", "skip")
    assert target.read_bytes() == b"old"
    assert "file (1).bin" in ferry("get", url, "--overwrite", "rename")
    ferry("get", url, "--overwrite", "overwrite")
    assert target.read_bytes() == file.data


def test_two_of_the_same_name_are_never_mixed(ferry, server, tmp_path):
    files = [File(made_up(400_000, f"two {number}"), rate=800_000) for number in range(2)]
    urls = [server.serve(f"/two/{number}/two.bin", one) for number, one in enumerate(files)]
    ferry("get", *urls, "--overwrite", "rename")
    got = {(tmp_path / name).read_bytes() for name in ("two.bin", "two (1).bin")}
    assert got == {one.data for one in files}


def test_wrong_checksum_keeps_the_data_aside(ferry, server, file, tmp_path):
    ferry("get", server.url("/file.bin"), "--checksum", "sha256:" + "0" * 64, code=1)
    assert file.sha256 in ferry.err
    assert ".corrupt" in ferry.err
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin.corrupt"]


@pytest.mark.parametrize(
    ("words", "code", "said", "advice"),
    [
        (["get"], 2, "Nothing says what to fetch", "--input"),
        (["get", "htp://h/x"], 2, "'htp'", "http://"),
        (["get", "http:///x"], 2, "names no host", "https://host"),
        (["get", "h/x"], 2, "'h/x' has no scheme", "http://"),
        (["get", "http://[::1/x"], 2, "is not a valid URL", "https://"),
        (["get", "http://169.254.169.254/x"], 4, "169.254.169.254", "another address"),
        (["get", "http://h/x", "--checksum", "sha256:12"], 2, "sha256:12", "64"),
        (["get", "http://h/x", "--checksum", "crc:12"], 2, "crc:12", "sha256"),
        (["get", "http://h/x", "http://h/y", "--checksum", "md5:" + "0" * 32], 2, "2 files", "list"),
        (["get", "http://h/x", "--limit", "fast"], 2, "'fast'", "2MB/s"),
        (["get", "http://h/x", "-H", "bad"], 2, "'bad' is not a header", "Name: value"),
        (["get", "http://h/x", "-H", "A: b\r\nC: d"], 2, "'A'", "one line"),
        (["get", "http://h/x", "-c", "99"], 2, "'99'", "1 to 32"),
        (["get", "http://h/x", "--proxy", "p:1"], 2, "'p:1'", "socks5"),
        (["get", "http://h/x", "--cacert", "none.pem"], 2, "'none.pem'", "path"),
        (["get", "http://h/x", "--overwrite", "maybe"], 2, "'maybe'", "rename"),
        (["get", "http://h/x", "-o", "/proc/x/"], 4, "/proc/x", "another folder"),
        (["get", "http://h/x", "http://h/y", "-o", "one"], 2, "2 files", "/"),
        (["get", "http://h/x", "-o", "-"], 2, "'-'", "folder"),
        (["get", "--input", "none.txt"], 2, "'none.txt'", "path"),
        (["get", "http://h/x", "--mirror", "x"], 2, "'x' has no scheme", "http://"),
        (["get", "--frobnicate"], 2, "--frobnicate", "ferry get --help"),
        (["get", "http://h/x", "--detach"], 5, "No daemon runs", "ferry up"),
        (["jobs", "list"], 5, "No daemon runs", "ferry up"),
        (["jobs", "frobnicate"], 2, "frobnicate", "ferry jobs --help"),
        (["frobnicate"], 2, "frobnicate", "ferry --help"),
    ],
)  # fmt: skip
def test_bad_input_names_value_and_remedy(ferry, words, code, said, advice, tmp_path):
    ferry(*words, code=code)
    assert ferry.err.startswith("error: ")
    first, _, rest = ferry.err.partition("\n")
    assert said in first
    assert advice in rest
    assert not list(tmp_path.iterdir())
    problem = ferry.json(*words, code=code)
    assert problem["exit_code"] == code
    assert said in problem["detail"]


def test_a_list_says_which_line_is_wrong(ferry, tmp_path):
    (tmp_path / "list").write_text("http://h/x\nhttp://h/y out=../../up\n")
    ferry("get", "--input", "list", code=2)
    assert "leads out of" in ferry.err
    (tmp_path / "list").write_text("http://h/x\nnonsense\n")
    ferry("get", "--input", "list", code=2)
    assert "Line 2" in ferry.err


def test_an_unreachable_server_is_exit_5(ferry, server):
    broken = server.serve("/broken", status(503, {"Retry-After": "0"}))
    ferry("get", broken, "-q", code=5)
    assert "answered 503" in ferry.err


def test_quiet_says_nothing(ferry, server, file):
    ferry("get", server.url("/file.bin"), "-q")
    assert (ferry.out, ferry.err) == ("", "")


def test_limit_holds(ferry, server, tmp_path):
    url = server.serve("/limited.bin", File(made_up(600_000, "limited")))
    began = time.monotonic()
    ferry("get", url, "--limit", "300KB/s")
    assert time.monotonic() - began > 1.2


def start(tmp_path: Path, *words: str, **options) -> subprocess.Popen:
    environment = {**os.environ, "FERRY_HOME": str(tmp_path / "home"), "TERM": "xterm-256color"}
    return subprocess.Popen([*FERRY, *words], cwd=tmp_path, env=environment, **options)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_it_goes_on_where_it_was(server, tmp_path, number):
    served = Counted(made_up(8 * MIB, f"stop {number}"), rate=400_000)
    url = server.serve(f"/stop{number}.bin", served)
    first = start(tmp_path, "get", url, "-c", "4", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait(lambda: served.sent > 5 * MIB, "five megabytes")
    first.send_signal(number)
    _, said = first.communicate(timeout=20)
    if number is not signal.SIGKILL:
        assert first.returncode == 130
        assert "run the same command again to go on" in said
        assert "Traceback" not in said
    assert not list(tmp_path.glob("*.bin"))
    served.file.rate = 0
    done = start(tmp_path, "get", url, "--json", stdout=subprocess.PIPE, text=True)
    out, _ = done.communicate(timeout=30)
    found = json.loads(out)
    assert found["resumed"] > (MIB // 2 if number is signal.SIGKILL else 4 * MIB)
    assert hashlib.sha256(Path(found["path"]).read_bytes()).hexdigest() == served.file.sha256
    assert [path.name for path in tmp_path.iterdir()] == [f"stop{number}.bin"]


def in_terminal(tmp_path: Path, typed: str, until: str, *words: str) -> tuple[str, int]:
    """Run a command at a terminal, type an answer when `until` appears, and return what it showed."""
    master, slave = pty.openpty()
    process = start(tmp_path, *words, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown, answered = b"", False
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.1)[0]:
            try:
                shown += os.read(master, 65536)
            except OSError:
                break
        if until and not answered and until.encode() in shown:
            os.write(master, typed.encode())
            answered = True
        if process.poll() is not None and not select.select([master], [], [], 0)[0]:
            break
    os.close(master)
    return shown.decode(errors="replace"), process.wait(10)


def test_a_terminal_shows_bars(server, tmp_path):
    urls = [
        server.serve(f"/bar{number}.bin", File(made_up(MIB, f"bar {number}"), rate=300_000))
        for number in range(2)
    ]
    shown, code = in_terminal(tmp_path, "", "", "get", *urls, "-c", "2")
    assert code == 0
    assert "All files" in shown
    assert "of 1.0 MiB" in shown
    assert "━" in shown
    assert "bar1.bin  1.0 MiB in" in shown


@pytest.mark.parametrize(("answer", "names"), [("r\n", {"ask.bin", "ask (1).bin"}), ("s\n", {"ask.bin"})])
def test_a_terminal_asks_about_files_that_are_there(server, tmp_path, answer, names):
    url = server.serve("/ask.bin", File(made_up(1000, "ask")))
    (tmp_path / "ask.bin").write_bytes(b"old")
    shown, code = in_terminal(tmp_path, answer, "or [s]kip?", "get", url)
    assert code == 0, shown
    assert {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "ask.bin").read_bytes() == b"old"


def test_version_starts_nothing(ferry, tmp_path):
    code = (
        "import sys; sys.argv = ['ferry', '--version']\nfrom ferryman.cli import main\nmain()\n"
        "assert not {'typer', 'asyncio', 'json', 'dataclasses'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([FERRY[0], "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == f"ferry {__version__}\n"
    assert ferry("-V") == f"ferry {__version__}\n"


@pytest.mark.parametrize(("name", "wanted"), [("file.bin", 0), ("missing.bin", 3)])
def test_the_command_leaves_with_its_code_and_with_all_it_said(server, file, tmp_path, name, wanted):
    code = (
        f"import sys; sys.argv = ['ferry', 'get', {server.url('/' + name)!r}]\n"
        "from ferryman.cli import command\nsys.exit(command())"
    )
    done = subprocess.run(
        [FERRY[0], "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=30
    )
    assert done.returncode == wanted
    assert name in (done.stderr if wanted else done.stdout)
    assert (tmp_path / name).exists() is not bool(wanted)


def test_get_loads_no_heavy_library(server, file, tmp_path):
    code = (
        f"import sys; sys.argv = ['ferry', 'get', {server.url('/file.bin')!r}, '-q']\n"
        "from ferryman.cli import main\nassert main() == 0\n"
        "heavy = {'pydantic', 'fastapi', 'sqlalchemy', 'typer', 'rich', 'cryptography', 'pycurl', 'granian',\n"
        " 'ssl', 'logging', 'statistics', 'tempfile', 'concurrent.futures'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run(
        [FERRY[0], "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr

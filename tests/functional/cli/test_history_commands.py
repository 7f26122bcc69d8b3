"""`ferry downloads list|export|import|filters|prune` with a real daemon and real files."""

import csv
import io
import json

import pytest

from ferryman.cli.start import run
from ferryman.testing.upstream import File, made_up
from tests.functional.running import wait

KIB = 1 << 10


@pytest.fixture
def ferry(daemon, capsysbinary, monkeypatch):
    """Run a command against the daemon in this process; return what it printed."""
    monkeypatch.setenv("FERRY_HOME", str(daemon.home))

    def typed(*words, code=0):
        capsysbinary.readouterr()
        got = run([str(word) for word in words])
        out, err = (text.decode() for text in capsysbinary.readouterr())
        assert got == code, out + err
        typed.err = err
        return json.loads(out) if "--json" in words else out

    return typed


@pytest.fixture(scope="module")
def past(daemon, shared_upstream):
    """Three files that arrived, and one that is not there."""
    urls = []
    for name, size in (("small.bin", 1), ("medium.bin", 100), ("large.iso", 900)):
        shared_upstream.serve(f"/{name}", File(made_up(size * KIB, name)))
        urls.append(shared_upstream.url(f"/{name}"))
    for job_id in daemon.add(*urls, shared_upstream.url("/gone.bin")):
        daemon.ended(job_id)
    return urls


def titles(ferry, *words):
    page = ferry("downloads", "list", "--tab", "history", "--json", *words)
    return [job["title"] for job in page["items"]]


def test_lists_are_narrowed_sorted_and_added_up(ferry, past):
    assert titles(ferry, "--size", "50KiB-", "--sort=-size") == ["large.iso", "medium.bin"]
    assert titles(ferry, "--size", "-2KiB", "--state", "succeeded") == ["small.bin"]
    assert titles(ferry, "--search", "iso", "--ended", "2020-01-01..") == ["large.iso"]
    assert titles(ferry, "--added", "2020-01-01..2020-12-31") == []
    assert titles(ferry, "--reason", "not_found") == ["gone.bin"]
    sums = ferry("downloads", "list", "--sums", "--json")
    assert (sums["states"]["succeeded"], sums["states"]["failed"], sums["success"]) == (3, 1, 0.75)
    assert "75.0% success" in ferry("downloads", "list", "--sums")
    ferry("downloads", "list", "--added", "soon", code=2)
    ferry("downloads", "list", "--size", "big", code=2)


def test_filters_are_saved_and_used(ferry, past):
    ferry("downloads", "filters", "save", "big ones", "--size", "50KiB-", "--sort=size")
    assert "min_size=51200" in ferry("downloads", "filters", "list")
    assert set(titles(ferry, "--saved", "big ones")) == {"medium.bin", "large.iso"}
    rows = csv.DictReader(io.StringIO(ferry("downloads", "export", "--saved", "big ones")))
    assert [row["title"] for row in rows] == ["medium.bin", "large.iso"]
    ferry("downloads", "filters", "delete", "big ones")
    ferry("downloads", "filters", "delete", "big ones", code=3)
    assert ferry("downloads", "filters", "list", "--json") == {"items": []}


def test_an_exported_list_is_fetched_again(ferry, daemon, past, tmp_path):
    target = tmp_path / "out.json"
    ferry("downloads", "export", "-o", target, "--search", "bin", "--state", "succeeded", "--sort", "title")
    assert [item["title"] for item in json.loads(target.read_text())["items"]] == ["medium.bin", "small.bin"]
    taken = ferry("downloads", "import", target, "--json")
    assert taken["number"] == 2
    assert [daemon.ended(job_id)["state"] for job_id in taken["ids"]] == ["succeeded", "succeeded"]


def test_old_entries_are_pruned_by_hand_and_by_the_setting(ferry, daemon, past):
    ended = len(titles(ferry, "--limit", "200"))
    assert ended == ferry("downloads", "list", "--sums", "--json")["number"] > 2, "all have ended"
    asked = ferry("downloads", "prune", "--count", str(ended - 2), "--dry-run", "--json")
    assert (asked["number"], asked["more"]) == (2, False)
    assert ferry("downloads", "prune", "--days", "1", "--json")["number"] == 0
    ferry("downloads", "prune", code=2)
    ferry("settings", "set", "history_count=1")
    try:
        wait(lambda: len(titles(ferry)) == 1, "the history to be pruned")
    finally:
        ferry("settings", "reset", "history_count")
    assert (daemon.home / "downloads" / "small.bin").exists()


def test_ten_thousand_lines_with_three_wrong_ones(ferry, daemon, past, tmp_path):
    lines = [f"http://127.0.0.1:9/{n}.iso" for n in range(10_000)]
    lines[41], lines[4_999], lines[9_998] = "gopher://a.example/x", "https://", "not an address"
    target = tmp_path / "list.txt"
    target.write_text("\n".join(lines))
    before = ferry("downloads", "list", "--sums", "--json")["number"]
    ferry("downloads", "import", target, code=2)
    assert "3 lines are wrong" in ferry.err
    assert all(words in ferry.err for words in ("line 42:", "lines.5000:", "lines.9999:"))
    assert ferry("downloads", "list", "--sums", "--json")["number"] == before
    taken = ferry("downloads", "import", target, "--partial", "--json")
    assert (taken["number"], taken["wrong"]) == (9_997, 3)
    assert [one["line"] for one in taken["refused"]] == [42, 5000, 9999]
    assert ferry("downloads", "list", "--sums", "--json")["number"] == before + 9_997
    target.write_text("\n".join([*lines, *past, *past]))
    ferry("downloads", "import", target, code=2)
    assert "10,000" in ferry.err

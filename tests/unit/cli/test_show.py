from pathlib import Path

import pytest

from ferryman.cli.describe import done_of, job_pairs, job_row
from ferryman.cli.get_run import Fetch, code_of, document_of
from ferryman.cli.get_show import Lines, sentence
from ferryman.cli.output import cell, pairs, table
from ferryman.core.digests import Digest
from ferryman.core.errors import NotFound, Unavailable
from ferryman.transfer.model import Result, Snapshot


def result(**values):
    plain = {"path": Path("/d/x.iso"), "size": 3 << 20, "digests": (), "seconds": 2.0, "network": 2 << 20}
    return Result(**{**plain, "resumed": 0, "url": "http://h/x.iso", **values})


def test_how_a_file_arrived():
    assert sentence(result()) == "x.iso  3.0 MiB in 2.0 s (1.0 MiB/s)"
    digest = Digest("sha256", "0" * 64)
    said = sentence(result(resumed=1 << 20, digests=(digest,), renamed=True))
    assert said.endswith("1.0 MiB were here already, sha256 verified, renamed, its name was taken")
    assert sentence(result(skipped=True)) == "x.iso is here already: skipped"
    assert "(" not in sentence(result(seconds=0.0))


class Wish:
    said = "http://h/x"


def fetch(error=None):
    return Fetch(Wish(), "x", result=None if error else result(), error=error)


def test_exit_code_of_many():
    missing, gone = NotFound("a", "b"), Unavailable("a", "b")
    assert code_of([fetch(), fetch()]) == 0
    assert code_of([fetch(), fetch(missing), fetch(missing)]) == 3
    assert code_of([fetch(gone), fetch(missing)]) == 1


def test_documents():
    one = document_of([fetch()], several=False, seconds=1.0)
    assert (one["source"], one["size"]) == ("http://h/x", 3 << 20)
    assert document_of([fetch(NotFound("a", "b"))], several=False, seconds=1.0)["code"] == "a"
    many = document_of([fetch(), fetch(NotFound("a", "b"))], several=True, seconds=1.0)
    assert (many["done"], many["failed"], many["size"], many["network"]) == (1, 1, 3 << 20, 2 << 20)


def test_lines_tell_how_far_now_and_then(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ferryman.cli.get_show.time.monotonic", lambda: now[0])

    class Moving:
        label = "x"

        def snapshot(self):
            return Snapshot(total=2048, disk=1024, rate=512.0, eta=2.0)

    show = Lines()
    show.begin(1)
    show.tick([Moving()])
    assert capsys.readouterr().err == ""
    now[0] += 11
    show.tick([Moving()])
    assert capsys.readouterr().err == "1.0 KiB of 2.0 KiB  512 B/s  a few seconds\n"


def job(**values):
    progress = {
        "total": 200,
        "disk": 50,
        "network": 70,
        "rate": 10.0,
        "eta": 15.0,
        "connections": 2,
        "slow": None,
    }
    plain = {
        "id": "i", "title": "t", "kind": "download", "state": "running", "desired": "run", "priority": 5,
        "attempt": 1, "max_attempts": 5, "phase": "downloading", "reason": None, "error": None, "advice": None,
        "not_before": None, "created_at": "c", "started_at": "s", "finished_at": None, "result": None,
    }  # fmt: skip
    return {**plain, "progress": progress, **values}


def test_a_row_and_the_facts_of_a_job():
    row = job_row(job())
    assert (row["done"], row["speed"], row["left"]) == ("25% of 200 B", "10 B/s", "about 15 s")
    failed = job(
        state="failed", reason="network", error="gone", advice="again", result={"path": "/d/x", "size": 2048}
    )
    assert job_row(failed)["state"] == "failed (network)"
    assert job_row(failed)["speed"] is None
    facts = dict(job_pairs(failed))
    assert (facts["Error"], facts["What to do"], facts["Path"], facts["Size"]) == (
        "gone",
        "again",
        "/d/x",
        "2.0 KiB",
    )
    assert "Speed" not in facts
    assert done_of({"total": None, "disk": 0}) is None
    assert done_of({"total": None, "disk": 10}) == "10 B"


def test_tables_are_aligned_and_safe(capsys):
    table([{"a": "x\x1b[1m", "n": 5}, {"a": None, "n": 12345}], {"a": "NAME", "n": "SIZE"}, right=("n",))
    assert capsys.readouterr().out == "NAME       SIZE\nx\\x1b[1m      5\n-         12345\n"
    pairs([("One", 1), ("Empty", None), ("Longer", "x")])
    assert capsys.readouterr().out == "One     1\nLonger  x\n"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (True, "yes"), ([1, "b"], "1, b"), (0, "0")])
def test_cells(value, text):
    assert cell(value) == text

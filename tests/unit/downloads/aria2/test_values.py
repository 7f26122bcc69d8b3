"""Jobs as aria2 describes downloads."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ferryman.core.ids import new_id
from ferryman.downloads.aria2 import values
from ferryman.downloads.aria2.gids import check, check_chosen, gid, gid_of, key_for, tail_of
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.model import DownloadSpec
from ferryman.jobs.model import Desired, Job, Progress, Reason, State

ROOT = Path("/files")
MIB = 1 << 20


def job(state: State = State.QUEUED, spec: dict[str, Any] | None = None, **more: Any) -> Job:
    asked = DownloadSpec(urls=["http://host/a.iso", "http://other/a.iso"], **(spec or {})).model_dump(
        mode="json"
    )
    return Job(new_id(), "download", "a.iso", asked, state, Desired.RUN, 5, 1.0, 0.0, 0.0, **more)


def test_numbers_are_text_and_pieces_cover_the_file():
    progress = Progress(total=3 * MIB + 1, disk=2 * MIB + 5, rate=99.7, connections=3)
    found = values.status(job(State.RUNNING, progress=progress), ROOT)
    assert (found["totalLength"], found["completedLength"]) == (str(3 * MIB + 1), str(2 * MIB + 5))
    assert (found["downloadSpeed"], found["connections"]) == ("99", "3")
    assert (found["numPieces"], found["pieceLength"], found["bitfield"]) == ("4", str(MIB), "c0")
    assert [one["status"] for one in found["files"][0]["uris"]] == ["used", "waiting"]


@pytest.mark.parametrize(
    ("done", "total", "bits"),
    [
        (0, 1, "00"), (1, 1, "80"), (MIB, 8 * MIB, "80"), (8 * MIB, 8 * MIB, "ff"), (9 * MIB, 9 * MIB, "ff80"),
        (20 * MIB, 8 * MIB, "ff"),
    ],
)  # fmt: skip
def test_bits_say_how_much(done, total, bits):
    found = values.status(job(State.RUNNING, progress=Progress(total=total, disk=done)), ROOT, ["bitfield"])
    assert found == {"bitfield": bits}


def test_the_pieces_of_huge_files_stay_few():
    found = values.status(job(State.RUNNING, progress=Progress(total=1 << 50, disk=1 << 49)), ROOT)
    assert int(found["numPieces"]) <= 8192
    assert int(found["numPieces"]) * int(found["pieceLength"]) >= 1 << 50
    assert found["bitfield"].rstrip("0").strip("f") == ""


def test_the_file_is_named_as_soon_as_it_is_known():
    assert values.path_of(job(), ROOT) == ""
    assert values.path_of(job(spec={"folder": "in", "name": "b.iso"}), ROOT) == "/files/in/b.iso"
    assert values.path_of(job(checkpoint={"target": "/files/c.iso"}), ROOT) == "/files/c.iso"
    ended = job(State.SUCCEEDED, result={"path": "/files/d.iso", "size": 7}, checkpoint={"target": "/x"})
    found = values.status(ended, ROOT)
    assert found["files"][0]["path"] == "/files/d.iso"
    assert (found["totalLength"], found["completedLength"], found["errorCode"]) == ("7", "7", "0")


@pytest.mark.parametrize(
    ("state", "reason", "status", "code"),
    [
        (State.FAILED, Reason.NOT_FOUND, "error", "3"),
        (State.FAILED, Reason.DISK_FULL, "error", "9"),
        (State.FAILED, Reason.CORRUPT, "error", "32"),
        (State.FAILED, Reason.LOST, "error", "1"),
        (State.FAILED, None, "error", "1"),
        (State.CANCELLED, None, "removed", "31"),
    ],
)
def test_ends_have_codes(state, reason, status, code):
    found = values.status(job(state, reason=reason, error="it broke"), ROOT)
    assert (found["status"], found["errorCode"]) == (status, code)


def test_every_state_and_reason_is_known():
    assert set(values.STATUSES) == set(State)
    for state in State:
        for reason in (None, *Reason):
            assert values.status(job(state, reason=reason), ROOT)["gid"]


def test_others_see_addresses_without_secrets():
    asked = job()
    asked.spec["urls"] = ["http://host/a?token=sesame"]
    assert values.uris(asked)[0]["uri"].endswith("sesame")
    assert "sesame" not in str(values.status(asked, ROOT, own=False))


def test_gids_are_the_random_end_of_ids_or_what_was_chosen():
    one = job()
    assert gid(one) == one.id[19:].replace("-", "")
    assert tail_of(gid(one)) == one.id[19:]
    assert one.id[19:].startswith(tail_of(gid(one)[:3]))
    assert one.id[19:].startswith(tail_of(gid(one)[:7]))
    chosen = replace(one, idempotency_key=f"user/{key_for('00000000000000aa')}/0")
    assert gid(chosen) == "00000000000000aa"
    for key in ("user/aria2-gid/xyz/0", "aria2-gid/00000000000000aa/0", "user/other/0"):
        assert gid_of(one.id, key) == gid(one)


def test_wrong_gids_are_refused():
    assert check("AB") == "ab"
    for text in ("", "xyz", "0" * 17, "ab ", "\uff41"):
        with pytest.raises(RpcError, match="Invalid GID"):
            check(text)
    for text in ("ab", "0" * 16):
        with pytest.raises(RpcError, match="Invalid GID"):
            check_chosen(text)

"""An existing library for aria2, as it comes from the package index, drives a real daemon through real downloads."""

import base64
import contextlib
import hashlib
import os
import time
from pathlib import Path

import aria2p
import pytest

from ferryman.testing.upstream import File
from tests.functional.downloads.conftest import address, gid_of
from tests.functional.running import wait

MIB = 1 << 20
BIG = os.urandom(12 * MIB)


@pytest.fixture(scope="module")
def big(shared_upstream):
    return shared_upstream.serve("/big.bin", File(BIG))


@pytest.fixture
def empty(aria2):
    """Nothing is there before and after."""
    yield

    def nothing_runs():
        left = [one for one in aria2.get_downloads() if one.status in {"active", "waiting", "paused"}]
        for download in left:  # it may have ended since, or be listed twice because it began meanwhile
            with contextlib.suppress(aria2p.ClientException):
                download.remove(force=True)
        return not left

    wait(nothing_runs, "nothing to run")
    aria2.purge()
    assert aria2.get_downloads() == []


def test_a_download_is_added_watched_limited_paused_and_completed(aria2, heard, big, empty):
    download = aria2.add_uris(
        [big], {"out": "one.bin", "max-download-limit": "200K", "split": "4", "header": ["X-Team: a"]}
    )
    wait(lambda: download.live.completed_length > 0, "the first bytes")
    assert (download.name, download.status, download.total_length) == ("one.bin", "active", 12 * MIB)
    assert 0 < download.connections <= 4
    assert download.options.max_download_limit == 200 * 1024
    heard.until(download.gid, "start")
    assert download.pause()
    wait(lambda: download.live.is_paused, "the pause")
    heard.until(download.gid, "start", "pause")
    assert aria2.get_stats().num_waiting == 1
    download.options.max_download_limit = 0
    assert download.resume()
    wait(lambda: download.live.is_complete, "the end")
    heard.until(download.gid, "start", "pause", "start", "complete")
    (path,) = download.root_files_paths
    assert Path(path).read_bytes() == BIG
    assert download.progress == 100.0
    assert download.error_code == "0"


def test_what_fails_and_what_is_removed_says_so(aria2, heard, shared_upstream, big, empty):
    failed = aria2.add_uris([shared_upstream.url("/not-there.bin")])
    wait(lambda: failed.live.has_failed, "the failure")
    assert failed.error_code == "3"
    assert "404" in failed.error_message
    removed = aria2.add_uris([big], {"max-download-limit": "100K"})
    wait(lambda: removed.live.completed_length > 0, "the first bytes")
    assert removed.remove()
    heard.until(failed.gid, "start", "error")
    heard.until(removed.gid, "start", "stop")


def test_the_queue_is_reordered(aria2, client, daemon, big, empty):
    try:
        assert aria2.set_global_options({"max-concurrent-downloads": 1})
        wait(lambda: int(client.get_global_option()["max-concurrent-downloads"]) == 1, "the new limit")
        names = ["running", "a", "b", "c", "d"]
        downloads = [
            aria2.add_uris([big], {"out": name, "max-download-limit": "100K", "allow-overwrite": "true"})
            for name in names
        ]
        wait(lambda: downloads[0].live.is_active, "the first to run")

        def queue():
            return [Path(one["files"][0]["path"]).name for one in client.tell_waiting(0, 100)]

        assert queue() == ["a", "b", "c", "d"]
        assert client.change_position(downloads[4].gid, 0, "POS_SET") == 0
        assert queue() == ["d", "a", "b", "c"]
        assert client.change_position(downloads[1].gid, 1, "POS_CUR") == 2
        assert queue() == ["d", "b", "a", "c"]
        assert client.change_position(downloads[2].gid, 0, "POS_END") == 3
        assert queue() == ["d", "a", "c", "b"]
        assert client.change_position(downloads[3].gid, -1, "POS_CUR") == 1
        assert queue() == ["d", "c", "a", "b"]
        first = aria2.add_uris([big], {"out": "first"}, position=0)
        assert queue() == ["first", "d", "c", "a", "b"]
        assert [one["gid"] for one in client.tell_waiting(1, 2, ["gid"])] == [
            downloads[4].gid,
            downloads[3].gid,
        ]
        backwards = client.tell_waiting(-1, 2, ["gid"])
        assert [one["gid"] for one in backwards] == [downloads[2].gid, downloads[1].gid]
        assert client.tell_waiting(-2, 1, ["gid"]) == [{"gid": downloads[1].gid}]
        assert client.tell_waiting(9, 5) == []
        with pytest.raises(aria2p.ClientException, match="not found in the waiting queue"):
            client.change_position(downloads[0].gid, 0, "POS_SET")
        assert first.live.is_waiting
    finally:
        client.change_global_option({"max-concurrent-downloads": "4"})


def test_several_calls_go_at_once(aria2, client, big, empty):
    made = client.multicall2(
        [(client.ADD_URI, [[f"{big}?{number}"], {"pause": "true"}]) for number in range(3)]
    )
    gids = [result[0] for result in made]
    assert len(set(gids)) == 3
    answers = client.multicall2(
        [
            (client.TELL_STATUS, [gids[0], ["status"]]),
            (client.TELL_STATUS, ["0123456789abcdef"]),
            (client.GET_GLOBAL_STAT, []),
        ]
    )
    assert answers[0] == [{"status": "paused"}]
    assert answers[1] == {"code": 1, "message": "GID 0123456789abcdef is not found"}
    assert answers[2][0]["numWaiting"] == "3"
    batch = client.batch_call(
        [
            (client.UNPAUSE, [gids[0]], 1),
            (client.GET_VERSION, [], 2),
        ]
    )
    assert batch[0] == gids[0]
    assert batch[1]["version"]
    assert aria2.resume_all()
    assert aria2.pause_all(force=True)


def test_a_metalink_becomes_one_download_for_each_file(aria2, client, shared_upstream, big, empty):
    small = shared_upstream.serve("/small.bin", File(b"small"))
    document = f"""<?xml version="1.0"?>
    <metalink xmlns="urn:ietf:params:xml:ns:metalink">
    <file name="in/first one.bin"><size>{len(BIG)}</size>
    <hash type="sha-256">{hashlib.sha256(BIG).hexdigest()}</hash>
    <url priority="1">{big}</url></file>
    <file name="second.bin"><url>{small}</url></file></metalink>"""
    gids = client.add_metalink(base64.b64encode(document.encode()).decode(), {"dir": "meta"})
    assert len(gids) == 2
    for gid in gids:
        wait(lambda gid=gid: client.tell_status(gid, ["status"])["status"] == "complete", "the end")
    paths = [client.get_files(gid)[0]["path"] for gid in gids]
    assert [path.rpartition("/meta/")[2] for path in paths] == ["in/first one.bin", "second.bin"]
    assert Path(paths[0]).read_bytes() == BIG
    assert client.get_option(gids[0])["checksum"].startswith("sha-256=")


def test_what_others_add_is_there_too_and_a_chosen_gid_holds(aria2, client, daemon, shared_upstream, empty):
    url = shared_upstream.serve("/other.bin", File(b"other"))
    (job_id,) = daemon.add(url)
    daemon.ended(job_id)
    gid = gid_of(daemon.job(job_id))
    assert client.tell_status(gid)["status"] == "complete"
    assert client.tell_status(gid[:9], ["gid"]) == {"gid": gid}
    assert client.add_uri([url], {"gid": "00000000000000aa", "out": "chosen.bin"}) == "00000000000000aa"
    wait(lambda: client.tell_status("00000000000000aa")["status"] == "complete", "the end")
    with pytest.raises(aria2p.ClientException, match="not unique"):
        client.add_uri([url], {"gid": "00000000000000aa"})
    daemon.kill(15)
    daemon.start()
    client.port = int(address(daemon).rpartition(":")[2])
    for name in ("00000000000000aa", gid, gid[:9]):
        assert client.tell_status(name, ["status"]) == {"status": "complete"}
    assert aria2.purge()
    assert [one.gid for one in aria2.get_downloads()] == [gid], "those of others are not purged"
    client.remove_download_result(gid)
    with pytest.raises(aria2p.ClientException, match="is not found"):
        client.tell_status("00000000000000aa")


def test_limits_and_numbers_of_all_downloads(aria2, client, daemon, big, empty):
    try:
        client.change_global_option({"max-overall-download-limit": "300K", "unknown-option": "1"})
        assert daemon.api("GET", "/api/v1/downloads/speed")["rate_limit"] == 300 * 1024
        download = aria2.add_uris([big], {"out": "limited.bin"})
        wait(lambda: 0 < aria2.get_stats().download_speed < 600 * 1024, "a speed within the limit")
        assert aria2.get_stats().num_active == 1
        before, began = download.live.completed_length, time.monotonic()
        time.sleep(3)
        speed = (download.live.completed_length - before) / (time.monotonic() - began)
        assert 100 * 1024 < speed < 500 * 1024
        assert client.get_global_option()["max-overall-download-limit"] == str(300 * 1024)
    finally:
        client.change_global_option({"max-overall-download-limit": "0"})


def test_addresses_change_while_it_is_paused(client, shared_upstream, big, empty):
    gid = client.add_uri([shared_upstream.url("/gone.bin")], {"pause": "true", "out": "moved.bin"})
    assert client.change_uri(gid, 1, [shared_upstream.url("/gone.bin")], [big]) == [1, 1]
    assert client.get_uris(gid) == [{"status": "waiting", "uri": big}]
    client.unpause(gid)
    wait(lambda: client.tell_status(gid)["status"] == "complete", "the end")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dir": "/etc"}, "not below the download folder"),
        ({"dir": "../x"}, "not below the download folder"),
        ({"out": "../x"}, "leads out of the folder"),
        ({"max-download-limit": "fast"}, "no number"),
        ({"checksum": "sha-256=12"}, "digits"),
        ({"header": ["no header"]}, "is not a header"),
        ({"gid": "12"}, "Invalid GID"),
        ({"all-proxy": "gopher://x"}, "is not the address of a proxy"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_added(client, big, options, says):
    before = client.get_global_stat()
    with pytest.raises(aria2p.ClientException, match=says):
        client.add_uri([big], options)
    assert client.get_global_stat()["numWaiting"] == before["numWaiting"]


@pytest.mark.parametrize("uris", [[], ["magnet:?xt=urn:btih:aaaa"], ["file:///etc/passwd"], ["out=x"]])
def test_what_cannot_be_fetched_is_refused(client, uris):
    with pytest.raises(aria2p.ClientException, match=r"URI|[Mm]agnet"):
        client.add_uri(uris)


def test_what_ferryman_does_not_do_is_said_clearly(client, tmp_path):
    torrent = tmp_path / "a.torrent"
    torrent.write_bytes(b"d4:infod4:name1:aee")
    with pytest.raises(aria2p.ClientException, match="Torrents are not supported"):
        client.add_torrent(base64.b64encode(torrent.read_bytes()).decode(), [])
    for call in (client.shutdown, client.force_shutdown):
        with pytest.raises(aria2p.ClientException, match="not shut down over JSON-RPC"):
            call()
    assert client.save_session() == "OK"
    assert client.get_session_info()["sessionId"]
    assert set(client.list_notifications()) == {
        "aria2.onBtDownloadComplete",
        *(f"aria2.onDownload{what}" for what in ("Start", "Pause", "Stop", "Complete", "Error")),
    }
    assert set(client.METHODS) == set(client.list_methods())


def test_rules_say_what_the_program_does_not(client, daemon, shared_upstream, empty):
    body = {
        "name": "rulings",
        "extensions": ["ruled"],
        "folder": "by-rule",
        "rate_limit": "5MB/s",
        "category": "x",
    }
    rule = daemon.api("POST", "/api/v1/downloads/rules", body)["id"]
    try:
        url = shared_upstream.serve("/a.ruled", File(b"ruled"))
        plain = client.add_uri([url])
        told = client.add_uri([url], {"dir": "elsewhere", "max-download-limit": "0"})
        for gid, folder, limit in ((plain, "by-rule", "5000000"), (told, "elsewhere", "0")):
            wait(lambda gid=gid: client.tell_status(gid, ["status"])["status"] == "complete", "the end")
            assert client.tell_status(gid)["dir"] == str(daemon.home / "downloads" / folder)
            assert client.get_option(gid)["max-download-limit"] == limit
    finally:
        daemon.api("DELETE", f"/api/v1/downloads/rules/{rule}")

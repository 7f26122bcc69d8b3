"""aria2's options, read and told."""

from pathlib import Path

import pytest

from ferryman.downloads.aria2 import options
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.model import DownloadOrder
from ferryman.transfer.model import Overwrite

ROOT = Path("/files")
URL = "http://host/a.iso"


def read(given, *uris):
    return options.wanted([options.entry(uris or (URL,), given, ROOT)], given)


def test_what_counts_becomes_an_order():
    found = read({
        "out": "b.iso", "dir": "/files/in", "header": ["X-A: 1", "Range: bytes=0-", "accept-encoding: gzip"],
        "user-agent": "me", "referer": "http://page/", "http-user": "u", "http-passwd": "p", "all-proxy": "proxy:8080",
        "checksum": f"sha-256={'a' * 64}", "split": "4", "max-connection-per-server": "16", "max-download-limit": "1K",
        "allow-overwrite": "true", "check-certificate": "false", "pause": "true", "gid": "AB" * 8,
    })  # fmt: skip
    order = DownloadOrder(**found.fields)
    assert order.entries[0].model_dump(exclude_unset=True) == {
        "urls": [URL], "folder": "in", "name": "b.iso", "checksum": f"sha-256:{'a' * 64}",
    }  # fmt: skip
    assert order.headers == ["X-A: 1", "User-Agent: me", "Referer: http://page/"]
    assert (order.username, order.password, order.proxy) == ("u", "p", "http://proxy:8080")
    assert (order.connections, order.rate_limit, order.overwrite) == (4, "1024", Overwrite.OVERWRITE)
    assert (order.insecure, found.paused, found.gid) == (True, True, "ab" * 8)


def test_without_options_the_order_has_our_defaults():
    found = read({})
    order = DownloadOrder(**found.fields)
    assert (order.connections, order.overwrite, order.headers) == (None, Overwrite.RENAME, [])
    assert (found.paused, found.gid) == (False, None)
    assert set(found.fields) == {"entries"}, "what is not said is left to the rules"
    assert set(order.entries[0].model_fields_set) == {"urls"}
    assert read({"auto-file-renaming": "false"}).fields["overwrite"] is Overwrite.ASK


@pytest.mark.parametrize(
    ("given", "folder", "name"),
    [
        ({}, "", None), ({"dir": "/files"}, "", None), ({"dir": "/files/"}, "", None), ({"dir": "a//b/"}, "a/b", None),
        ({"dir": "/files/a/../b"}, "b", None), ({"out": "x/y"}, "x", "y"), ({"dir": "a", "out": "./x/y"}, "a/x", "y"),
    ],
)  # fmt: skip
def test_places_are_below_the_download_folder(given, folder, name):
    assert options.place(given, ROOT) == (folder, name)


@pytest.mark.parametrize(
    "given", [{"dir": "/"}, {"dir": "/files2"}, {"dir": ".."}, {"dir": "a/../../x"}, {"out": "../a"}, {"out": "/a"},
              {"dir": "/files/\0"}]
)  # fmt: skip
def test_other_places_are_refused(given):
    with pytest.raises(RpcError, match=r"out of the folder|not below the download folder"):
        options.place(given, ROOT)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("500K", 512_000), ("2m", 2 * 1024**2), (" 7 ", 7), (5, 5), (True, None)]
)
def test_numbers_have_powers_of_two(text, number):
    if number is None:
        with pytest.raises(RpcError):
            options.size({"n": text}, "n")
    else:
        assert options.size({"n": text}, "n") == number


@pytest.mark.parametrize("text", ["-1", "1.5M", "1G", "K", "٣", "1" * 16])
def test_other_numbers_are_refused(text):
    with pytest.raises(RpcError, match="problem while processing"):
        options.size({"n": text}, "n")


def test_addresses_are_those_we_can_fetch_from():
    assert options.addresses([" http://h/a b", "http://h/a%20b", "x", "https://i/c"]) == [
        "http://h/a%20b", "https://i/c",
    ]  # fmt: skip
    for uris, says in (
        ([], "not provided"),
        (["out=x"], "No URI"),
        (["http://a\nb"], "No URI"),
        (["MAGNET:?"], "Magnet"),
    ):
        with pytest.raises(RpcError, match=says):
            options.addresses(uris)


def test_what_front_ends_send_back_is_no_change_of_what_stays():
    assert options.changed({"max-download-limit": "0", "unknown": "1"}, ROOT) == {"rate_limit": "0"}
    assert options.changed({"dir": "/files/a", "out": "n", "split": "99"}, ROOT) == {
        "connections": 32, "folder": "a", "name": "n",
    }  # fmt: skip
    assert options.changed({}, ROOT) == {}


def test_ignored_options_are_named():
    assert options.ignored({"seed-ratio": "1", "out": "a", "bt-x": 1}) == ("bt-x", "seed-ratio")

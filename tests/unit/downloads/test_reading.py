"""Uploads, cookies, what is in the way, files for secrets."""

import stat

import pytest

from ferryman.core.errors import Invalid
from ferryman.core.lent import Lent
from ferryman.downloads.conflicts import Clash, existing, refusal, repeated
from ferryman.downloads.cookies import cookies_for, read_cookies
from ferryman.downloads.model import DownloadOrder
from ferryman.downloads.order import OrderReader, Rights
from ferryman.downloads.pages_add import filled
from ferryman.downloads.reading import Uploaded, read_upload
from ferryman.transfer.source import parse_source

HEX = "cd" * 32


@pytest.fixture
def read(tmp_path):
    def reader(**order):
        return OrderReader(DownloadOrder(**order), Rights(tmp_path, 6, True)).read()

    return reader


class TestUploads:
    def test_a_list_with_logins_can_be_ordered_as_it_was_read(self, read):
        text = f"http://m%40x:p%3Aw@h/a {HEX} out=b c dir=d header=X-A:1\nhttp://h/[1-2]\n"
        found = read_upload(Uploaded(text.replace("out=b c", "out=b").encode()))
        assert found.entries[0].urls == ["http://m%40x:p%3Aw@h/a"]
        drafts = read(entries=[entry.order() for entry in found.entries])
        assert (drafts[0].secrets.username, drafts[0].secrets.password) == ("m@x", "p:w")
        assert drafts[0].secrets.headers == [("X-A", "1")]
        spec = drafts[0].spec
        assert (spec.urls, spec.name, spec.folder, spec.checksum) == (
            ["http://h/a"],
            "b",
            "d",
            f"sha256:{HEX}",
        )
        assert [draft.spec.urls for draft in drafts[1:]] == [["http://h/1"], ["http://h/2"]]

    @pytest.mark.parametrize(
        ("name", "mime"), [("x.meta4", ""), ("X.METALINK", ""), ("", "application/metalink4+xml")]
    )
    def test_metalinks_are_known_by_name_and_type(self, name, mime):
        with pytest.raises(Invalid) as caught:
            read_upload(Uploaded(b"no xml", name, mime))
        assert caught.value.code == "metalink_invalid"
        assert caught.value.fields

    def test_problems_are_told_and_bounded(self):
        found = read_upload(Uploaded(b"nonsense\n" * 500 + b"http://h/x"))
        assert (len(found.entries), len(found.problems), found.wrong) == (1, 200, 500)


class TestCookies:
    def test_a_header_is_for_the_first_host(self):
        sources = [parse_source("https://h/x"), parse_source("https://i/x")]
        text = cookies_for(read_cookies("a=b; c=d=e"), sources)
        assert text is not None
        assert text.splitlines()[1:] == ["h\tFALSE\t/\tTRUE\t0\ta\tb", "h\tFALSE\t/\tTRUE\t0\tc\td=e"]

    def test_of_a_file_only_what_the_hosts_may_see_is_kept(self):
        lines = [
            ".example.org\tTRUE\t/\tFALSE\t0\ta\t1",
            "other.org\tFALSE\t/\tFALSE\t0\tb\t2",
            "h.example.org\tFALSE\t/p\tTRUE\t9\tc\t3",
        ]
        cookies = read_cookies("# Netscape HTTP Cookie File\n" + "\n".join(lines))
        text = cookies_for(cookies, [parse_source("https://h.example.org/x")])
        assert text is not None
        assert "\tb\t" not in text
        assert len(text.splitlines()) == 3
        assert cookies_for(cookies, [parse_source("https://elsewhere.net/x")]) is None

    @pytest.mark.parametrize("text", ["", "word", "a=b\nc=d", "=x; =", "Cookie:", "a\tb", "a=b\x00"])
    def test_what_is_no_cookie(self, text):
        with pytest.raises(Invalid):
            read_cookies(text)


class TestConflicts:
    def test_only_names_that_are_known_and_ask(self, read, tmp_path):
        (tmp_path / "a").write_text("old")
        (tmp_path / "b").mkdir()
        drafts = read(
            entries=[{"urls": ["http://h/a"], "name": name} for name in "abc"] + [{"urls": ["http://h/a"]}],
            overwrite="ask",
        )
        assert [str(clash.draft.place) for clash in existing(tmp_path, drafts)] == ["entries.0", "entries.1"]
        assert not existing(
            tmp_path, read(entries=[{"urls": ["http://h/a"], "name": "a"}], overwrite="rename")
        )

    def test_what_is_twice_in_one_order(self, read):
        entries = [
            {"urls": ["http://h/a"]},
            {"urls": ["http://h/a"], "folder": "x"},
            {"urls": ["http://h/a"]},
        ]
        assert [str(draft.place) for draft in repeated(read(entries=entries, duplicates="ask"))] == [
            "entries.2"
        ]
        assert not repeated(read(entries=entries))
        entries[2]["duplicates"] = "add"
        assert not repeated(read(entries=entries, duplicates="ask"))

    def test_many_conflicts_are_told_in_part(self, read, tmp_path):
        drafts = read(urls=["http://h/[1-300]"])
        error = refusal([Clash(draft, "exists", tmp_path / "x") for draft in drafts])
        assert (error.code, error.details["number"], len(error.details["conflicts"])) == (
            "target_exists",
            300,
            200,
        )
        mixed = refusal([Clash(drafts[0], "exists", tmp_path), Clash(drafts[1], "duplicate", job_id="j")])
        assert mixed.code == "download_conflicts"


class TestLent:
    def test_files_are_private_shared_and_gone_at_the_end(self, tmp_path):
        lent = Lent(tmp_path / "lent")
        with lent.files("secret", None) as (path, nothing), lent.files("secret", "other") as (same, other):
            assert nothing is None
            assert path == same != other
            assert path.read_text() == "secret"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert list((tmp_path / "lent").iterdir()) == []

    def test_a_failure_leaves_nothing(self, tmp_path):
        lent = Lent(tmp_path / "lent")
        with pytest.raises(RuntimeError), lent.files("secret"):
            raise RuntimeError
        assert list((tmp_path / "lent").iterdir()) == []

    def test_what_a_killed_process_left_is_removed(self, tmp_path):
        (tmp_path / "lent").mkdir()
        (tmp_path / "lent/old").write_text("secret")
        Lent(tmp_path / "lent")
        assert not (tmp_path / "lent").exists()


@pytest.mark.parametrize(("urls", "more", "text"), [
    ([], {}, ""),
    (["  "], {"checksum": "md5:1"}, ""),
    (["http://h/x"], {}, "http://h/x"),
    (["http://h/x", "http://i/x"], {"checksum": "md5:1", "out": "a b"}, "http://h/x http://i/x md5:1\n  out=a b"),
    (["web+ferry:http://h/x"], {}, "http://h/x"),
    (["ferry://add?url=http://h/x&out=y"], {}, "http://h/x\n  out=y"),
    (["ferry://run?x"], {}, "ferry://run?x"),
    (["http://h/x\nhttp://h/y"], {}, "http://h/x http://h/y"),
    (["http://h/x"], {"out": "a\n  header=Cookie: x"}, "http://h/x\n  out=a header=Cookie: x"),
])  # fmt: skip
def test_what_a_link_fills_in(urls, more, text):
    assert filled(urls, **more) == text

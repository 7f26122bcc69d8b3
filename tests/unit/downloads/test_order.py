import pytest

from ferryman.core.errors import Conflict, Denied, Invalid
from ferryman.downloads.claims import Claims
from ferryman.downloads.model import DownloadOrder
from ferryman.downloads.order import OrderReader, Rights, check_name
from ferryman.transfer.model import Overwrite

HEX = "cd" * 32


@pytest.fixture
def read(tmp_path):
    def reader(*urls, private=True, partial=False, **order):
        made = OrderReader(DownloadOrder(urls=list(urls), **order), Rights(tmp_path, 6, private))
        return made.read(partial=partial), made.refused

    return reader


def test_each_line_is_a_file(read):
    drafts, refused = read(
        "http://h/a%20b.iso",
        f"http://h/c https://i/c sha256:{HEX} out=d.iso dir=sub",
        folder="top",
        connections=3,
    )
    first, second = (draft.spec for draft in drafts)
    assert drafts[0].title == "a b.iso"
    assert (first.urls, first.folder, first.name, first.connections) == (
        ["http://h/a%20b.iso"],
        "top",
        None,
        3,
    )
    assert (second.urls, second.folder, second.name) == (["http://h/c", "https://i/c"], "top/sub", "d.iso")
    assert second.checksum == f"sha256:{HEX}"
    assert not refused


def test_a_checksum_of_the_line_wins_over_the_file_of_checksums(read):
    drafts, _ = read("http://h/a", f"http://h/b sha256:{HEX}", checksum="http://h/SUMS")
    assert [draft.spec.checksum_url for draft in drafts] == ["http://h/SUMS", None]


def test_credentials_belong_to_their_own_file(read):
    drafts, _ = read("http://maria:pw@h/a", "http://i/b header=X-A:1", bearer="t", headers=["X-All: 2"])
    first, second = (draft.secrets for draft in drafts)
    assert (first.username, first.password) == ("maria", "pw")
    assert second.username is None
    assert first.headers == [("X-All", "2")]
    assert second.headers == [("X-All", "2"), ("X-A", "1")]
    assert "pw" not in drafts[0].spec.model_dump_json()


def test_credentials_are_not_spread_over_mirrors(read):
    with pytest.raises(Invalid) as caught:
        read("http://maria:hunter2@h/a http://i/a")
    assert caught.value.code == "url_credentials"
    assert "hunter2" not in str(caught.value) + str(caught.value.fields)


def test_everything_wrong_is_said_at_once(read):
    with pytest.raises(Invalid) as caught:
        read("nonsense", "http://h/x", rate_limit="fast", folder="..", headers=["a"])
    assert set(caught.value.fields) == {"urls.0", "rate_limit", "folder", "headers.0"}
    assert caught.value.code == "download_invalid"


def test_partial_leaves_out_wrong_lines_but_no_wrong_fields(read):
    drafts, refused = read("nonsense", "http://h/x", partial=True)
    assert [draft.spec.urls for draft in drafts] == [["http://h/x"]]
    assert [(one.index, one.error.code) for one in refused] == [(0, "url_scheme")]
    with pytest.raises(Invalid):
        read("nonsense", "http://h/x", partial=True, rate_limit="fast")
    with pytest.raises(Invalid):
        read("nonsense", partial=True)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]/", "http://2130706433/", "http://10.0.0.1/"]
)
def test_private_addresses_by_right(read, url):
    assert read(url)
    with pytest.raises(Denied) as caught:
        read(url, private=False)
    assert caught.value.code == "address_refused"


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://[fe80::1]/", "http://metadata/"])
def test_metadata_for_nobody(read, url):
    with pytest.raises(Denied):
        read(url)


def test_a_proxy_needs_the_right_to_private_addresses(read):
    drafts, _ = read("http://h/x", proxy="http://p:3128")
    assert drafts[0].secrets.proxy == "http://p:3128"
    with pytest.raises(Denied):
        read("http://8.8.8.8/x", proxy="http://p:3128", private=False)


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x.part", "x.ferry", "nul", "a\u202eb"])
def test_names_that_are_none(name):
    with pytest.raises(Invalid):
        check_name(name)


def test_claims_keep_targets_apart(tmp_path):
    claims, target = Claims(), tmp_path / "x.tar.gz"
    assert claims.claim("a", target, Overwrite.RENAME) == target
    assert claims.claim("a", target, Overwrite.RENAME) == target
    assert claims.claim("b", target, Overwrite.RENAME) == tmp_path / "x (1).tar.gz"
    assert claims.claim("b", target, Overwrite.RENAME) == tmp_path / "x (1).tar.gz"
    for overwrite in (Overwrite.ASK, Overwrite.OVERWRITE, Overwrite.SKIP):
        with pytest.raises(Conflict) as caught:
            claims.claim("c", target, overwrite)
        assert caught.value.code == "target_twice"
    claims.release("a")
    assert claims.claim("c", target, Overwrite.OVERWRITE) == target


def test_claims_rename_what_is_there(tmp_path):
    (tmp_path / "x").write_text("old")
    claims = Claims()
    assert claims.claim("a", tmp_path / "x", Overwrite.RENAME).name == "x (1)"
    assert claims.claim("b", tmp_path / "x", Overwrite.OVERWRITE).name == "x"
    name = claims.namer("c", tmp_path, Overwrite.RENAME)
    assert name({"content-disposition": "attachment; filename=../../x"}, "http://h/") == "x (2)"

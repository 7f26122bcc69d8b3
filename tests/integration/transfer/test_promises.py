"""What is promised about a file: checksums from files and headers, Metalink, mirrors used together."""

import base64
import hashlib

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, FerryError, Invalid
from ferryman.testing import faults
from ferryman.testing.upstream import File, Upstream, made_up
from ferryman.transfer.metalink import parse_metalink

from .conftest import Fetcher, wait_for

MiB = 1 << 20
DATA = made_up(5 * MiB + 99)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5", "blake2b"])
def test_every_algorithm_is_verified(upstream: Upstream, fetch: Fetcher, algorithm: str):
    url = upstream.serve("/a", File(DATA, rate=20 * MiB))
    digest = Digest(algorithm, hashlib.new(algorithm, DATA).hexdigest())
    result = fetch(url, checksum=digest)
    assert digest in result.digests
    wrong = Digest(algorithm, "0" * len(digest.hex))
    with pytest.raises(Corrupt) as mismatch:
        fetch(url, name="other", checksum=wrong)
    assert mismatch.value.code == "checksum_mismatch"
    assert (fetch.folder / "other.corrupt").read_bytes() == DATA


def test_a_checksum_files_address(upstream: Upstream, fetch: Fetcher):
    url = upstream.serve("/dir/a%20b.iso", File(DATA))
    good = upstream.serve("/SHA256SUMS", File(f"{'0' * 64}  x\n{File(DATA).sha256} *a b.iso\n".encode()))
    bad = upstream.serve("/BAD", File(f"SHA256 (a b.iso) = {'0' * 64}\n".encode()))
    other = upstream.serve("/OTHER", File(f"{'0' * 64}  x\n".encode()))
    assert fetch(url, checksum_url=good).digests == (Digest("sha256", File(DATA).sha256),)
    with pytest.raises(Corrupt):
        fetch(url, name="bad", checksum_url=bad)
    with pytest.raises(Invalid) as missing:
        fetch(url, name="other", checksum_url=other)
    assert missing.value.code == "checksum_missing"
    with pytest.raises(FerryError):
        fetch(url, name="none", checksum_url=upstream.url("/none"))
    assert sorted(path.name for path in fetch.folder.iterdir()) == ["bad.corrupt", "file"]


def test_credentials_do_not_go_to_a_checksum_file_elsewhere(upstream: Upstream, fetch: Fetcher):
    with Upstream() as other:
        sums = other.serve("/SUMS", File(f"{File(DATA).sha256}  a\n".encode()))
        secret = {"bearer": "let-me-in", "headers": (("Cookie", "id=let-me-in"),)}
        fetch(upstream.serve("/a", File(DATA)), checksum_url=sums, **secret)
        assert other.seen()
        assert not [seen for seen in other.seen() if "let-me-in" in str(seen.headers)]
        assert all("let-me-in" in seen.headers["authorization"] for seen in upstream.seen("/a"))


@pytest.mark.usefixtures("carrier")
@pytest.mark.parametrize("name", ["Repr-Digest", "Digest", "X-Checksum-Sha256"])
def test_headers_of_the_answer(upstream: Upstream, fetch: Fetcher, name: str):
    def header(data: bytes) -> dict[str, str]:
        raw = hashlib.sha256(data).digest()
        encoded = base64.b64encode(raw).decode()
        forms = {"Repr-Digest": f"sha-256=:{encoded}:", "Digest": f"SHA-256={encoded}"}
        return {name: forms.get(name, raw.hex())}

    good = fetch(upstream.serve("/a", File(DATA, headers=header(DATA))))
    assert good.digests == (Digest("sha256", File(DATA).sha256),)
    with pytest.raises(Corrupt):
        fetch(upstream.serve("/b", File(DATA, headers=header(b"other"))), name="b")
    assert (fetch.folder / "b.corrupt").exists()


def test_a_digest_of_a_part_is_not_taken_for_the_whole(upstream: Upstream, fetch: Fetcher):
    md5 = base64.b64encode(hashlib.md5(DATA[:1000]).digest()).decode()
    assert fetch(upstream.serve("/a", File(DATA, headers={"Content-MD5": md5}))).path.read_bytes() == DATA


def test_a_checksum_given_by_hand_wins_over_headers(upstream: Upstream, fetch: Fetcher):
    headers = {"X-Checksum-Sha256": "0" * 64}
    digest = Digest("sha256", File(DATA).sha256)
    assert fetch(upstream.serve("/a", File(DATA, headers=headers)), checksum=digest).digests == (digest,)


@pytest.mark.usefixtures("carrier")
def test_mirrors_are_used_together(upstream: Upstream, fetch: Fetcher):
    with Upstream() as second, Upstream() as third:
        slow = File(DATA, rate=MiB)
        urls = [server.serve("/a", slow) for server in (upstream, second)]
        broken = third.serve("/a", faults.status(404))
        result = fetch(broken, *urls, connections=6)
        assert result.path.read_bytes() == DATA
        assert upstream.seen("/a")
        assert second.seen("/a")
        assert len(third.seen("/a")) == 1


def test_a_mirror_that_dies_on_the_way_is_replaced(upstream: Upstream, fetch: Fetcher):
    file = File(DATA, rate=MiB)
    with Upstream() as second:
        urls = [upstream.serve("/a", file), second.serve("/a", file)]
        transfer = fetch.start(*urls, connections=4)
        wait_for(lambda: transfer.snapshot().disk > MiB)
        second.serve("/a", faults.status(500))
        assert transfer.wait(40).path.read_bytes() == DATA


def test_metalink_names_mirrors_size_and_checksum(upstream: Upstream, fetch: Fetcher):
    with Upstream() as second:
        second.serve("/b", File(DATA))
        document = f"""<?xml version="1.0"?><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="a.iso">
            <size>{len(DATA)}</size><hash type="sha-256">{File(DATA).sha256}</hash>
            <url priority="1">{upstream.url("/gone")}</url><url priority="2">{second.url("/b")}</url>
            </file></metalink>"""
        metalink = fetch(upstream.serve("/a.meta4", File(document.encode())), name="a.meta4")
        (file,) = parse_metalink(metalink.path.read_bytes())
        urls = tuple(source.url for source in file.sources)
        result = fetch(*urls, name=file.path, size=file.size, checksum=file.checksum)
    assert result.path == fetch.folder / "a.iso"
    assert result.path.read_bytes() == DATA
    assert result.digests == (file.checksum,)


def test_another_size_than_promised(upstream: Upstream, fetch: Fetcher):
    with pytest.raises(Corrupt) as wrong:
        fetch(upstream.serve("/a", File(DATA)), size=len(DATA) - 1)
    assert wrong.value.code == "size_mismatch"
    assert not (fetch.folder / "file").exists()

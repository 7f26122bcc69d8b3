"""Digests from checksum files and from headers."""

import base64
import hashlib

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.checksums import digest_from_headers, names_for, parse_checksum_file

DATA = b"the bytes"
HEX = {name: hashlib.new(name, DATA).hexdigest() for name in ("sha256", "sha512", "sha1", "md5", "blake2b")}
B64 = {
    name: base64.b64encode(hashlib.new(name, DATA).digest()).decode()
    for name in ("sha256", "sha512", "sha1", "md5")
}
OTHER = "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"{HEX['sha256']}  a.iso\n",
        f"{HEX['sha256']} *a.iso",
        f"{HEX['sha256'].upper()}  ./dir/a.iso\r\n",
        f"{OTHER}  b.iso\n{HEX['sha256']}  a.iso\n",
        f"SHA256 (a.iso) = {HEX['sha256']}\n",
        f"SHA2-256(a.iso)= {OTHER}\nSHA256(a.iso)= {HEX['sha256']}\n",
        f"{HEX['sha256']}\n",
        f"sha256:{HEX['sha256']}  a.iso",
        f"\ufeff{HEX['sha256']}  a.iso",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{HEX['sha256']}  a.iso\n-----BEGIN PGP SIGNATURE-----\nabc",
        f"{HEX['md5']}  a.iso\n{HEX['sha256']}  a.iso\n{HEX['sha1']}  a.iso\n",
    ],
)
def test_the_forms_of_checksum_files(text: str):
    assert parse_checksum_file(text, "a.iso") == Digest("sha256", HEX["sha256"])


@pytest.mark.parametrize("algorithm", HEX)
def test_every_algorithm(algorithm: str):
    tagged = f"{algorithm.upper()} (a) = {HEX[algorithm]}"
    assert parse_checksum_file(tagged, "a") == Digest(algorithm, HEX[algorithm])


def test_equal_lengths_are_told_apart_by_the_name_of_the_file():
    line = f"{HEX['blake2b']}  a"
    assert parse_checksum_file(line, "a", "https://h/SHA512SUMS").algorithm == "sha512"
    assert parse_checksum_file(line, "a", "https://h/a.b2sum").algorithm == "blake2b"
    assert parse_checksum_file(line, "a", "https://h/B2SUMS").algorithm == "blake2b"


def test_escaped_names():
    assert parse_checksum_file(f"\\{HEX['sha1']}  a\\\\b\\nc", "a\\b\nc").hex == HEX["sha1"]


@pytest.mark.parametrize(
    "text", ["", "<html>not found</html>", f"{OTHER}  b.iso\n", f"{OTHER}\n{OTHER}\n", "x" * 64]
)
def test_a_missing_entry(text: str):
    with pytest.raises(Invalid) as refused:
        parse_checksum_file(text, "a.iso", "https://h/SHA256SUMS")
    assert refused.value.code == "checksum_missing"
    assert "a.iso" in refused.value.message
    assert "https://h/SHA256SUMS" in refused.value.message


def test_two_different_entries():
    with pytest.raises(Invalid) as refused:
        parse_checksum_file(f"{OTHER}  x/a\n{HEX['sha256']}  y/a\n", "a")
    assert refused.value.code == "checksum_ambiguous"


def test_the_name_of_what_a_url_fetches():
    assert names_for("https://h/x/a%20b.iso?sig=1/2") == "a b.iso"


@pytest.mark.parametrize(
    ("headers", "algorithm"),
    [
        ({"repr-digest": f"sha-256=:{B64['sha256']}:"}, "sha256"),
        ({"repr-digest": f"md5=:{B64['md5']}:, sha-512=:{B64['sha512']}:"}, "sha512"),
        ({"content-digest": f"sha-256=:{B64['sha256']}:"}, "sha256"),
        ({"digest": f"SHA-256={B64['sha256']},MD5={B64['md5']}"}, "sha256"),
        ({"content-md5": B64["md5"]}, "md5"),
        ({"x-goog-hash": f"crc32c=n03x6A==, md5={B64['md5']}"}, "md5"),
        ({"x-amz-checksum-sha256": B64["sha256"]}, "sha256"),
        ({"x-checksum-sha1": HEX["sha1"]}, "sha1"),
        ({"docker-content-digest": f"sha256:{HEX['sha256']}"}, "sha256"),
    ],
)
def test_headers(headers: dict[str, str], algorithm: str):
    assert digest_from_headers(headers) == Digest(algorithm, HEX[algorithm])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"repr-digest": "sha-256=:not base64:"},
        {"repr-digest": f"sha-256=:{B64['md5']}:"},
        {"digest": "crc32=12345678"},
        {"x-amz-checksum-sha256": f"{B64['sha256']}-3"},
        {"content-md5": "x"},
        {"repr-digest": f"sha-256=:{B64['sha256']}:", "content-encoding": "gzip"},
    ],
)
def test_headers_that_promise_nothing(headers: dict[str, str]):
    assert digest_from_headers(headers) is None


def test_a_part_says_nothing_about_the_whole():
    assert digest_from_headers({"content-md5": B64["md5"]}, partial=True) is None
    assert digest_from_headers({"content-digest": f"sha-256=:{B64['sha256']}:"}, partial=True) is None
    assert digest_from_headers({"repr-digest": f"sha-256=:{B64['sha256']}:"}, partial=True) is not None

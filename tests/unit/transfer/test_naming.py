"""Trap 10: file names come from somebody else."""

import pytest

from ferryman.transfer.naming import FALLBACK, LONGEST, name_from, safe_name, split_extension

URL = "https://host/dir/from-url.bin?x=1"


def offered(value: str) -> str:
    return name_from({"content-disposition": value}, URL)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="plain.iso"', "plain.iso"),
        ("attachment; filename=plain.iso", "plain.iso"),
        ("attachment; filename=\"a.txt\"; filename*=UTF-8''b%20%C3%BC.txt", "b ü.txt"),
        ("attachment; filename*=UTF-8''b.txt; filename=\"a.txt\"", "b.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("attachment; filename*=broken; filename=good.txt", "good.txt"),
        ("attachment; filename*=UTF-8''%ff%fe; filename=good.txt", "good.txt"),
        ("attachment; filename*=latin-9''x; filename=good.txt", "good.txt"),
        ('attachment; filename="quo\\"te.txt"', "quo_te.txt"),
        ('attachment; filename="semi;colon.txt"', "semi;colon.txt"),
        ('attachment; filename="%E2%82%AC.txt"', "€.txt"),
        ('attachment; filename="' + "ü.txt".encode().decode("latin-1") + '"', "ü.txt"),
        ('ATTACHMENT; FileName="Case.txt"', "Case.txt"),
        ("filename=bare.txt", "bare.txt"),
        ("inline", "from-url.bin"),
        ("", "from-url.bin"),
        ('attachment; filename=""', "from-url.bin"),
    ],
)
def test_content_disposition(value: str, name: str):
    assert offered(value) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fshadow", "shadow"),
        ("attachment; filename*=UTF-8''%252e%252e%252fx", "%2e%2e%2fx"),
        ('attachment; filename="C:\\Windows\\win.ini"', "win.ini"),
        ('attachment; filename=".."', "from-url.bin"),
        ('attachment; filename="..."', "from-url.bin"),
        ('attachment; filename="/"', "from-url.bin"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ("attachment; filename*=UTF-8''a%00b.txt", "b.txt"),
        ("attachment; filename*=UTF-8''a%0d%0ab.txt", "ab.txt"),
        ("attachment; filename*=UTF-8''exe%E2%80%AEtxt.bin", "exetxt.bin"),
        ('attachment; filename="CON"', "_CON"),
        ('attachment; filename="nul.txt"', "_nul.txt"),
        ('attachment; filename="COM1.log"', "_COM1.log"),
        ('attachment; filename="a<b>c|d?.txt"', "a_b_c_d_.txt"),
        ('attachment; filename="trailing. . "', "trailing"),
        ('attachment; filename="other.iso.ferry"', "other.iso.ferry_"),
        ('attachment; filename="other.iso.PART"', "other.iso.PART_"),
    ],
)
def test_hostile_names_lose_their_teeth(value: str, name: str):
    assert offered(value) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b%20c.iso?sig=x/y", "b c.iso"),
        ("https://h/a/", "a"),
        ("https://h/", FALLBACK),
        ("https://h", FALLBACK),
        ("https://h/..%2f..%2fx", "x"),
        ("https://h/%2e%2e", FALLBACK),
        ("https://h/%FCber.txt", "über.txt"),
        ("https://[broken/x", FALLBACK),
    ],
)
def test_names_from_urls(url: str, name: str):
    assert name_from({}, url) == name


def test_long_names_keep_their_extension_and_whole_characters():
    name = safe_name("ü" * 300 + ".tar.gz")
    assert name.endswith("ü.tar.gz")
    assert LONGEST - 1 <= len(name.encode()) <= LONGEST
    assert len(safe_name("x." + "y" * 300).encode()) == LONGEST


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.iso", ("a", ".iso")),
        ("a.tar.gz", ("a", ".tar.gz")),
        ("noext", ("noext", "")),
        (".hidden", (".hidden", "")),
        ("v1.2 final", ("v1.2 final", "")),
    ],
)
def test_extensions(name: str, parts: tuple[str, str]):
    assert split_extension(name) == parts

"""Metalink 4 documents."""

import pytest

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.transfer.metalink import is_metalink, parse_metalink

SPACE = 'xmlns="urn:ietf:params:xml:ns:metalink"'
SUM = "a" * 64


def document(files: str, attributes: str = SPACE) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><metalink {attributes}>{files}</metalink>'.encode()


def test_mirrors_in_order_with_size_and_the_strongest_digest():
    (file,) = parse_metalink(
        document(
            f"""<file name="dir/a.iso"><size>14</size><hash type="md5">{"b" * 32}</hash>
            <hash type="sha-256"> {SUM} </hash><hash type="crc">1</hash>
            <url>http://last/a</url><url priority="2">http://two/a</url><url location="de" priority="1">ftp://one/a</url>
            <url priority="3">magnet:x</url><url priority="1">ftp://one/a</url></file>"""
        )
    )
    assert (file.path, file.size, file.checksum) == ("dir/a.iso", 14, Digest("sha256", SUM))
    assert [source.host for source in file.sources] == ["one", "two", "last"]


def test_several_files():
    found = parse_metalink(
        document('<file name="a"><url>http://h/a</url></file><file name="b"><url>http://h/b</url></file>')
    )
    assert [(file.path, file.size, file.checksum) for file in found] == [("a", None, None), ("b", None, None)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        document("", 'xmlns="http://www.metalinker.org/"'),
        document(""),
        document('<file name="a"></file>'),
        document('<file name="a"><url>file:///etc/passwd</url></file>'),
        document('<file name="../a"><url>http://h/a</url></file>'),
        document('<file name="/etc/a"><url>http://h/a</url></file>'),
        document('<file name="a\\b"><url>http://h/a</url></file>'),
        document('<file name=""><url>http://h/a</url></file>'),
        document('<file name="a"><size>-1</size><url>http://h/a</url></file>'),
        document('<file name="a"><url>http://h/a</url></file>' * 2),
        b'<!DOCTYPE m [<!ENTITY a "x">]><metalink xmlns="urn:ietf:params:xml:ns:metalink">&a;</metalink>',
        b'<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]><metalink>&a;</metalink>',
        b'<?xml version="1.0" encoding="none"?><metalink/>',
    ],
)
def test_bad_documents(content: bytes):
    with pytest.raises(Invalid) as refused:
        parse_metalink(content)
    assert refused.value.code == "metalink_invalid"
    assert refused.value.advice


@pytest.mark.parametrize(
    ("name", "mime", "expected"),
    [
        ("a.meta4", None, True),
        ("A.META4", "text/plain", True),
        ("a", "application/metalink4+xml; charset=utf-8", True),
        ("a.xml", "application/xml", False),
    ],
)
def test_what_is_a_metalink(name: str, mime: str | None, expected: bool):
    assert is_metalink(name, mime) is expected

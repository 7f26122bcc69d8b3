"""Digests are checked before anything is built from them."""

import hashlib

import pytest

from ferryman.core.digests import HEX_LENGTHS, Digest, new_hasher
from ferryman.core.errors import Invalid

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("text", [f"sha256:{ABC}", f"SHA-256:{ABC.upper()}", f"  sha256: {ABC} "])
def test_what_people_write_is_read(text):
    digest = Digest.parse(text)
    assert digest == Digest("sha256", ABC)
    assert str(digest) == f"sha256:{ABC}"


@pytest.mark.parametrize("text", ["", "sha256", ABC, "crc32:12345678", ":", f"sha3:{ABC}"])
def test_unknown_algorithms_are_named_with_the_known_ones(text):
    with pytest.raises(Invalid) as caught:
        Digest.parse(text)
    assert caught.value.code == "checksum_invalid"
    assert "sha256" in caught.value.advice


@pytest.mark.parametrize(
    "value", ["", ABC[:-1], ABC + "0", ABC[:-1] + "g", "../" + ABC[3:], ABC[:-1] + "\u0661"]
)
def test_wrong_digits_are_refused_with_the_right_length(value):
    with pytest.raises(Invalid) as caught:
        Digest.parse(f"sha256:{value}")
    assert "64" in caught.value.advice


def test_a_long_value_does_not_make_a_long_message():
    with pytest.raises(Invalid) as caught:
        Digest.parse("sha256:" + "0" * 10_000)
    assert len(caught.value.message) < 300


def test_comparing_ignores_case_and_sees_differences():
    digest = Digest("sha256", ABC)
    assert digest.matches(ABC.upper())
    assert not digest.matches(ABC[:-1] + "e")


@pytest.mark.parametrize("algorithm", HEX_LENGTHS)
def test_every_algorithm_has_a_hasher_of_its_length(algorithm):
    hasher = new_hasher(algorithm)
    hasher.update(b"a")
    hasher.update(memoryview(b"bc"))
    assert hasher.hexdigest() == hashlib.new(algorithm, b"abc").hexdigest()
    assert len(hasher.hexdigest()) == HEX_LENGTHS[algorithm]


def test_an_unknown_hasher_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        new_hasher("sha3_256")

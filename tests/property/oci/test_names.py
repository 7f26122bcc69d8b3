"""Names of images and places: what is read is written back as it was, and nothing hostile gets through."""

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.oci.location import parse_location
from ferryman.oci.reference import (
    Reference,
    check_host,
    check_repository,
    check_tag,
    parse_digest,
    parse_local,
    parse_reference,
)

WORD = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
PART = (
    st.builds(lambda a, s, b: f"{a}{s}{b}", WORD, st.sampled_from([".", "_", "__", "-", "---"]), WORD) | WORD
)
REPOSITORY = st.lists(PART, min_size=2, max_size=4).map("/".join)
TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
PORT = st.integers(1, 65535).map(lambda port: f":{port}") | st.just("")
HOST = st.builds(
    lambda host, port: f"{host}{port}", st.sampled_from(["quay.io", "localhost", "[::1]", "10.1.2.3"]), PORT
)
DIGEST = st.builds(
    lambda algorithm, seed: Digest(algorithm, f"{seed:0{64 if algorithm == 'sha256' else 128}x}"),
    st.sampled_from(["sha256", "sha512"]),
    st.integers(0, 2**256 - 1),
)
REFERENCES = st.builds(Reference, HOST, REPOSITORY, st.none() | TAG, st.none() | DIGEST)


@given(REFERENCES)
def test_a_reference_is_read_as_it_is_written(reference):
    assert parse_reference(str(reference)) == reference


@given(REFERENCES)
def test_a_location_is_read_as_it_is_written(reference):
    for text in (f"docker://{reference}", f"docker-daemon:{reference}", f"containerd:k8s.io/{reference}"):
        location = parse_location(text)
        assert parse_location(str(location)) == location
        assert location.reference == reference


@given(st.builds(Reference, st.just(""), REPOSITORY, st.none() | TAG, st.none() | DIGEST))
def test_a_local_reference_is_read_as_it_is_written(reference):
    assert parse_local(str(reference)) == reference


@given(st.text(max_size=80) | st.text(string.ascii_letters + ":/@.[]-_0123456789", max_size=80))
def test_what_is_accepted_is_safe_in_addresses_and_what_is_not_is_named(text):
    for parse in (parse_reference, parse_local):
        try:
            found = parse(text)
        except Invalid as error:
            found = error
        if isinstance(found, Invalid):
            assert found.code == "reference_invalid"
            assert found.advice
        else:
            assert ".." not in found.repository.split("/")
            assert not set(found.repository) & set("%?#\\ \r\n\t")
            assert str(found).isascii()
            assert parse(str(found)) == found
    with contextlib.suppress(Invalid):
        parse_location(text)


@given(st.text(max_size=200))
def test_digests_are_exactly_what_registries_write(text):
    with contextlib.suppress(Invalid):
        assert str(parse_digest(text)) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("docker.io/alpine:3", "docker.io/library/alpine:3"),
        ("index.docker.io/team/app", "docker.io/team/app"),
        ("team/app", "docker.io/team/app"),
        ("LOCALHOST/app", "localhost/app"),
        ("Quay.IO/team/app:V1", "quay.io/team/app:V1"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app"),
        (" quay.io/a/b ", "quay.io/a/b"),
    ],
)
def test_short_names_mean_what_they_mean_to_docker(text, meant):
    assert str(parse_reference(text)) == meant


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no repository"),
        ("Team/App", "lower case"),
        ("quay.io/Team/App", "lower case"),
        ("quay.io/a//b", "no name of a repository"),
        ("quay.io/../etc", "no name of a repository"),
        ("quay.io/a/b:", "no tag"),
        ("quay.io/a/b:-x", "no tag"),
        (f"quay.io/a/b:{'x' * 129}", "no tag"),
        ("quay.io/a/b@sha256:12", "no digest"),
        (f"quay.io/a/b@sha256:{'A' * 64}", "no digest"),
        (f"quay.io/a/b@md5:{'a' * 32}", "no digest"),
        ("quay.io:0/a", "no host"),
        ("quay.io:99999/a", "no host"),
        ("quay.io:/a", "no host"),
        ("-bad.io/a", "no host"),
        ("docker://quay.io/a", "scheme"),
        (f"quay.io/{'a' * 256}", "255"),
        ("quay.io/a b", "no name of a repository"),
    ],
)
def test_wrong_references_are_named_with_the_reason(text, why):
    with pytest.raises(Invalid, match=why) as caught:
        parse_reference(text)
    assert caught.value.code == "reference_invalid"
    assert caught.value.advice


@pytest.mark.parametrize(
    "text", ["quay.io/a", "http:x", "docker:quay.io/a", "oci:", "oci::tag", "tar:x", "oci:\0"]
)
def test_wrong_locations_say_what_can_be_written(text):
    with pytest.raises(Invalid, match=r"names|say|slashes") as caught:
        parse_location(text)
    assert "docker://" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("oci:folder", "folder", None),
        ("oci:/a/folder:v1", "/a/folder", "v1"),
        (f"oci:folder@sha256:{'a' * 64}", "folder", f"sha256:{'a' * 64}"),
        ("oci-archive:file.tar:quay.io/a:1", "file.tar", "quay.io/a:1"),
        ("docker-archive:file.tar", "file.tar", None),
        ("containerd:quay.io/a/b:1", "", "1"),
        ("containerd:k8s.io/quay.io/a/b:1", "k8s.io", "1"),
        ("depot:localhost:5000/a:1", "", "1"),
    ],
)
def test_places(text, place, wanted):
    location = parse_location(text)
    assert (location.place, location.wanted) == (place, wanted)
    assert parse_location(str(location)) == location


@pytest.mark.parametrize("check", [check_repository, check_tag, check_host])
def test_nothing_with_a_newline_is_a_name(check):
    for text in ("a\n", "\na", "a\r\nb", "a b", "a/../b"):
        with pytest.raises(Invalid):
            check(text)

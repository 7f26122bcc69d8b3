"""Lists: tags, referrers, the catalogue (distribution-spec 1.1, "Content Discovery")."""

import json
import re

import pytest

from tests.conformance.registry.peers import INDEX, MANIFEST, Peer, digest_of

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


def tagged(peer: Peer, *tags: str) -> str:
    name = peer.name()
    raw = peer.image(name, tags[0])
    for tag in tags[1:]:
        assert peer.put(name, tag, raw).status == 201
    return name


def link(reply) -> str | None:
    found = re.fullmatch(r'<([^>]+)>; rel="next"', reply.headers.get("link", ""))
    return found.group(1) if found else None


def test_all_tags_in_order(own: Peer):
    name = tagged(own, "b", "a", "Z", "1.10", "1.9", "_x")
    reply = own.ask("GET", f"/v2/{name}/tags/list")
    assert reply.status == 200
    assert reply.json() == {"name": name, "tags": sorted(["b", "a", "Z", "1.10", "1.9", "_x"])}
    assert reply.headers["content-type"].partition(";")[0] == "application/json"


def test_tags_of_an_unknown_repository_are_404(peer: Peer):
    reply = peer.ask("GET", f"/v2/{peer.name()}/tags/list")
    assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")


def test_pages_of_tags(own: Peer):
    name = tagged(own, "a", "b", "c", "d", "e")
    reply = own.ask("GET", f"/v2/{name}/tags/list?n=2")
    assert reply.json()["tags"] == ["a", "b"]
    pages = [reply.json()["tags"]]
    while following := link(reply):
        reply = own.ask("GET", following)
        pages.append(reply.json()["tags"])
    assert pages == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("n=0", []),
        ("n=0&last=a", []),
        ("n=5", ["a", "b", "c"]),
        ("n=3", ["a", "b", "c"]),
        ("n=2&last=a", ["b", "c"]),
        ("last=a", ["b", "c"]),
        ("last=aa", ["b", "c"]),
        ("n=1&last=c", []),
        ("last=zzz", []),
    ],
)
def test_parts_of_tags_without_more(own: Peer, query: str, expected: list[str]):
    name = tagged(own, "a", "b", "c")
    reply = own.ask("GET", f"/v2/{name}/tags/list?{query}")
    assert (reply.status, reply.json()["tags"]) == (200, expected)
    assert "link" not in reply.headers


@pytest.mark.parametrize("number", ["x", "-1", "1.5", ""])
def test_a_number_that_is_none_is_refused(own: Peer, number: str):
    assert own.ask("GET", f"/v2/{tagged(own, 'a')}/tags/list?n={number}").status == 400


def test_a_repository_whose_tags_are_gone_has_an_empty_list(own: Peer):
    name = tagged(own, "a")
    assert own.ask("DELETE", f"/v2/{name}/manifests/a").status == 202
    assert own.ask("GET", f"/v2/{name}/tags/list").json()["tags"] == []


def test_referrers_are_listed_with_type_and_annotations(own: Peer):
    name = own.name()
    subject = own.image(name, "one")
    about = {"mediaType": MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    sbom = own.image(name, None, "1", subject=about, artifactType=SBOM, annotations={"a": "b"})
    plain = own.image(name, None, "2", subject=about)
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "subject": about}).encode()
    assert own.put(name, digest_of(index), index, INDEX).status == 201
    reply = own.ask("GET", f"/v2/{name}/referrers/{about['digest']}")
    assert reply.status == 200
    assert reply.headers["content-type"] == INDEX
    assert "oci-filters-applied" not in reply.headers
    found = reply.json()
    assert (found["schemaVersion"], found["mediaType"]) == (2, INDEX)
    listed = {one["digest"]: one for one in found["manifests"]}
    assert listed[digest_of(sbom)] == {
        "mediaType": MANIFEST,
        "digest": digest_of(sbom),
        "size": len(sbom),
        "artifactType": SBOM,
        "annotations": {"a": "b"},
    }
    assert listed[digest_of(plain)]["artifactType"] == json.loads(plain)["config"]["mediaType"]
    assert "artifactType" not in listed[digest_of(index)]
    assert len(listed) == 3


def test_referrers_are_filtered_by_type(own: Peer):
    name = own.name()
    subject = own.image(name, "one")
    about = {"mediaType": MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    sbom = own.image(name, None, "1", subject=about, artifactType=SBOM)
    own.image(name, None, "2", subject=about, artifactType=SIGNATURE)
    for kind, expected in ((SBOM, [digest_of(sbom)]), ("application/none", [])):
        reply = own.ask("GET", f"/v2/{name}/referrers/{about['digest']}?artifactType={kind}")
        assert [one["digest"] for one in reply.json()["manifests"]] == expected
        assert reply.headers["oci-filters-applied"] == "artifactType"


def test_referrers_of_nothing_are_an_empty_index(own: Peer):
    for name in (tagged(own, "a"), own.name()):
        reply = own.ask("GET", f"/v2/{name}/referrers/{digest_of(b'nothing')}")
        assert (reply.status, reply.json()["manifests"]) == (200, [])


def test_referrers_that_came_before_their_subject(own: Peer):
    name = own.name()
    subject = json.dumps(own.document(name)).encode()
    about = {"mediaType": MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    early = own.image(name, None, "early", subject=about)
    assert own.put(name, "one", subject).status == 201
    listed = own.ask("GET", f"/v2/{name}/referrers/{about['digest']}").json()["manifests"]
    assert [one["digest"] for one in listed] == [digest_of(early)]
    assert own.ask("DELETE", f"/v2/{name}/manifests/{digest_of(early)}").status == 202
    assert own.ask("GET", f"/v2/{name}/referrers/{about['digest']}").json()["manifests"] == []


@pytest.mark.parametrize("digest", ["sha256:x", "tag", "md5:" + "0" * 32])
def test_referrers_of_what_is_no_digest_are_400(own: Peer, digest: str):
    reply = own.ask("GET", f"/v2/{tagged(own, 'a')}/referrers/{digest}")
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


def test_many_referrers_come_in_pages_of_a_manifest_each(own: Peer):
    name = own.name()
    subject = own.image(name, "one")
    about = {"mediaType": MANIFEST, "digest": digest_of(subject), "size": len(subject)}
    pushed = {
        digest_of(own.image(name, None, str(i), subject=about, annotations={"x": "y" * 1_500_000}))
        for i in range(5)
    }
    reply = own.ask("GET", f"/v2/{name}/referrers/{about['digest']}")
    listed = [one["digest"] for one in reply.json()["manifests"]]
    assert len(listed) < 5
    while following := link(reply):
        reply = own.ask("GET", following)
        assert len(reply.body) <= 4 * 1024 * 1024
        listed += [one["digest"] for one in reply.json()["manifests"]]
    assert sorted(listed) == sorted(pushed)


def test_the_catalogue_has_all_repositories_in_order(peer: Peer):
    names = {tagged(peer, "a"), tagged(peer, "a")}
    found: list[str] = []
    reply = peer.ask("GET", "/v2/_catalog?n=1")
    while True:
        found += reply.json()["repositories"]
        if (following := link(reply)) is None:
            break
        reply = peer.ask("GET", following)
    assert found == sorted(found)
    assert names <= set(found)
    assert names <= set(peer.ask("GET", "/v2/_catalog?n=1000").json()["repositories"])

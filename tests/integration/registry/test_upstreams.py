"""What is not here is asked of upstreams, once, and is served from then on."""

from collections.abc import AsyncIterator

from ferryman.core.digests import Digest
from ferryman.core.errors import Unavailable
from ferryman.depot.model import Origin
from ferryman.oci.manifest import Descriptor, parse_manifest
from tests.conformance.registry.doubles import OpenAccess
from tests.conformance.registry.peers import MANIFEST, digest_of

CONFIG, LAYER = b"{}", b"layer"
RAW = (
    b'{"config":{"mediaType":"a/b","digest":"%s","size":2},"layers":[{"mediaType":"a/c","digest":"%s","size":5}]}'
    % (digest_of(CONFIG).encode(), digest_of(LAYER).encode())
)


class Stream:
    def __init__(self, data: bytes) -> None:
        self.size, self._data = len(data), data

    async def chunks(self, first: int, length: int, /) -> AsyncIterator[bytes]:
        for at in range(first, first + length):
            yield self._data[at : at + 1]


class Far:
    """Upstream `far.example`: repositories of it are kept below its name."""

    def __init__(self, depot) -> None:
        self.depot, self.asked, self.down = depot, [], False

    def place(self, repository: str, ns: str | None, /) -> str:
        return f"{ns}/{repository}" if ns == "far.example" else repository

    def covers(self, repository: str, /) -> bool:
        return repository.startswith("far.example/")

    async def manifest(self, repository: str, reference: str, /) -> bool:
        self.asked.append(reference)
        if self.down:
            raise Unavailable("upstream_down", "far.example does not answer.", retry_after=7)
        if reference not in {"v1", digest_of(RAW)}:
            return False
        manifest = parse_manifest(RAW, MANIFEST)
        self.depot.put_manifest(repository, manifest, "v1", Origin("pull", 1.0), sparse=True, incomplete=True)
        return True

    async def tags(self, repository: str, /) -> list[str]:
        return [] if self.down else ["v1", "v2"]

    async def referrers(self, repository: str, digest: Digest, /) -> list[Descriptor]:
        return []

    async def blob(self, repository: str, digest: Digest, /):
        self.asked.append(str(digest))
        known = {digest_of(CONFIG): CONFIG, digest_of(LAYER): LAYER}
        if str(digest) not in known:
            return False
        if str(digest) == digest_of(LAYER):
            return Stream(LAYER)
        with self.depot.writer(Origin("pull", 1.0)) as writer:
            writer.write(CONFIG)
            writer.commit(digest)
        self.depot.link_blob(repository, digest)
        return True


async def test_manifests_and_blobs_come_when_they_are_asked_for(made, depot):
    far = Far(depot)
    ask = made(OpenAccess(), upstreams=far)
    for path in ("/v2/team/x/manifests/v1?ns=far.example", "/v2/far.example/team/x/manifests/v1"):
        reply = await ask("GET", path)
        assert (reply.status, reply.body) == (200, RAW)
        assert reply.headers.get("oci-namespace") == ("far.example" if "ns=" in path else None)
    before = len(far.asked)
    assert (await ask("GET", f"/v2/far.example/team/x/manifests/{digest_of(RAW)}")).body == RAW
    assert len(far.asked) == before
    for data in (CONFIG, LAYER):
        reply = await ask("GET", f"/v2/team/x/blobs/{digest_of(data)}?ns=far.example")
        assert (reply.status, reply.body) == (200, data)
        assert reply.headers["content-length"] == str(len(data))
    before = len(far.asked)
    assert (await ask("GET", f"/v2/far.example/team/x/blobs/{digest_of(CONFIG)}")).body == CONFIG
    assert len(far.asked) == before


async def test_a_tag_is_asked_for_each_time(made, depot):
    far = Far(depot)
    ask = made(OpenAccess(), upstreams=far)
    for _ in range(3):
        assert (await ask("HEAD", "/v2/far.example/team/x/manifests/v1")).status == 200
    assert far.asked == ["v1"] * 3


async def test_what_upstream_lacks_is_404_and_what_it_does_not_answer_503(made, depot):
    far = Far(depot)
    ask = made(OpenAccess(), upstreams=far)
    for path in ("manifests/none", f"manifests/{digest_of(b'x')}", f"blobs/{digest_of(b'x')}"):
        assert (await ask("GET", f"/v2/far.example/team/x/{path}")).status == 404
    far.down = True
    reply = await ask("GET", "/v2/far.example/team/x/manifests/v1")
    assert (reply.status, reply.headers["retry-after"]) == (503, "7")


async def test_pushes_are_never_placed_elsewhere(made, depot):
    ask = made(OpenAccess(), upstreams=Far(depot))
    reply = await ask("POST", f"/v2/team/x/blobs/uploads/?digest={digest_of(b'a')}&ns=far.example", b"a")
    assert reply.status == 201
    assert depot.has_blob_in("team/x", Digest.parse(digest_of(b"a")))

"""What leaves through the registry is in the audit log, with who, from where and what; pushes name who did them in the history."""

import json

import pytest

from ferryman.accounts.audit import AuditQuery
from tests.conformance.registry.peers import digest_of
from tests.integration.registry.town import Town, basic, document_of

DIGEST = digest_of(document_of())


@pytest.fixture
async def town(made, depot) -> Town:
    town = await Town(made, depot).peopled()
    await town.push("team/app")
    await town.blob("team/app", b"loose")
    return town


async def entries(town: Town) -> list[tuple[str, str, str, str, dict]]:
    """Who, how they came, what they did, to what, and the rest; the newest first."""
    page = await town.audit.list(AuditQuery(action="depot"))
    return [(row.actor, row.via, row.action, row.target, json.loads(row.detail)) for row in page.items]


async def test_deletions_are_written_down(town: Town):
    _, secret = await town.token("operator", "depot:read", "depot:delete")
    ways = [
        (basic("operator"), f"blobs/{digest_of(b'loose')}"),
        (await town.bearer("repository:team/app:delete", basic("x", secret)), "manifests/v1"),
        ({"authorization": "Bearer local"}, f"manifests/{DIGEST}"),
    ]
    await town.push("team/app", tag="v2")
    for headers, path in ways:
        assert (await town.ask("DELETE", f"/v2/team/app/{path}", b"", headers)).status == 202
    rest = {"client": "127.0.0.1", "through": "registry"}
    assert await entries(town) == [
        (
            "local",
            "local",
            "depot.delete",
            f"team/app@{DIGEST}",
            {"tags": ["v2"], "manifests": [DIGEST], **rest},
        ),
        ("operator", "token:ci", "depot.untag", "team/app:v1", {"digest": DIGEST, **rest}),
        ("operator", "password", "depot.unlink", f"team/app@{digest_of(b'loose')}", rest),
    ]
    assert await town.audit.verify() is None


@pytest.mark.parametrize("path", ["manifests/none", f"manifests/{'sha256:' + '0' * 64}", f"blobs/{DIGEST}"])
async def test_what_did_not_happen_is_not_written_down(town: Town, path: str):
    assert (await town.ask("DELETE", f"/v2/team/app/{path}", b"", basic("admin"))).status == 404
    assert (await town.ask("DELETE", "/v2/team/app/manifests/v1", b"", basic("viewer"))).status == 403
    assert await entries(town) == []


async def test_what_cannot_be_written_down_does_not_happen(town: Town, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no room for an entry")

    monkeypatch.setattr(town.audit, "append", broken)
    for path in ("manifests/v1", f"manifests/{DIGEST}", f"blobs/{digest_of(b'loose')}"):
        assert (await town.ask("DELETE", f"/v2/team/app/{path}", b"", basic("admin"))).status == 500
    assert (await town.ask("GET", "/v2/team/app/manifests/v1", b"", basic("admin"))).status == 200
    path = f"/v2/team/app/blobs/{digest_of(b'loose')}"
    assert (await town.ask("GET", path, b"", basic("admin"))).status == 200


async def test_the_history_names_who_set_moved_and_took_a_tag(town: Town):
    await town.push("team/app", b"more", headers=basic("member"))
    path = f"/v2/team/app/manifests/{DIGEST}?tag=v1&tag=stable"
    kind = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
    assert (await town.ask("PUT", path, document_of(), basic("operator") | kind)).status == 201
    assert (await town.ask("DELETE", "/v2/team/app/manifests/v1", b"", basic("operator"))).status == 202
    told = [
        (one.origin.source, str(one.digest) if one.digest else None)
        for one in town.depot.history("team/app", "v1")
    ]
    assert told == [
        ("push:operator", None),
        ("push:operator", DIGEST),
        ("push:member", digest_of(document_of(b"more"))),
        ("push:admin", DIGEST),
    ]

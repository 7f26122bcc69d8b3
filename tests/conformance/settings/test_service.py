"""Changing settings, on each database."""

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import text

from ferryman.accounts.audit import Audit
from ferryman.accounts.model import ROLE_SCOPES, Principal, Role, local_principal
from ferryman.core.clock import SystemClock
from ferryman.core.errors import Conflict, Denied, Invalid
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Origin, Settings, meta_of
from ferryman.settings import exchange
from ferryman.settings import service as module
from ferryman.settings.service import Change, SettingsService, version_of

ME = local_principal("me")


@pytest.fixture
def make(db, tmp_path):
    """Make one more service on the same database, as another start has."""

    def made() -> SettingsService:
        clock = SystemClock()
        live = Live(Settings(home=tmp_path))
        service = SettingsService(db, live, Audit(db, clock), clock, SecretBox(tmp_path / "secret.key"))
        service.load_now()
        return service

    return made


async def audited(db) -> list[tuple[str, str, dict]]:
    rows = (await Audit(db, SystemClock()).list()).items
    return [(row.actor, row.target, json.loads(row.detail)) for row in reversed(rows)]


async def put(db, name: str, value: str) -> None:
    row = {"name": name, "value": value}
    await db.write(
        lambda c: c.execute(text("INSERT INTO settings VALUES (:name, :value, 0, 'somebody')"), row)
    )


async def test_a_change_is_in_force_at_once_and_after_a_restart(make):
    service = make()
    changes = await service.change({"connections": "3", "rate_limit": "2MB/s"}, ME)
    assert changes == [Change("connections", 8, 3), Change("rate_limit", "0", "2MB/s")]
    for one in (service, make()):
        assert (one.live.now().connections, one.live.now().rate_limit) == (3, "2MB/s")
        assert one.live.origin("connections") is Origin.CONSOLE


async def test_each_change_is_in_the_audit_log(make, db):
    service = make()
    await service.change({"connections": 3}, ME)
    await service.change({"connections": 3}, ME)
    await service.change({"connections": None, "log_level": "debug"}, ME)
    assert await audited(db) == [
        ("me", "connections", {"from": 8, "to": 3}),
        ("me", "connections", {"from": 3, "to": 8}),
        ("me", "log_level", {"from": "info", "to": "debug"}),
    ]
    assert await Audit(db, SystemClock()).verify() is None


async def test_nothing_is_changed_when_anything_is_wrong(make, db):
    service = make()
    with pytest.raises(Invalid) as caught:
        await service.change({"connections": 3, "download_concurrency": 99, "nonsense": 1}, ME)
    assert set(caught.value.fields) == {"download_concurrency", "nonsense"}
    assert await service.stored() == {}
    assert service.live.now().connections == 8
    assert await audited(db) == []


async def test_a_preview_says_the_same_and_changes_nothing(make):
    service = make()
    assert await service.preview({"connections": 3}) == [Change("connections", 8, 3)]
    with pytest.raises(Invalid):
        await service.preview({"connections": 0})
    assert await service.stored() == {}


async def test_what_was_set_is_taken_back(make):
    service = make()
    await service.change({"connections": 3}, ME)
    assert await service.change({"connections": None}, ME) == [Change("connections", 3, 8)]
    assert (await service.stored(), service.live.origin("connections")) == ({}, Origin.DEFAULT)
    assert await service.change({"connections": None}, ME) == []
    with pytest.raises(Invalid) as caught:
        await service.change({"never_was": None}, ME)
    assert set(caught.value.fields) == {"never_was"}


async def test_who_read_an_older_state_is_refused(make):
    service = make()
    seen = version_of(await service.stored())
    await service.change({"connections": 3}, ME, version=seen)
    with pytest.raises(Conflict) as caught:
        await service.change({"connections": 4}, ME, version=seen)
    assert caught.value.code == "settings_changed"
    assert service.live.now().connections == 3


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.OPERATOR])
async def test_only_admins_change_settings(make, role):
    with pytest.raises(Denied):
        await make().change({"connections": 3}, Principal("1", "x", role, ROLE_SCOPES[role], "session"))


@pytest.mark.parametrize(
    "value", ["", "{", "[[[[", "99", '"many"', "null", '{"sealed": 1}', "1e999", "NaN", "[" * 50_000]
)
async def test_a_wrong_stored_value_stops_no_start(make, db, value):
    await put(db, "connections", value)
    await put(db, "session_hours", "3")
    await put(db, "from_another_version", "1")
    service = make()
    assert (service.live.now().connections, service.live.now().session_hours) == (8, 3)
    assert set(service.live.problems) == {"connections", "from_another_version"}
    await service.change({"connections": 2}, ME)
    await service.change({"from_another_version": None}, ME)
    assert (service.live.now().connections, dict(service.live.problems)) == (2, {})


async def test_secrets_are_sealed_hidden_and_survive_only_with_their_key(make, db, monkeypatch, tmp_path):
    for place in (module, exchange):
        monkeypatch.setattr(
            place, "meta_of", lambda name: replace(meta_of(name), secret=name == "rate_limit")
        )
    service = make()
    assert await service.change({"rate_limit": "77MB/s"}, ME) == [Change("rate_limit", "***", "***")]
    assert "77MB" not in (await service.stored())["rate_limit"].text
    assert "77MB" not in json.dumps(await audited(db))
    assert make().live.now().rate_limit == "77MB/s"
    assert exchange.exported(service.live) == {}
    (tmp_path / "secret.key").unlink()
    other = make()
    assert other.live.now().rate_limit == "0"
    assert "cannot be opened" in other.live.problems["rate_limit"]


async def test_logins_are_shown_without_passwords_which_stay_until_others_are_typed(make, db):
    service = make()
    shown = "docker.io = ferry:***; quay.io = bot:***"
    given = "docker.io = ferry:hunter2; quay.io = bot:hunter3"
    assert await service.change({"registry_logins": given}, ME) == [Change("registry_logins", "", shown)]
    await service.change({"registry_logins": f"{shown}\nghcr.io = me:hunter4"}, ME)
    assert make().live.now().registry_logins.splitlines() == [*given.split("; "), "ghcr.io = me:hunter4"]
    with pytest.raises(Invalid, match="other at quay"):
        await service.change({"registry_logins": "quay.io = other:***"}, ME)
    stored = (await service.stored())["registry_logins"].text
    assert "hunter" not in stored + json.dumps(await audited(db)) + json.dumps(
        exchange.exported(service.live)
    )


async def test_another_process_hears_of_a_change(make):
    one, two = make(), make()
    await one.change({"connections": 3}, ME)
    await two.refresh()
    assert two.live.now().connections == 3


async def test_many_changes_at_once_end_as_they_are_stored(make):
    service = make()
    await asyncio.gather(*[service.change({"connections": number}, ME) for number in range(1, 21)])
    stored = (await service.stored())["connections"].value()
    assert service.live.now().connections == stored


async def test_a_folder_that_cannot_be_used_is_refused(make, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    service = make()
    for folder in (str(file), f"{file}/below", "relative", "x\0y", ""):
        with pytest.raises(Invalid) as caught:
            await service.change({"download_folder": folder}, ME)
        assert set(caught.value.fields) == {"download_folder"}
    await service.change({"download_folder": str(tmp_path / "new" / "deep")}, ME)
    assert service.live.next().downloads == tmp_path / "new" / "deep"
    assert not (tmp_path / "new").exists()

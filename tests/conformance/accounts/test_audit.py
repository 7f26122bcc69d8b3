"""What the audit log promises, on every database: every deed, in one chain, and tampering shows."""

import asyncio
import json

import pytest

from ferryman.accounts.audit import Audit, AuditQuery, audit_row_to_dict
from ferryman.accounts.chain import GENESIS
from ferryman.accounts.model import Role, local_principal
from ferryman.core.errors import Conflict, Corrupt, Denied

ROOT = local_principal("root")
PASSWORD = "correct horse battery"


async def fill(audit, count):
    for n in range(count):
        await audit.record("anna", "job.cancel", f"job-{n}", {"n": n})


async def execute(db, statement):
    await db.write(lambda conn: conn.exec_driver_sql(statement))


async def test_what_is_recorded_is_listed_the_newest_first(audit, clock):
    clock.time = 1_764_046_101.123456
    await audit.record(ROOT, "settings.set", "connections", {"from": 8, "to": 16})
    clock.time += 0.1
    await audit.record("system", "daemon.start", "host")
    second, first = (await audit.list()).items
    assert (second.id, first.id) == (2, 1)
    assert (first.actor, first.via, first.at) == ("root", "local", 1_764_046_101.123456)
    assert json.loads(first.detail) == {"from": 8, "to": 16}
    assert first.prev == GENESIS
    assert second.prev == first.hash
    assert audit_row_to_dict(first)["at"] == "2025-11-25T04:48:21.123Z"
    assert await audit.verify() is None


async def test_an_empty_log_is_whole(audit):
    found = await audit.inspect()
    assert (found.checked, found.head, found.broken) == (0, GENESIS, None)
    assert (await audit.list()).items == ()


async def test_pages_and_filters(audit, clock):
    for n in range(7):
        await audit.record("anna" if n % 2 else "bob", "user.role" if n < 5 else "users", f"t{n}")
        clock.time += 10
    page = await audit.list(AuditQuery(limit=3))
    assert [row.id for row in page.items] == [7, 6, 5]
    assert page.next_before == 5
    page = await audit.list(AuditQuery(limit=4, before=5))
    assert [row.id for row in page.items] == [4, 3, 2, 1]
    assert page.next_before is None
    start = clock.time - 70
    for query, ids in (
        (AuditQuery(actor="anna"), [6, 4, 2]),
        (AuditQuery(action="user"), [5, 4, 3, 2, 1]),
        (AuditQuery(action="user.role", actor="bob"), [5, 3, 1]),
        (AuditQuery(action="user_"), []),
        (AuditQuery(action="%"), []),
        (AuditQuery(target="t3"), [4]),
        (AuditQuery(target="a\0\ud800"), []),
        (AuditQuery(since=start + 10, until=start + 30), [3, 2]),
        (AuditQuery(limit=0), [7]),
    ):
        assert [row.id for row in (await audit.list(query)).items] == ids


async def test_many_writers_make_one_chain(new_audit):
    several = [new_audit() for _ in range(4)]
    await asyncio.gather(*(each.record("a", "job.cancel", str(n)) for n in range(25) for each in several))
    found = await several[0].inspect()
    assert (found.checked, found.broken) == (100, None)


async def test_long_logs_are_followed_in_parts(audit, monkeypatch):
    monkeypatch.setattr("ferryman.accounts.audit._BATCH", 3)
    await fill(audit, 10)
    found = await audit.inspect()
    assert (found.checked, found.broken) == (10, None)
    assert found.head == (await audit.list()).items[0].hash


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("update audit set actor = 'eve' where id = 4", 4),
        ("update audit set detail = '{}' where id = 1", 1),
        ("update audit set at = at + 0.001 where id = 10", 10),
        ("update audit set hash = prev where id = 10", 10),
        ("delete from audit where id = 4", 4),
        ("delete from audit where id = 1", 1),
        ("delete from audit where id = 10", 10),
        ("delete from audit where id > 2", 3),
        ("delete from audit", 1),
        ("update audit set id = case id when 4 then 104 when 5 then 4 else id end where id in (4, 5)", 4),
        ("update audit_head set last_id = 5", 5),
        ("update audit_head set last_id = 5, hash = (select hash from audit where id = 5)", 6),
        ("update audit_head set last_id = 20", 11),
        ("delete from audit_head", 1),
    ],
)
async def test_tampering_is_found_where_it_begins(audit, db, tampering, broken):
    await fill(audit, 10)
    assert await audit.verify() is None
    await execute(db, tampering)
    assert await audit.verify() == broken
    assert (await audit.inspect()).checked < 10 or broken == 11


async def test_swapped_rows_are_found(audit, db):
    await fill(audit, 5)
    for statement in ("id = 99 where id = 2", "id = 2 where id = 3", "id = 3 where id = 99"):
        await execute(db, f"update audit set {statement}")
    assert await audit.verify() == 2


async def test_without_its_end_the_log_takes_nothing_more(audit, db):
    await fill(audit, 2)
    await execute(db, "delete from audit_head")
    with pytest.raises(Corrupt) as caught:
        await audit.record("a", "b.c", "d")
    assert caught.value.code == "audit_head_missing"


async def test_hostile_text_is_stored_and_secrets_are_masked(audit):
    await audit.record(
        "a\0\ud800",
        "job.create",
        "https://u:hunter2@h/" + "x" * 9999,
        {"urls": ["https://u:hunter2@h/"], "more": {"url": "ftp://u:hunter2@h/"}},
    )
    await audit.record("a", "b.c", "文", {"x": ["\0", "\ud800", 1.5, None], "y": {"z": object}})
    second, first = (await audit.list()).items
    assert "hunter2" not in first.target + first.detail
    assert len(first.target) == 500
    assert second.target == "文"
    assert await audit.verify() is None


async def test_every_deed_is_recorded_with_who_and_how(accounts, audit):
    await accounts.ensure_admin()
    await accounts.create_user("anna", PASSWORD, Role.MEMBER, actor=ROOT)
    await accounts.set_role("anna", Role.ADMIN, actor=ROOT)
    _, secret = await accounts.login("anna", PASSWORD, "10.0.0.1")
    anna, _ = await accounts.principal_of_session(secret)
    token, key = await accounts.create_token("anna", "ci", ["users:write"], actor=anna)
    machine = await accounts.principal_of_token(key)
    await accounts.disable("admin", actor=machine)
    await accounts.enable("admin", actor=machine)
    await accounts.revoke_token(token.id, actor=anna)
    await accounts.change_password(PASSWORD, "another password", actor=anna, client="10.0.0.1")
    await accounts.delete_user("admin", actor=anna)
    for name in ("anna", "my secret password"):
        with pytest.raises(Denied):
            await accounts.login(name, "wrong password", "10.0.0.9")
    rows = list(reversed((await audit.list()).items))
    assert [(row.actor, row.via, row.action, row.target) for row in rows] == [
        ("system", "system", "user.create", "admin"),
        ("root", "local", "user.create", "anna"),
        ("root", "local", "user.role", "anna"),
        ("anna", "session", "login.ok", "anna"),
        ("anna", "session", "token.create", "anna"),
        ("anna", "token:ci", "user.disable", "admin"),
        ("anna", "token:ci", "user.enable", "admin"),
        ("anna", "session", "token.revoke", "anna"),
        ("anna", "session", "user.password", "anna"),
        ("anna", "session", "user.delete", "admin"),
        ("anonymous", "system", "login.fail", "anna"),
        ("anonymous", "system", "login.fail", "(unknown)"),
    ]
    assert json.loads(rows[2].detail) == {"from": "member", "to": "admin"}
    assert json.loads(rows[-1].detail) == {"client": "10.0.0.9"}
    assert "secret" not in str(rows)
    assert await audit.verify() is None


async def test_what_was_refused_leaves_neither_deed_nor_record(accounts, audit):
    await accounts.create_user("boss", PASSWORD, Role.ADMIN, actor=ROOT)
    with pytest.raises(Conflict):
        await accounts.delete_user("boss", actor=ROOT)
    assert len((await audit.list()).items) == 1


async def test_a_change_that_fails_after_its_record_takes_the_record_back(audit, db, clock):
    def fail(records):
        audit.append(records, "anna", "job.cancel", "x")
        raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        await audit._store.change(fail)
    assert (await audit.list()).items == ()
    await Audit(db, clock).record("a", "b.c", "d")
    assert await audit.verify() is None

"""Every kind of tampering with the audit chain is found where it begins."""

from dataclasses import replace

import pytest

from ferryman.accounts.chain import GENESIS, AuditRow, Head, canonical, clean, first_broken, linked, row_hash

START = Head(0, GENESIS)


def chain(count):
    rows: list[AuditRow] = []
    head = START
    for n in range(count):
        row = linked(
            head,
            at=1000.5 + n,
            actor="anna",
            via="session",
            action="user.create",
            target=f"u{n}",
            detail="{}",
        )
        rows.append(row)
        head = Head(row.id, row.hash)
    return rows


def test_an_untouched_chain_is_whole():
    rows = chain(20)
    assert first_broken(rows, START) == (Head(20, rows[-1].hash), None)
    assert first_broken(rows[10:], Head(10, rows[9].hash))[1] is None
    assert first_broken([], START) == (START, None)


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "eve"}, {"via": "token:x"}, {"action": "user.delete"}, {"target": "u9"}, {"detail": '{"a":1}'},
        {"at": 1.0}, {"prev": GENESIS}, {"hash": "f" * 64}, {"id": 99},
    ],
)  # fmt: skip
def test_any_changed_column_is_found(change):
    rows = chain(10)
    rows[4] = replace(rows[4], **change)
    head, broken = first_broken(rows, START)
    assert broken == 5
    assert head == Head(4, rows[3].hash)


def test_a_changed_row_with_a_new_hash_breaks_the_next_one():
    rows = chain(10)
    forged = replace(rows[4], actor="eve")
    rows[4] = replace(forged, hash=row_hash(forged))
    assert first_broken(rows, START)[1] == 6


def test_removed_and_swapped_rows_are_found():
    rows = chain(10)
    assert first_broken(rows[:4] + rows[5:], START)[1] == 5
    assert first_broken(rows[1:], START)[1] == 1
    swapped = [*rows[:4], replace(rows[5], id=5), replace(rows[4], id=6), *rows[6:]]
    assert first_broken(swapped, START)[1] == 5


def test_moving_text_between_columns_changes_the_hash():
    row = chain(1)[0]
    assert row_hash(replace(row, actor="ab", via="c")) != row_hash(replace(row, actor="a", via="bc"))


def test_the_same_content_is_the_same_text():
    assert (
        canonical({"b": 1, "a": [1, "ü\0"]})
        == canonical({"a": [1, "ü\0"], "b": 1})
        == '{"a":[1,"\\u00fc\\u0000"],"b":1}'
    )
    assert canonical({"x": object}).isascii()


def test_text_is_stored_as_every_database_gives_it_back():
    assert clean("a\0b\ud800") == "a\ufffdb?"
    assert len(clean("x" * 10_000)) == 500
    row = linked(START, at=1.0, actor="a\0", via="v", action="a", target="\udfff" * 600, detail="{}")
    assert row.actor == "a\ufffd"
    assert first_broken([row], START)[1] is None

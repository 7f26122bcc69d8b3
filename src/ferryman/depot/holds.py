"""Holds: what a running job or an upload is about to reference stays, for as long as the hold lives."""

from collections.abc import Iterable
from typing import Self

from sqlalchemy import Connection, delete, func, insert, select, update

from ferryman.core.clock import Clock
from ferryman.core.digests import Digest
from ferryman.core.errors import Conflict, Invalid
from ferryman.db import Database
from ferryman.depot import content
from ferryman.depot.tables import HELD, HOLDS, put, share

MOST_HOLDER = 200
LONGEST = 30 * 86_400.0
"""Seconds a hold lives at most without being renewed."""


class Hold:
    """Keeps content from the sweep; a context manager that releases at the end. Thread-safe, blocks."""

    def __init__(self, database: Database, clock: Clock, holder: str, epoch: int, lifetime_s: float) -> None:
        """Made by `begin`."""
        self._db = database
        self._clock = clock
        self.holder = holder
        self._epoch = epoch
        self._lifetime_s = lifetime_s

    def keep(self, digests: Iterable[Digest]) -> set[Digest]:
        """Hold all of `digests`, there or not yet, in one transaction; return those whose content is there.

        What a held manifest names is kept as well. Raises `Conflict` (`hold_lost`) when another process took it over.
        """
        wanted = {str(digest): digest for digest in digests}

        def work(connection: Connection) -> set[str]:
            share(connection)
            self._demand(connection)
            put(connection, HELD, [{"holder": self.holder, "digest": text} for text in wanted])
            return content.there(connection, list(wanted))

        return {wanted[text] for text in self._db.write_now(work)}

    def renew(self, lifetime_s: float | None = None) -> None:
        """Let it live for `lifetime_s` (as at the beginning) from now on. Raises `Conflict` (`hold_lost`)."""
        until = self._clock.now() + checked_lifetime(lifetime_s or self._lifetime_s)

        def work(connection: Connection) -> None:
            share(connection)
            self._demand(connection)
            connection.execute(update(HOLDS).where(HOLDS.c.holder == self.holder).values(expires_at=until))

        self._db.write_now(work)

    def release(self) -> None:
        """End it. Idempotent; nothing happens when another process took it over."""

        def work(connection: Connection) -> None:
            if _epoch(connection, self.holder) == self._epoch:
                forget(connection, [self.holder])

        self._db.write_now(work)

    def _demand(self, connection: Connection) -> None:
        if _epoch(connection, self.holder) != self._epoch:
            raise Conflict(
                "hold_lost",
                f"The hold '{self.holder}' ended, or another process has it now.",
                advice="Begin it again, and fetch what is missing by then.",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def begin(database: Database, clock: Clock, holder: str, lifetime_s: float) -> Hold:
    """Begin a hold, or take over that of the same name with all it holds. Raises `Invalid` (`hold_invalid`)."""
    if not 0 < len(holder) <= MOST_HOLDER or not holder.isprintable():
        raise Invalid(
            "hold_invalid",
            f"{holder[:80]!r} cannot name a hold.",
            advice=f"Write 1 to {MOST_HOLDER} printable characters.",
        )
    until = clock.now() + checked_lifetime(lifetime_s)

    def work(connection: Connection) -> int:
        share(connection)
        known = connection.execute(
            update(HOLDS)
            .where(HOLDS.c.holder == holder)
            .values(epoch=HOLDS.c.epoch + 1, expires_at=until)
            .returning(HOLDS.c.epoch)
        ).scalar()
        if known is None:
            connection.execute(insert(HOLDS).values(holder=holder, epoch=1, expires_at=until))
        return known or 1

    return Hold(database, clock, holder, database.write_now(work), lifetime_s)


def checked_lifetime(seconds: float) -> float:
    """Return `seconds` when a hold may live as long. Raises `Invalid` (`hold_invalid`)."""
    if not 0 < seconds <= LONGEST:
        raise Invalid(
            "hold_invalid",
            f"A hold cannot live for {seconds:g} seconds.",
            advice=f"Give more than 0 and at most {LONGEST:.0f}, and renew it.",
        )
    return seconds


def forget(connection: Connection, holders: list[str]) -> None:
    """Delete holds and what they hold."""
    for holder in holders:
        connection.execute(delete(HELD).where(HELD.c.holder == holder))
        connection.execute(delete(HOLDS).where(HOLDS.c.holder == holder))


def forget_expired(connection: Connection, now: float) -> None:
    """Delete holds whose lifetime is over, and what was held by none."""
    forget(
        connection,
        list(connection.execute(select(HOLDS.c.holder).where(HOLDS.c.expires_at <= now)).scalars()),
    )
    connection.execute(delete(HELD).where(HELD.c.holder.not_in(select(HOLDS.c.holder))))


def living(connection: Connection, now: float) -> set[str]:
    """Return the names of holds that live."""
    return set(connection.execute(select(HOLDS.c.holder).where(HOLDS.c.expires_at > now)).scalars())


def held(connection: Connection) -> set[str]:
    """Return every digest that a living hold holds."""
    return set(connection.execute(select(HELD.c.digest).distinct()).scalars())


def _epoch(connection: Connection, holder: str) -> int:
    return int(
        connection.execute(
            select(func.coalesce(func.max(HOLDS.c.epoch), 0)).where(HOLDS.c.holder == holder)
        ).scalar_one()
    )

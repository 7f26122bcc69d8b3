"""Accounts and the audit log in the database: statements, and the lock that puts changes in one order."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from ferryman.accounts.chain import GENESIS, AuditRow, Head, clean
from ferryman.accounts.model import Role, Session, Token, User
from ferryman.core.errors import Corrupt
from ferryman.db import Database

T = TypeVar("T")

_META = MetaData()
_USERS = Table(
    "users",
    _META,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("temporary_password", Boolean, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("last_login_at", Float(53)),
)
_TOKENS = Table(
    "tokens",
    _META,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), nullable=False),
    Column("name", String(100), nullable=False),
    Column("hint", String(16), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53)),
    Column("last_used_at", Float(53)),
)
_SESSIONS = Table(
    "sessions",
    _META,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("client", String(128), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    Column("seen_at", Float(53), nullable=False),
)
_AUDIT = Table(
    "audit",
    _META,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Float(53), nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("prev", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
_HEAD = Table(
    "audit_head",
    _META,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_id", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)


class Records:
    """Statements within one transaction. Lives only as long as the function it is handed to."""

    def __init__(self, conn: Connection) -> None:
        """Use the open transaction of `conn`."""
        self._conn = conn

    # Users

    def add_user(self, user: User, password_hash: str) -> None:
        """Insert a user whose name is free."""
        values = {
            "id": user.id,
            "name": user.name,
            "role": str(user.role),
            "password_hash": password_hash,
            "temporary_password": user.temporary_password,
            "disabled": user.disabled,
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "last_login_at": user.last_login_at,
        }
        self._conn.execute(insert(_USERS).values(values))

    def user(self, id_or_name: str) -> User | None:
        """Find a user by id or name; the two cannot be confused, because no name has the form of an id."""
        wanted = clean(id_or_name)
        row = self._conn.execute(
            select(_USERS).where((_USERS.c.id == wanted) | (_USERS.c.name == wanted))
        ).first()
        return _user(row) if row else None

    def credentials(self, name: str) -> tuple[User, str] | None:
        """Find a user by name, with the password hash."""
        row = self._conn.execute(select(_USERS).where(_USERS.c.name == clean(name))).first()
        return (_user(row), row.password_hash) if row else None

    def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        return tuple(_user(row) for row in self._conn.execute(select(_USERS).order_by(_USERS.c.name)))

    def count_users(self) -> int:
        """Count all users."""
        return self._conn.execute(select(func.count()).select_from(_USERS)).scalar_one()

    def other_admins(self, user_id: str) -> int:
        """Count admins who can sign in, without `user_id`."""
        return self._conn.execute(
            select(func.count())
            .select_from(_USERS)
            .where(_USERS.c.role == str(Role.ADMIN), _USERS.c.disabled.is_(False), _USERS.c.id != user_id)
        ).scalar_one()

    def change_user(self, user_id: str, **values: Any) -> None:
        """Update columns of a user."""
        self._conn.execute(update(_USERS).where(_USERS.c.id == user_id).values(values))

    def remove_user(self, user_id: str) -> None:
        """Delete a user with all tokens and sessions."""
        self.end_sessions(user_id)
        self._conn.execute(delete(_TOKENS).where(_TOKENS.c.user_id == user_id))
        self._conn.execute(delete(_USERS).where(_USERS.c.id == user_id))

    # Tokens

    def add_token(self, token: Token, secret_hash: str) -> None:
        """Insert a token."""
        values = {
            "id": token.id,
            "user_id": token.user_id,
            "name": token.name,
            "hint": token.hint,
            "secret_hash": secret_hash,
            "scopes": json.dumps(sorted(token.scopes)),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": None,
        }
        self._conn.execute(insert(_TOKENS).values(values))

    def tokens(self, user_id: str | None = None) -> tuple[Token, ...]:
        """Return tokens, the newest first; of one user, or of all."""
        query = _TOKENS_WITH_USER.order_by(_TOKENS.c.created_at.desc(), _TOKENS.c.id.desc())
        if user_id is not None:
            query = query.where(_TOKENS.c.user_id == user_id)
        return tuple(_token(row) for row in self._conn.execute(query))

    def token(self, token_id: str) -> Token | None:
        """Find a token by id."""
        row = self._conn.execute(_TOKENS_WITH_USER.where(_TOKENS.c.id == clean(token_id))).first()
        return _token(row) if row else None

    def token_by_secret(self, secret_hash: str) -> tuple[Token, User] | None:
        """Find a token by the hash of its secret, with its user."""
        row = self._conn.execute(_TOKENS_WITH_USER.where(_TOKENS.c.secret_hash == secret_hash)).first()
        if not row:
            return None
        user = self.user(row.user_id)
        return (_token(row), user) if user else None

    def touch_token(self, token_id: str, now: float) -> None:
        """Note that a token was used."""
        self._conn.execute(update(_TOKENS).where(_TOKENS.c.id == token_id).values(last_used_at=now))

    def remove_token(self, token_id: str) -> None:
        """Delete a token."""
        self._conn.execute(delete(_TOKENS).where(_TOKENS.c.id == token_id))

    # Sessions

    def add_session(self, session: Session, secret_hash: str, keep: int) -> None:
        """Insert a session; drop expired ones, and the oldest of this user beyond `keep`."""
        self._conn.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_at <= session.created_at))
        values = {
            "id": session.id,
            "user_id": session.user_id,
            "secret_hash": secret_hash,
            "client": session.client,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "seen_at": session.seen_at,
        }
        self._conn.execute(insert(_SESSIONS).values(values))
        newest = (
            select(_SESSIONS.c.id)
            .where(_SESSIONS.c.user_id == session.user_id)
            .order_by(_SESSIONS.c.created_at.desc(), _SESSIONS.c.id.desc())
            .limit(keep)
        )
        kept = [row.id for row in self._conn.execute(newest)]
        self._conn.execute(
            delete(_SESSIONS).where(_SESSIONS.c.user_id == session.user_id, _SESSIONS.c.id.not_in(kept))
        )

    def session_by_secret(self, secret_hash: str, csrf: str) -> tuple[Session, User] | None:
        """Find a session by the hash of its secret, with its user; `csrf` is what the secret stands for."""
        row = self._conn.execute(select(_SESSIONS).where(_SESSIONS.c.secret_hash == secret_hash)).first()
        if not row:
            return None
        user = self.user(row.user_id)
        session = Session(row.id, row.user_id, csrf, row.client, row.created_at, row.expires_at, row.seen_at)
        return (session, user) if user else None

    def touch_session(self, session_id: str, now: float) -> None:
        """Note that a session was used."""
        self._conn.execute(update(_SESSIONS).where(_SESSIONS.c.id == session_id).values(seen_at=now))

    def end_session(self, secret_hash: str) -> None:
        """Delete the session with this secret hash, if there is one."""
        self._conn.execute(delete(_SESSIONS).where(_SESSIONS.c.secret_hash == secret_hash))

    def end_sessions(self, user_id: str) -> int:
        """Delete all sessions of a user; return how many there were."""
        return self._conn.execute(delete(_SESSIONS).where(_SESSIONS.c.user_id == user_id)).rowcount

    # Audit

    def head(self, *, lock: bool = False) -> Head:
        """Return the end of the audit chain; with `lock`, nobody else can move it before this transaction ends.

        With `lock`, raises `Corrupt` (`audit_head_missing`) when the end was removed.
        """
        query = select(_HEAD).where(_HEAD.c.id == 1)
        row = self._conn.execute(query.with_for_update() if lock else query).first()
        if row is None and lock:
            raise Corrupt(
                "audit_head_missing",
                "The end of the audit log was removed from the database.",
                advice="Restore the database from a backup; without its audit log no account can be changed.",
            )
        return Head(row.last_id, row.hash) if row else Head(0, GENESIS)

    def append_audit(self, row: AuditRow) -> None:
        """Insert the row that follows the head, and move the head. The head must be locked."""
        values = {name: getattr(row, name) for name in AuditRow.__slots__}
        self._conn.execute(insert(_AUDIT).values(values))
        self._conn.execute(update(_HEAD).where(_HEAD.c.id == 1).values(last_id=row.id, hash=row.hash))

    def audit_after(self, last_id: int, up_to: int, limit: int) -> list[AuditRow]:
        """Return audit rows with ids above `last_id` up to `up_to`, ascending."""
        query = select(_AUDIT).where(_AUDIT.c.id > last_id, _AUDIT.c.id <= up_to)
        return [_audit(row) for row in self._conn.execute(query.order_by(_AUDIT.c.id).limit(limit))]

    def audit_page(
        self,
        *,
        actor: str,
        action: str,
        target: str,
        since: float | None,
        until: float | None,
        before: int | None,
        limit: int,
    ) -> list[AuditRow]:
        """Return audit rows, the newest first. `action` also matches what begins with `action.`; empty matches all."""
        query = select(_AUDIT)
        if actor:
            query = query.where(_AUDIT.c.actor == clean(actor))
        if action:
            action = clean(action)
            query = query.where(
                (_AUDIT.c.action == action) | _AUDIT.c.action.startswith(f"{action}.", autoescape=True)
            )
        if target:
            query = query.where(_AUDIT.c.target == clean(target))
        if since is not None:
            query = query.where(_AUDIT.c.at >= since)
        if until is not None:
            query = query.where(_AUDIT.c.at < until)
        if before is not None:
            query = query.where(_AUDIT.c.id < before)
        return [_audit(row) for row in self._conn.execute(query.order_by(_AUDIT.c.id.desc()).limit(limit))]


class AccountStore:
    """Runs functions on `Records`, each in one transaction in a database thread."""

    def __init__(self, db: Database) -> None:
        """Keep the tables of accounts in `db`."""
        self._db = db
        self.changes = db.changes("accounts")

    async def read(self, work: Callable[[Records], T]) -> T:
        """Run `work`, which only reads."""
        return await self._db.read(lambda conn: work(Records(conn)))

    async def change(self, work: Callable[[Records], T], *, revokes: bool = False) -> T:
        """Run `work` after all other changes: what it reads is still true when it writes, on every database.

        What `revokes` rights or passwords is counted in `changes`: whoever remembers somebody looks again.

        SQLite has one writer anyway; elsewhere the row of the audit head is the lock, taken first, so that
        two changes never wait for each other.
        """

        def locked(conn: Connection) -> T:
            records = Records(conn)
            records.head(lock=True)
            return work(records)

        return await self._db.write(locked, changes=self.changes if revokes else None)

    async def note(self, work: Callable[[Records], T]) -> T:
        """Run `work`, whose writes need no order, such as when a token was last used."""
        return await self._db.write(lambda conn: work(Records(conn)))


_TOKENS_WITH_USER = select(_TOKENS, _USERS.c.name.label("user_name")).join(
    _USERS, _USERS.c.id == _TOKENS.c.user_id
)


def _user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.name,
        Role(row.role),
        bool(row.disabled),
        bool(row.temporary_password),
        row.created_at,
        row.updated_at,
        row.last_login_at,
    )


def _token(row: Row[Any]) -> Token:
    return Token(
        row.id,
        row.user_id,
        row.user_name,
        row.name,
        row.hint,
        frozenset(json.loads(row.scopes)),
        row.created_at,
        row.expires_at,
        row.last_used_at,
    )


def _audit(row: Row[Any]) -> AuditRow:
    return AuditRow(*(getattr(row, name) for name in AuditRow.__slots__))

"""Accounts: users and their passwords, sign-in and sessions, API tokens. What every other room uses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ferryman.accounts import model
from ferryman.accounts.audit import Audit
from ferryman.accounts.model import ROLE_SCOPES, Principal, Proof, Role, Session, Token, User
from ferryman.accounts.passwords import (
    TOKEN_PREFIX,
    Passwords,
    csrf_of,
    fingerprint,
    new_password,
    new_session_secret,
    new_token,
)
from ferryman.accounts.sql import AccountStore, Records
from ferryman.accounts.throttle import Throttle
from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, Denied, Invalid, NotFound
from ferryman.core.ids import new_id
from ferryman.db import Database

_YEAR_10000: Final = 253_402_300_800.0


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """Seconds a session lives at most, and at most unused; how often its use is noted; sessions kept per user."""

    lifetime: float = 12 * 3600.0
    idle: float = 4 * 3600.0
    touch: float = 60.0
    keep: int = 100


class Accounts:
    """Users, sign-in, sessions and tokens. One per process and event loop; several processes share the database.

    Every change needs an `actor` who may make it and is written to the audit log in the same transaction.
    A `user` argument is an id or a name. Secrets are returned once and stored only as hashes.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        audit: Audit | None = None,
        *,
        passwords: Passwords | None = None,
        throttle: Throttle | None = None,
        sessions: Callable[[], SessionPolicy] = SessionPolicy,
    ) -> None:
        """Keep accounts in `db`; parts not given are made with their defaults. `sessions` is asked each time."""
        self._store = AccountStore(db)
        self._clock = clock
        self._audit = audit or Audit(db, clock)
        self._passwords = passwords or Passwords()
        self._throttle = throttle or Throttle(clock)
        self._sessions = sessions
        self.generation = self._store.changes.now
        """Returns a number that is another one after every change that takes rights away, by whatever process.

        None when nothing that is remembered may be believed. Very cheap: for every request.
        """

    # Users

    async def ensure_admin(self) -> str | None:
        """Create the user `admin` with a random password when there is no user at all, and return that password.

        Returns None when somebody exists. Of several processes that try at once, exactly one gets a password.
        """
        if await self._store.read(lambda records: records.count_users()):
            return None
        password = new_password()
        encoded = await self._passwords.hash(password)
        admin = self._new_user("admin", Role.ADMIN, temporary=True)

        def create(records: Records) -> bool:
            if records.count_users():
                return False
            records.add_user(admin, encoded)
            self._audit.append(
                records, model.system_principal(), "user.create", admin.name, {"role": admin.role}
            )
            return True

        return password if await self._store.change(create) else None

    async def create_user(
        self, name: str, password: str, role: Role, *, actor: Principal, temporary: bool = False
    ) -> User:
        """Create a user. Raises `Invalid` (`user_name`, `user_password`) and `Conflict` (`user_exists`)."""
        actor.require("users:write")
        user = self._new_user(model.check_user_name(name), role, temporary=temporary)
        encoded = await self._passwords.hash(model.check_password(password, name))

        def create(records: Records) -> User:
            if records.user(name):
                raise Conflict(
                    "user_exists",
                    f"There is already a user '{name}'.",
                    advice="Choose another name, or change the role or password of this user.",
                )
            records.add_user(user, encoded)
            self._audit.append(records, actor, "user.create", name, {"role": role})
            return user

        return await self._store.change(create)

    async def users(self) -> tuple[User, ...]:
        """Return all users by name."""
        return await self._store.read(lambda records: records.users())

    async def user(self, user: str) -> User:
        """Find a user. Raises `NotFound` (`user_not_found`)."""
        return await self._store.read(lambda records: _found(records, user))

    async def set_role(self, user: str, role: Role, *, actor: Principal) -> User:
        """Give a user another role, effective at once. Raises `NotFound`, `Conflict` (`last_admin`)."""
        actor.require("users:write")

        def change(records: Records) -> User:
            before = _found(records, user)
            if role is not Role.ADMIN:
                _keep_an_admin(records, before, "demoted")
            after = replace(before, role=role, updated_at=self._clock.now())
            records.change_user(before.id, role=str(role), updated_at=after.updated_at)
            self._audit.append(records, actor, "user.role", before.name, {"from": before.role, "to": role})
            return after

        return await self._store.change(change, revokes=True)

    async def set_password(
        self, user: str, password: str, *, actor: Principal, temporary: bool = False
    ) -> User:
        """Set a user's password and end all their sessions. Raises `NotFound`, `Invalid` (`user_password`)."""
        actor.require("users:write")
        target = await self.user(user)
        encoded = await self._passwords.hash(model.check_password(password, target.name))
        return await self._store.change(
            lambda records: self._replace_password(records, target.id, encoded, actor, temporary=temporary),
            revokes=True,
        )

    async def change_password(self, current: str, new: str, *, actor: Principal, client: str) -> User:
        """Change the actor's own password and end all their sessions.

        Guessing `current` is throttled as signing in is. Raises `Denied` (`password_wrong`, `session_needed`),
        `Invalid` (`user_password`) and `Unavailable` (`login_throttled`).
        """
        if actor.user_id is None or actor.via != "session":
            raise Denied(
                "session_needed",
                "Only somebody who signed in with a password can change it this way.",
                advice="Sign in to the console, or let an admin set the password.",
            )
        model.check_password(new, actor.name)
        self._throttle.admit(actor.name, client)
        known = await self._store.read(lambda records: records.credentials(actor.name))
        if not await self._passwords.verify(known[1] if known else None, current) or known is None:
            raise Denied(
                "password_wrong",
                "The current password is wrong.",
                advice="Type the password you signed in with.",
            )
        self._throttle.succeeded(actor.name, client)
        encoded = await self._passwords.hash(new)
        user_id = known[0].id
        return await self._store.change(
            lambda records: self._replace_password(records, user_id, encoded, actor, temporary=False),
            revokes=True,
        )

    async def disable(self, user: str, *, actor: Principal) -> User:
        """Refuse all sign-ins and tokens of a user and end their sessions. Raises `NotFound`, `Conflict` (`last_admin`)."""
        return await self._set_disabled(user, actor, disabled=True)

    async def enable(self, user: str, *, actor: Principal) -> User:
        """Undo `disable`; tokens work again, sessions stay ended. Raises `NotFound`."""
        return await self._set_disabled(user, actor, disabled=False)

    async def delete_user(self, user: str, *, actor: Principal) -> None:
        """Delete a user with all tokens and sessions. Raises `NotFound`, `Conflict` (`last_admin`)."""
        actor.require("users:write")

        def delete(records: Records) -> None:
            found = _found(records, user)
            _keep_an_admin(records, found, "removed")
            records.remove_user(found.id)
            self._audit.append(records, actor, "user.delete", found.name, {"role": found.role})

        await self._store.change(delete, revokes=True)

    # Signing in

    async def login(self, name: str, password: str, client: str) -> tuple[Session, str]:
        """Sign in; return the session and its secret for the cookie. `client` is the address of the browser.

        Raises `Denied` (`login_failed`), the same and after the same time for a wrong password, an unknown name and
        a disabled user, and `Unavailable` (`login_throttled`) with `retry_after` after several failures.
        """
        user, encoded = await self._verified(name, password, client)
        fresh = await self._passwords.hash(password) if self._passwords.outdated(encoded) else None
        return await self._open_session(user, client, encoded, fresh)

    async def principal_of_password(self, name: str, password: str, client: str) -> Principal:
        """Return who these stand for, without a session: what programs send. Raises as `login` does."""
        user, encoded = await self._verified(name, password, client)
        return _by_password(user, encoded)

    async def _verified(self, name: str, password: str, client: str) -> tuple[User, str]:
        name = name.strip().lower()
        self._throttle.admit(name, client)
        known = await self._store.read(lambda records: records.credentials(name[:128]))
        right = await self._passwords.verify(known[1] if known else None, password[: model.MAX_PASSWORD + 1])
        if not right or known is None or known[0].disabled:
            # A name nobody has may be a password typed into the wrong field: it is not kept.
            target = known[0].name if known else "(unknown)"
            await self._audit.record("anonymous", "login.fail", target, {"client": client[:64]})
            raise Denied(
                "login_failed",
                "The name or the password is wrong.",
                advice="Check both, or ask an admin to set a new password.",
            )
        self._throttle.succeeded(name, client)
        return known

    async def logout(self, secret: str) -> None:
        """End the session with this secret; nothing happens when there is none."""
        await self._store.note(lambda records: records.end_session(fingerprint(secret)))

    async def principal_of_session(self, secret: str) -> tuple[Principal, str] | None:
        """Return who signed in with this session, and its CSRF token; None when it is unknown or over."""
        hashed, now = fingerprint(secret), self._clock.now()
        found = await self._store.read(lambda records: records.session_by_secret(hashed, csrf_of(secret)))
        if not found:
            return None
        (session, user), policy = found, self._sessions()
        if user.disabled or now >= session.expires_at or now - session.seen_at >= policy.idle:
            return None
        if now - session.seen_at >= policy.touch:
            await self._store.note(lambda records: records.touch_session(session.id, now))
        return Principal(user.id, user.name, user.role, ROLE_SCOPES[user.role], "session"), session.csrf

    # Tokens

    async def create_token(
        self,
        user: str,
        name: str,
        scopes: Iterable[str],
        expires_at: float | None = None,
        *,
        actor: Principal,
    ) -> tuple[Token, str]:
        """Create an API token and return it with its secret, which cannot be shown again.

        Users create their own in a session; for others, and with a token, `users:write` is needed.
        Raises `NotFound`, `Invalid` (`token_name`, `token_scopes`, `token_expiry`), `Denied` (`scope_exceeds`).
        """
        name, now = model.check_token_name(name), self._clock.now()
        if expires_at is not None and not now < expires_at < _YEAR_10000:
            raise Invalid(
                "token_expiry",
                f"A token cannot expire at the UNIX time {expires_at:g}.",
                advice="Choose a moment in the future, or none.",
                fields={"expires_at": "is not in the future"},
            )
        secret, wanted = new_token(), tuple(scopes)

        def create(records: Records) -> Token:
            owner = _found(records, user)
            if actor.user_id != owner.id or actor.via != "session":
                actor.require("users:write")
            granted = model.check_scopes(wanted, actor, owner.role)
            hint = secret[: len(TOKEN_PREFIX) + 4]
            token = Token(new_id(now), owner.id, owner.name, name, hint, granted, now, expires_at, None)
            records.add_token(token, fingerprint(secret))
            detail = {"name": name, "scopes": sorted(granted), "expires_at": expires_at, "id": token.id}
            self._audit.append(records, actor, "token.create", owner.name, detail)
            return token

        return await self._store.change(create), secret

    async def tokens(self, user: str | None = None) -> tuple[Token, ...]:
        """Return the tokens of a user, or of all, the newest first. Raises `NotFound`."""
        return await self._store.read(
            lambda records: records.tokens(None if user is None else _found(records, user).id)
        )

    async def revoke_token(self, token_id: str, *, actor: Principal) -> None:
        """Delete a token, one's own or with `users:write` any. Raises `NotFound` (`token_not_found`)."""

        def revoke(records: Records) -> None:
            token = records.token(token_id)
            if token is None or not (token.user_id == actor.user_id or actor.allows("users:write")):
                raise NotFound(
                    "token_not_found",
                    f"There is no token '{token_id[:80]}'.",
                    advice="List the tokens with 'ferry tokens list'.",
                )
            records.remove_token(token.id)
            detail = {"name": token.name, "id": token.id}
            self._audit.append(records, actor, "token.revoke", token.user_name, detail)

        await self._store.change(revoke, revokes=True)

    async def principal_of_token(self, secret: str) -> Principal | None:
        """Return who a token speaks for, with the scopes both the token and its user hold; None when it is not valid."""
        if not secret.startswith(TOKEN_PREFIX):
            return None
        hashed, now = fingerprint(secret), self._clock.now()
        found = await self._store.read(lambda records: records.token_by_secret(hashed))
        if not found:
            return None
        token, user = found
        if user.disabled or (token.expires_at is not None and now >= token.expires_at):
            return None
        if token.last_used_at is None or now - token.last_used_at >= self._sessions().touch:
            await self._store.note(lambda records: records.touch_token(token.id, now))
        return _by_token(user, token)

    # Looking again

    async def again(self, principal: Principal) -> Principal | None:
        """Return who `principal` is now, with role and scopes of this moment.

        None when the user is gone or disabled, or when what they showed holds no more: another password, a token that was
        revoked or expired. Whoever holds the home folder stays who they are.
        """
        user_id, proof = principal.user_id, principal.proof
        if user_id is None:
            return principal
        if proof is None:
            return None
        return await self._store.read(lambda records: _again(records, user_id, proof, self._clock.now()))

    # Inside

    def _new_user(self, name: str, role: Role, *, temporary: bool) -> User:
        now = self._clock.now()
        return User(new_id(now), name, role, False, temporary, now, now, None)

    async def _open_session(
        self, user: User, client: str, checked: str, fresh: str | None
    ) -> tuple[Session, str]:
        """Store a session, unless the user was disabled or given another password since it was checked."""
        secret, now = new_session_secret(), self._clock.now()
        session = Session(
            new_id(now), user.id, csrf_of(secret), client[:128], now, now + self._sessions().lifetime, now
        )

        def open_session(records: Records) -> None:
            known = records.credentials(user.name)
            if known is None or known[0].disabled or known[1] != checked:
                raise Denied(
                    "login_failed", "The account changed while you signed in.", advice="Sign in again."
                )
            records.add_session(session, fingerprint(secret), self._sessions().keep)
            records.change_user(user.id, last_login_at=now)
            if fresh:
                records.change_user(user.id, password_hash=fresh)
            self._audit.append(
                records,
                Principal(user.id, user.name, user.role, frozenset(), "session"),
                "login.ok",
                user.name,
                {"client": client[:64]},
            )

        await self._store.change(open_session)
        return session, secret

    def _replace_password(
        self, records: Records, user_id: str, encoded: str, actor: Principal, *, temporary: bool
    ) -> User:
        user = replace(_found(records, user_id), temporary_password=temporary, updated_at=self._clock.now())
        records.change_user(
            user.id, password_hash=encoded, temporary_password=temporary, updated_at=user.updated_at
        )
        ended = records.end_sessions(user.id)
        self._audit.append(records, actor, "user.password", user.name, {"sessions_ended": ended})
        return user

    async def _set_disabled(self, user: str, actor: Principal, *, disabled: bool) -> User:
        actor.require("users:write")

        def change(records: Records) -> User:
            before = _found(records, user)
            if disabled:
                _keep_an_admin(records, before, "disabled")
                records.end_sessions(before.id)
            after = replace(before, disabled=disabled, updated_at=self._clock.now())
            records.change_user(before.id, disabled=disabled, updated_at=after.updated_at)
            action = "user.disable" if disabled else "user.enable"
            self._audit.append(records, actor, action, before.name)
            return after

        return await self._store.change(change, revokes=True)


def _by_password(user: User, encoded: str) -> Principal:
    proof = Proof(password=fingerprint(encoded)[:16])
    return Principal(user.id, user.name, user.role, ROLE_SCOPES[user.role], "password", proof)


def _by_token(user: User, token: Token) -> Principal:
    scopes = token.scopes & ROLE_SCOPES[user.role]
    proof = Proof(token=token.id, until=token.expires_at)
    return Principal(user.id, user.name, user.role, scopes, f"token:{token.name}", proof)


def _again(records: Records, user_id: str, proof: Proof, now: float) -> Principal | None:
    user = records.user(user_id)
    if user is None or user.disabled:
        return None
    if proof.token:
        token = records.token(proof.token)
        good = token is not None and (token.expires_at is None or now < token.expires_at)
        return _by_token(user, token) if token and good else None
    known = records.credentials(user.name)
    found = _by_password(*known) if known else None
    return found if found and found.proof == proof else None


def _found(records: Records, user: str) -> User:
    found = records.user(user)
    if found is None:
        raise NotFound(
            "user_not_found",
            f"There is no user '{user[:80]}'.",
            advice="List the users with 'ferry users list'.",
        )
    return found


def _keep_an_admin(records: Records, user: User, deed: str) -> None:
    if user.role is Role.ADMIN and not user.disabled and not records.other_admins(user.id):
        raise Conflict(
            "last_admin",
            f"'{user.name}' is the last admin who can sign in and cannot be {deed}.",
            advice="Make another user an admin first.",
        )

"""Keeps hooks, and makes deliveries of what happened."""

import secrets
from collections.abc import Iterable, Sequence

from ferryman.accounts.model import Principal
from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, FerryError, Invalid, NotFound
from ferryman.core.ids import new_id
from ferryman.core.secrets import SecretBox
from ferryman.downloads.hooks.facts import facts_of, ping
from ferryman.downloads.hooks.model import (
    KIND,
    MOST_HOOKS,
    Delivery,
    Hook,
    HookBody,
    HookEvent,
    HookKept,
    HookKind,
    HookSecrets,
)
from ferryman.downloads.hooks.sql import HookStore
from ferryman.jobs.model import Document, Job, NewJob
from ferryman.jobs.service import Ledger
from ferryman.transfer.source import parse_source

_CONTEXT = "download-hook"


class Hooks:
    """The hooks of this home. Safe to use from many tasks at once."""

    def __init__(self, store: HookStore, ledger: Ledger, clock: Clock, box: SecretBox) -> None:
        """Keep hooks in `store`, seal their secrets with `box`, deliver through `ledger`."""
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._box = box

    async def all(self) -> list[Hook]:
        """Return all hooks by name."""
        return await self._store.all()

    async def get(self, hook_id: str) -> Hook:
        """Return a hook by id or name. Raises `NotFound` (`hook_not_found`)."""
        for hook in await self._store.all():
            if hook_id in {hook.id, hook.kept.name}:
                return hook
        raise _unknown(hook_id)

    async def add(self, body: HookBody) -> tuple[Hook, str]:
        """Keep a new hook; return it with the secret that was made for it, or an empty one.

        Raises `Invalid` (`hook_invalid`), `Conflict` (`hook_exists`, `hooks_full`).
        """
        made = secrets.token_urlsafe(32) if body.kind is HookKind.WEBHOOK and not body.secret else ""
        now = self._clock.now()
        hook = self._hook(new_id(now), body, HookSecrets(url=body.url, secret=body.secret or made), now, now)
        match await self._store.add(hook, MOST_HOOKS):
            case "full":
                raise Conflict("hooks_full", f"There may be {MOST_HOOKS} hooks.", advice="Remove some first.")
            case "name":
                raise _taken(body.name)
        return hook, made

    async def change(self, hook_id: str, body: HookBody) -> Hook:
        """Replace a hook; an empty `url` or `secret` stays as it is. Raises as `add`, and `NotFound`."""
        known = await self.get(hook_id)
        old = self.secrets_of(known)
        new = HookSecrets(url=body.url or old.url, secret=body.secret or old.secret)
        hook = self._hook(known.id, body, new, known.created_at, self._clock.now())
        match await self._store.change(hook):
            case "name":
                raise _taken(body.name)
            case "gone":
                raise _unknown(hook_id)
        return hook

    async def remove(self, hook_id: str) -> None:
        """Delete a hook. Raises `NotFound` (`hook_not_found`)."""
        known = await self.get(hook_id)
        await self._store.remove(known.id)

    def secrets_of(self, hook: Hook) -> HookSecrets:
        """Return the address and the key of a hook. Raises `Corrupt`."""
        return HookSecrets.model_validate_json(self._box.open(hook.sealed, f"{_CONTEXT}:{hook.id}"))

    async def resolve(self, names: Sequence[str], caller: Principal | None = None) -> list[str]:
        """Return the ids of hooks given by id or name. Raises `Invalid` (`hook_unknown`, `hook_denied`).

        A program of an admin is only called for operators: it works on what the caller chose.
        """
        found = {key: hook for hook in await self._store.all() for key in (hook.id, hook.kept.name)}
        for name in names:
            hook = found.get(name)
            if hook is None:
                raise _wrong(
                    "hook_unknown", f"There is no hook '{name[:80]}'.", "See 'ferry downloads hooks list'."
                )
            if caller and hook.kept.kind is HookKind.COMMAND and not caller.allows("jobs:all"):
                raise _wrong(
                    "hook_denied", f"The hook '{name[:80]}' is a command.", "Ask an operator to add this."
                )
        return list(dict.fromkeys(found[name].id for name in names))

    async def always(self) -> list[str]:
        """Return the ids of hooks that hear of every download."""
        return [hook.id for hook in await self._store.all() if hook.kept.always]

    async def announce(
        self, job: Job, event: HookEvent, result: Document | None, wanted: Iterable[str]
    ) -> list[str]:
        """Make a delivery for each hook that is to hear of it, once for each; return their names."""
        ids = set(wanted)
        hooks = [
            hook
            for hook in await self._store.all()
            if hook.id in ids and hook.kept.enabled and event.value in hook.kept.events
        ]
        facts = facts_of(job, result)
        when = f"failed {job.finished_at}" if result is None else "succeeded"
        await self._ledger.submit_many(
            [
                self._delivery(
                    hook, Delivery(hook=hook.id, event=event, facts=facts), job.title,
                    owner=job.owner, parent=job.id, key=f"hook/{job.id}/{when}/{hook.id}",
                )
                for hook in hooks
            ]
        )  # fmt: skip
        return [hook.kept.name for hook in hooks]

    async def test(self, hook_id: str, caller: Principal) -> Job:
        """Make a delivery that only says hello. Raises `NotFound` (`hook_not_found`)."""
        hook = await self.get(hook_id)
        delivery = Delivery(hook=hook.id, event=HookEvent.PING, facts=ping())
        new = self._delivery(hook, delivery, "test", owner=caller.user_id)
        return await self._ledger.submit(new)

    def _delivery(
        self,
        hook: Hook,
        delivery: Delivery,
        about: str,
        *,
        owner: str | None,
        parent: str | None = None,
        key: str | None = None,
    ) -> NewJob:
        return NewJob(
            kind=KIND,
            title=f"{hook.kept.name}: {about}"[:300],
            spec=delivery.model_dump(mode="json"),
            priority=2,
            owner=owner,
            parent=parent,
            idempotency_key=key,
            same=lambda _earlier: True,
            max_attempts=1 if delivery.event is HookEvent.PING else hook.kept.attempts,
        )

    def _hook(self, hook_id: str, body: HookBody, secret: HookSecrets, created: float, now: float) -> Hook:
        host = check_hook(body, secret.url)
        kept = HookKept(host=host, **body.model_dump(exclude={"url", "secret"}))
        if body.kind is HookKind.COMMAND:
            secret = HookSecrets()
        sealed = self._box.seal(secret.model_dump_json(), f"{_CONTEXT}:{hook_id}")
        return Hook(hook_id, kept, sealed, created, now)


def check_hook(body: HookBody, url: str) -> str:
    """Return where a webhook goes, without its path. Raises `Invalid` (`hook_invalid`) with a message per field."""
    wrong: dict[str, str] = {}
    host = ""
    if body.kind is HookKind.COMMAND:
        if not body.command or not body.command[0].startswith("/"):
            wrong["command"] = "Begin with the whole path of a program, such as /usr/local/bin/done."
        if body.url:
            wrong["url"] = "A command has no address."
    else:
        if body.command:
            wrong["command"] = "A webhook runs no program."
        try:
            source = parse_source(url)
            if source.scheme not in {"http", "https"}:
                wrong["url"] = "Begin it with https:// or http://."
            if source.username is not None:
                wrong["url"] = "Leave user and password out; the signature says who sends."
            host = source.url[: len(source.url) - len(source.url.partition("://")[2].partition("/")[2])]
        except FerryError as error:
            wrong["url"] = f"{error.message} {error.advice}".strip()
    if wrong:
        raise Invalid(
            "hook_invalid",
            f"The hook '{body.name}' is wrong: {next(iter(wrong.values()))}",
            advice="Correct the named fields.",
            fields=wrong,
        )
    return host


def _unknown(hook_id: str) -> NotFound:
    return NotFound(
        "hook_not_found",
        f"There is no hook '{hook_id[:100]}'.",
        advice="See 'ferry downloads hooks list' for the ids.",
    )


def _taken(name: str) -> Conflict:
    return Conflict(
        "hook_exists",
        f"There is a hook '{name}' already.",
        advice="Choose another name.",
        fields={"name": "is taken"},
    )


def _wrong(code: str, message: str, advice: str) -> Invalid:
    return Invalid(code, message, advice=advice, fields={"hooks": f"{message} {advice}"})

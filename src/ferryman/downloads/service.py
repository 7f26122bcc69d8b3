"""Accepting downloads: checks what is asked for, and makes jobs of it."""

import asyncio
import errno
import functools
import os
from pathlib import Path

from pydantic import ValidationError

from ferryman.accounts.model import Principal, Role
from ferryman.core.errors import Conflict, Corrupt, Denied, Invalid
from ferryman.core.live import Live
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox
from ferryman.downloads.conflicts import Clash, existing, refusal, repeated
from ferryman.downloads.earlier import Earlier
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.model import ATTEMPTS, KIND, DownloadOrder, DownloadSpec, Duplicates, Secrets
from ferryman.downloads.order import Draft, OrderReader, Refused, Rights, host_of
from ferryman.downloads.rules.service import Applied, Rules
from ferryman.jobs.model import Document, Job, NewJob
from ferryman.jobs.service import Ledger
from ferryman.jobs.windows import parse_window
from ferryman.web.shapes import seconds_of


class Downloads:
    """Makes download jobs. Safe to use from many tasks at once."""

    def __init__(
        self,
        ledger: Ledger,
        live: Live,
        box: SecretBox,
        rules: Rules | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        """Put jobs into `ledger`, files below the download folder, secrets into `box`.

        `rules` add to every order; `hooks` know what an order may call.
        """
        self._rules = rules
        self._hooks = hooks
        self._ledger = ledger
        self._live = live
        self._box = box
        self._earlier = Earlier(ledger)

    async def add(
        self, order: DownloadOrder, caller: Principal, key: str | None = None, *, partial: bool = False
    ) -> tuple[list[Job], list[Refused]]:
        """Accept all downloads of an order or none; with `partial` those that can be, and tell about the others.

        `key` makes a repeated request harmless. Raises `Invalid` with a message for each field that is wrong
        (`urls.3`, `text.12`, `entries.0.name`), `Denied`, and `Conflict` with `details` where something has to be
        decided. Nothing is written but the jobs. Downloads that are skipped as duplicates are told as refused.
        """
        reader = OrderReader(order, self.rights(caller))
        read = await asyncio.to_thread(reader.read, partial=partial)
        called = await self._called(order, caller)
        ruled, refused = await self._ruled(read, order, partial=partial)
        ruled = [one.calling(called) for one in ruled]
        drafts = [one.draft for one in ruled]
        await asyncio.to_thread(self._look, drafts)
        who = f"{caller.user_id or caller.name}/{key}/" if key else None
        left = await self._asked(drafts, caller, who)
        jobs = await asyncio.to_thread(self._jobs, order, ruled, left, caller, who)
        return await self._ledger.submit_many(jobs), [*reader.refused, *refused, *left.values()]

    def _jobs(
        self,
        order: DownloadOrder,
        ruled: list[Applied],
        left: dict[int, Refused],
        caller: Principal,
        who: str | None,
    ) -> list[NewJob]:
        """Make jobs of the drafts but for those that are left out by their index."""
        window = parse_window(order.window) if order.window else None
        return [
            NewJob(
                kind=KIND,
                title=one.draft.title,
                spec=self.sealed(one.draft).model_dump(mode="json"),
                priority=order.priority if one.priority is None else one.priority,
                owner=caller.user_id,
                idempotency_key=f"{who}{index}" if who else None,
                not_before=seconds_of(order.not_before),
                window=window,
                category=(one.category if order.category is None else order.category) or None,
                same=functools.partial(self._asks_for, one.draft),
                max_attempts=ATTEMPTS,
                host=host_of(one.draft.spec.urls[0]),
            )
            for index, one in enumerate(ruled)
            if index not in left
        ]

    async def _called(self, order: DownloadOrder, caller: Principal) -> list[str]:
        """Return the ids of hooks of the order and of those that hear of everything. Raises what may not be called."""
        if self._hooks is None:
            return []
        return [*await self._hooks.resolve(order.hooks or (), caller), *await self._hooks.always()]

    async def _ruled(
        self, drafts: list[Draft], order: DownloadOrder, *, partial: bool
    ) -> tuple[list[Applied], list[Refused]]:
        """Add what the rules say to what was not asked for explicitly. Raises what they refuse, unless `partial`."""
        if self._rules is None:
            return [Applied(draft) for draft in drafts], []
        rules, given = await self._rules.all(), order.model_fields_set
        ruled, refused = await asyncio.to_thread(self._rules.apply_all, rules, drafts, given)
        if refused and not (partial and ruled):
            first = refused[0].error
            first.fields = {
                str(one.place): f"{one.error.message} {one.error.advice}" for one in refused[:200]
            }
            raise first
        return ruled, refused

    async def _asked(self, drafts: list[Draft], caller: Principal, who: str | None) -> dict[int, Refused]:
        """Ask about what is in the way, and return what is to be skipped, by index. Raises `Conflict`.

        What the same request, sent before, made of the order is not in its way: `who` begins the keys of its jobs.
        """
        wanting = [draft for draft in drafts if draft.duplicates is not Duplicates.ADD]
        jobs = await self._earlier.of_all(wanting, caller)
        known = {id(draft): job for draft, job in zip(wanting, jobs, strict=True) if job}
        own = {one for one, job in known.items() if who and (job.idempotency_key or "").startswith(who)}
        found = {one: job for one, job in known.items() if one not in own}
        doubled = {id(draft) for draft in repeated(drafts)}
        clashes = await asyncio.to_thread(existing, self._live.now().downloads, drafts)
        clashes = [clash for clash in clashes if id(clash.draft) not in own]
        left: dict[int, Refused] = {}
        for index, draft in enumerate(drafts):
            earlier = found.get(id(draft))
            if earlier is None and id(draft) not in doubled:
                continue
            clash = Clash(draft, "duplicate", job_id=earlier.id if earlier else None)
            if draft.duplicates is Duplicates.ASK:
                clashes.append(clash)
            else:
                error = Conflict("download_duplicate", clash.says, advice="It was left out.")
                left[index] = Refused(draft.place, draft.spec.urls[0], error)
        if clashes:
            raise refusal(sorted(clashes, key=lambda clash: clash.draft.place.order))
        return left

    def rights(self, caller: Principal) -> Rights:
        """Return what `caller` may reach, by role and settings."""
        settings = self._live.now()
        match settings.private_addresses:
            case "allow":
                private = True
            case "operators":
                private = caller.role.rank >= Role.OPERATOR.rank
            case _:
                private = False
        return Rights(settings.downloads, settings.connections, private)

    def sealed(self, draft: Draft) -> DownloadSpec:
        """Return the spec of `draft` with its secrets encrypted."""
        if not draft.secrets.any():
            return draft.spec
        return draft.spec.model_copy(update={"sealed": self._box.seal(draft.secrets.model_dump_json(), KIND)})

    def _asks_for(self, draft: Draft, earlier: Document) -> bool:
        """Tell whether an earlier spec is that of `draft`: the same secrets are sealed differently each time."""
        try:
            spec = DownloadSpec.model_validate(earlier)
            secrets = (
                Secrets.model_validate_json(self._box.open(spec.sealed, KIND)) if spec.sealed else Secrets()
            )
        except (ValidationError, Corrupt):  # of another kind, or sealed with a key that is lost
            return False
        return spec.model_copy(update={"sealed": None}) == draft.spec and secrets == draft.secrets

    def _look(self, drafts: list[Draft]) -> None:
        """Raise what the disk already says against it. Makes nothing."""
        root = self._live.now().downloads
        for folder in {draft.spec.folder for draft in drafts}:
            check_writable(join_within(root, folder) if folder else root)


def check_writable(folder: Path) -> None:
    """Raise `Denied` (`folder_unwritable`) or `Invalid` (`target_invalid`) when files cannot be made in `folder`."""
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not place.is_dir():
        raise Invalid(
            "target_invalid",
            f"'{place}' is not a folder.",
            advice="Choose another folder: a file is in the way.",
            fields={"folder": "leads through a file"},
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise Denied(
            "folder_unwritable",
            f"The folder '{place}' cannot be written: {os.strerror(errno.EACCES)}.",
            advice="Choose another folder, or let the user who runs Ferryman write there.",
        )

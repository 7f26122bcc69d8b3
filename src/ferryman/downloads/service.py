"""Accepting downloads: checks what is asked for, and makes jobs of it."""

import asyncio
import errno
import functools
import os
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from ferryman.accounts.model import Principal, Role
from ferryman.core.errors import Corrupt, Denied, Invalid
from ferryman.core.live import Live
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox
from ferryman.downloads.model import ATTEMPTS, KIND, DownloadOrder, DownloadSpec, Secrets
from ferryman.downloads.order import Draft, OrderReader, Refused, Rights
from ferryman.jobs.model import Document, Job, NewJob
from ferryman.jobs.service import Ledger
from ferryman.jobs.windows import parse_window
from ferryman.transfer.model import Overwrite
from ferryman.transfer.preflight import exists
from ferryman.web.shapes import seconds_of


class Downloads:
    """Makes download jobs. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, live: Live, box: SecretBox) -> None:
        """Put jobs into `ledger`, files below the download folder, secrets into `box`."""
        self._ledger = ledger
        self._live = live
        self._box = box

    async def add(
        self, order: DownloadOrder, caller: Principal, key: str | None = None, *, partial: bool = False
    ) -> tuple[list[Job], list[Refused]]:
        """Accept all downloads of an order or none; with `partial` those that can be, and tell about the others.

        `key` makes a repeated request harmless. Raises `Invalid` with a message for each field that is wrong
        (`urls.3`), `Denied`, `Conflict`. Nothing is written but the jobs.
        """
        reader = OrderReader(order, self.rights(caller))
        drafts = reader.read(partial=partial)
        await asyncio.to_thread(self._look, drafts)
        who = caller.user_id or caller.name
        jobs = [
            NewJob(
                kind=KIND,
                title=draft.title,
                spec=self.sealed(draft).model_dump(mode="json"),
                priority=order.priority,
                owner=caller.user_id,
                idempotency_key=f"{who}/{key}/{index}" if key else None,
                same=functools.partial(self._asks_for, draft),
                max_attempts=ATTEMPTS,
                host=host_of(draft.spec.urls[0]),
                not_before=seconds_of(order.not_before),
                window=parse_window(order.window) if order.window else None,
            )
            for index, draft in enumerate(drafts)
        ]
        return await self._ledger.submit_many(jobs), reader.refused

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
        for draft in drafts:
            spec = draft.spec
            if spec.name and spec.overwrite is Overwrite.ASK:
                target = join_within(root, f"{spec.folder}/{spec.name}" if spec.folder else spec.name)
                if target.exists():
                    raise exists(target)


def host_of(url: str) -> str | None:
    """Return the host of an address that was accepted, as lists and statistics name it: without port and credentials."""
    return (urlsplit(url).hostname or "")[:255] or None


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

"""Accepting downloads: reads and checks what is asked for, and makes jobs of it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ferryman.accounts.model import Principal, Role
from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, FerryError, Invalid
from ferryman.core.paths import join_within
from ferryman.core.secrets import SecretBox
from ferryman.core.settings import Settings
from ferryman.core.units import parse_rate
from ferryman.downloads.model import KIND, DownloadOrder, DownloadSpec, Secrets
from ferryman.jobs.model import Job, NewJob
from ferryman.jobs.service import Ledger
from ferryman.transfer.headers import parse_header
from ferryman.transfer.listing import Entry, parse_list
from ferryman.transfer.naming import safe_name, url_name
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.preflight import check_folder
from ferryman.transfer.source import parse_source

T = TypeVar("T")


class Downloads:
    """Makes download jobs. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, settings: Settings, box: SecretBox) -> None:
        """Put jobs into `ledger`, files below `settings.downloads`, secrets into `box`."""
        self._ledger = ledger
        self._settings = settings
        self._box = box

    async def add(self, order: DownloadOrder, caller: Principal, key: str | None = None) -> list[Job]:
        """Accept all downloads of an order, or none.

        `key` makes a repeated request harmless. Raises `Invalid` with a message for each field that is wrong
        (`urls.3`), `Denied`, `Exhausted`, `Conflict`.
        """
        checked = _Checker(order, self._settings, private=self._may_reach_private(caller))
        specs = checked.specs()
        secrets = checked.secrets()
        sealed = self._box.seal(secrets.model_dump_json(), KIND) if secrets.any() else None
        jobs = [
            NewJob(
                kind=KIND,
                title=spec.name or url_name(spec.urls[0]) or spec.urls[0],
                spec=spec.model_copy(update={"sealed": sealed}).model_dump(mode="json"),
                priority=order.priority,
                owner=caller.user_id,
                idempotency_key=f"{caller.user_id or caller.name}/{key}/{index}" if key else None,
            )
            for index, spec in enumerate(specs)
        ]
        return await self._ledger.submit_many(jobs)

    def _may_reach_private(self, caller: Principal) -> bool:
        match self._settings.private_addresses:
            case "allow":
                return True
            case "operators":
                return caller.role.rank >= Role.OPERATOR.rank
            case _:
                return False


class _Checker:
    """Reads one order field by field, so that all that is wrong is said at once."""

    def __init__(self, order: DownloadOrder, settings: Settings, *, private: bool) -> None:
        self._order = order
        self._settings = settings
        self._private = private
        self._wrong: dict[str, str] = {}
        self._first: FerryError | None = None
        self._login = Secrets()

    def specs(self) -> list[DownloadSpec]:
        """The checked downloads. Raises `Invalid` when any field is wrong, else what else stands in the way."""
        order = self._order
        entries = [entry for index, line in enumerate(order.urls) for entry in self._entries(index, line)]
        rate = self._field("rate_limit", lambda: parse_rate(order.rate_limit)) or 0
        self._field("folder", lambda: self._folder(order.folder))
        digest, digest_url = self._checksum()
        self._single(len(entries))
        self._login = self._secrets()
        if self._wrong:
            raise self._refusal()
        return [
            DownloadSpec(
                urls=[source.url for source in entry.sources],
                folder=str(Path(order.folder, entry.folder or "")) if order.folder or entry.folder else "",
                name=self._name(entry),
                checksum=str(entry.checksum) if entry.checksum else digest,
                checksum_url=digest_url,
                connections=order.connections or self._settings.connections,
                rate_limit=rate,
                overwrite=order.overwrite,
                insecure=order.insecure,
                private=self._private,
            )
            for entry in entries
        ]

    def secrets(self) -> Secrets:
        """What is to be sealed; only after `specs`."""
        return self._login

    def _entries(self, index: int, line: str) -> Iterable[Entry]:
        found = self._field(f"urls.{index}", lambda: self._read(line))
        return found or ()

    def _read(self, line: str) -> tuple[Entry, ...]:
        if "://" in line.split(maxsplit=1)[0]:
            parse_source(line.split(maxsplit=1)[0])
        entries = parse_list(line.strip())
        policy = AddressPolicy(private=self._private)
        for entry in entries:
            if entry.folder:
                self._folder(entry.folder)
            if entry.out and safe_name(entry.out) != entry.out:
                raise Invalid(
                    "name_invalid",
                    f"'{entry.out[:80]}' is no file name.",
                    advice="Use a plain name without '/'.",
                )
            for source in entry.sources:
                policy.check_host(source.host)
        return entries

    def _folder(self, folder: str) -> None:
        root = self._settings.downloads
        check_folder(root)
        target = join_within(root, folder) if folder else root
        check_folder(target)

    def _checksum(self) -> tuple[str | None, str | None]:
        text = self._order.checksum
        if not text:
            return None, None
        if text.startswith(("http://", "https://", "ftp://")):
            return None, self._field("checksum", lambda: self._checksum_url(text))
        found = self._field("checksum", lambda: Digest.parse(text))
        return (str(found) if found else None), None

    def _checksum_url(self, text: str) -> str:
        source = parse_source(text)
        AddressPolicy(private=self._private).check_host(source.host)
        return source.url

    def _single(self, count: int) -> None:
        for name in ("checksum", "name"):
            if count > 1 and getattr(self._order, name):
                self._wrong[name] = f"One {name} cannot be for {count} files; write it after each URL."

    def _name(self, entry: Entry) -> str | None:
        return entry.out or self._order.name or None

    def _secrets(self) -> Secrets:
        order = self._order
        headers = [
            pair
            for index, line in enumerate(order.headers)
            if (pair := self._field(f"headers.{index}", lambda line=line: parse_header(line)))  # type: ignore[misc]
        ]
        if order.name and safe_name(order.name) != order.name:
            self._wrong["name"] = f"'{order.name[:80]}' is no file name: use a plain one without '/'."
        if order.proxy and not self._private:
            self._wrong["proxy"] = "A proxy of your own is for those who may reach private addresses."
        first = self._field("urls.0", lambda: parse_source(order.urls[0].split()[0]))
        return Secrets(
            headers=headers,
            username=order.username or (first.username if first else None),
            password=order.password or (first.password if first else None),
            bearer=order.bearer,
            proxy=order.proxy,
        )

    def _field(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except FerryError as error:
            self._first = self._first or error
            self._wrong.setdefault(name, f"{error.message} {error.advice}".strip())
            return None

    def _refusal(self) -> FerryError:
        first = self._first
        count = len(self._wrong)
        if first is not None and (count == 1 or not isinstance(first, Invalid)):
            kind = Denied if isinstance(first, Denied) else type(first)
            return kind(first.code, first.message, advice=first.advice, **_fields(kind, self._wrong))
        name, text = next(iter(self._wrong.items()))
        return Invalid(
            "download_invalid",
            text if count == 1 else f"{count} fields are wrong; the first is {name}: {text}",
            advice="Correct them and send it again; nothing was added.",
            fields=self._wrong,
        )


def _fields(kind: type[FerryError], wrong: dict[str, str]) -> dict[str, dict[str, str]]:
    """Every branch but `Unavailable` carries fields."""
    return {"fields": wrong} if kind.__init__ is FerryError.__init__ else {}

"""From an order to checked downloads: reads every field, and says all that is wrong at once. Touches no disk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, FerryError, Invalid
from ferryman.core.paths import join_within
from ferryman.core.units import parse_rate
from ferryman.downloads.model import DownloadOrder, DownloadSpec, Secrets
from ferryman.jobs.windows import parse_window
from ferryman.transfer.headers import check_header, parse_header
from ferryman.transfer.listing import Entry, parse_list
from ferryman.transfer.naming import safe_name, url_name
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import Source, parse_source

T = TypeVar("T")
PROXIES: Final = ("http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://")


@dataclass(frozen=True, slots=True)
class Draft:
    """One checked download: what the ledger keeps, and what has to be sealed first."""

    spec: DownloadSpec
    secrets: Secrets

    @property
    def title(self) -> str:
        """What the download is called until its file has a name."""
        url = self.spec.urls[0]
        return self.spec.name or safe_name(url_name(url)) or parse_source(url).host


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry of `urls` that cannot be downloaded, and why."""

    index: int
    url: str
    error: FerryError


@dataclass(frozen=True, slots=True)
class Rights:
    """What the caller may do, and what holds when they do not say: `private` allows private addresses."""

    root: Path
    connections: int
    private: bool


class OrderReader:
    """Reads one order. Not for concurrent use."""

    def __init__(self, order: DownloadOrder, rights: Rights) -> None:
        """Read `order` for somebody with `rights`."""
        self._order = order
        self._rights = rights
        self._policy = AddressPolicy(private=rights.private)
        self._wrong: dict[str, FerryError] = {}
        self.refused: list[Refused] = []

    def read(self, *, partial: bool = False) -> list[Draft]:
        """Return the checked downloads. Raises what is wrong; with `partial`, wrong entries of `urls` are only noted."""
        order = self._order
        entries = list(self._entries())
        rate = self._try("rate_limit", lambda: parse_rate(order.rate_limit)) or 0
        self._try("folder", lambda: self._folder(order.folder))
        digest, digest_url = self._checksum()
        self._one_file_only(len(entries))
        if order.name is not None:
            self._try("name", lambda: check_name(order.name or ""))
        if order.window:
            self._try("window", lambda: parse_window(order.window or ""))
        shared = self._secrets()
        if self._wrong or (self.refused and not partial) or not entries:
            raise self._refusal()
        return [
            Draft(
                DownloadSpec(
                    urls=[source.url for source in entry.sources],
                    folder="/".join(part for part in (order.folder, entry.folder) if part),
                    name=entry.out or order.name,
                    checksum=str(entry.checksum) if entry.checksum else digest,
                    checksum_url=None if entry.checksum else digest_url,
                    connections=order.connections or self._rights.connections,
                    rate_limit=rate,
                    overwrite=order.overwrite,
                    insecure=order.insecure,
                    private=self._rights.private,
                ),
                _with_entry(shared, entry),
            )
            for entry in entries
        ]

    def _entries(self) -> Iterator[Entry]:
        for index, line in enumerate(self._order.urls):
            try:
                yield self._entry(line)
            except FerryError as error:
                shown = line.split()[0] if line.split() else line
                self.refused.append(Refused(index, shown[:200].rpartition("@")[2], error))

    def _entry(self, line: str) -> Entry:
        words = line.split()
        if not words or len(words) == 1:
            parse_source(line.strip())  # says what is wrong with a URL better than a line of a list could
        (entry,) = parse_list(line.strip())
        if entry.folder:
            self._folder(entry.folder)
        if entry.out:
            check_name(entry.out)
        for source in entry.sources:
            self._policy.check_host(source.host)
        _check_login(entry.sources)
        return entry

    def _folder(self, folder: str) -> Path:
        return join_within(self._rights.root, folder) if folder else self._rights.root

    def _checksum(self) -> tuple[str | None, str | None]:
        text = self._order.checksum
        if not text:
            return None, None
        if "://" in text:
            return None, self._try("checksum", lambda: self._checksum_url(text))
        found = self._try("checksum", lambda: Digest.parse(text))
        return (str(found) if found else None), None

    def _checksum_url(self, text: str) -> str:
        source = parse_source(text)
        self._policy.check_host(source.host)
        return source.url

    def _one_file_only(self, count: int) -> None:
        for name in ("checksum", "name"):
            given = getattr(self._order, name)
            if count > 1 and given and "://" not in given:
                self._wrong[name] = Invalid(
                    f"{name}_of_many",
                    f"One {name} cannot belong to {count} files.",
                    advice="Write it after each URL: ALGO:HEX or out=NAME.",
                )

    def _secrets(self) -> Secrets:
        order = self._order
        headers = []
        for index, line in enumerate(order.headers):
            if pair := self._try(f"headers.{index}", lambda text=line: parse_header(text)):  # type: ignore[misc]
                headers.append(pair)
        if order.bearer:
            self._try("bearer", lambda: check_header("Authorization", f"Bearer {order.bearer}"))
        if order.proxy:
            self._try("proxy", lambda: self._proxy(order.proxy or ""))
        return Secrets(
            headers=headers,
            username=order.username,
            password=order.password,
            bearer=order.bearer,
            proxy=order.proxy,
        )

    def _proxy(self, text: str) -> None:
        if not self._rights.private:
            raise Denied(
                "proxy_denied",
                "A proxy of your own could reach private addresses, which you may not.",
                advice="Leave it out, or ask an operator.",
            )
        if not text.lower().startswith(PROXIES) or not text.partition("://")[2].strip("/"):
            raise Invalid(
                "proxy_invalid",
                f"'{text.rpartition('@')[2][:80]}' is not the address of a proxy.",
                advice=f"Begin it with one of {', '.join(PROXIES)}.",
            )

    def _try(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except FerryError as error:
            self._wrong[name] = error
            return None

    def _refusal(self) -> FerryError:
        errors = {f"urls.{one.index}": one.error for one in self.refused} | self._wrong
        first = next(iter(errors.values()))
        fields = {name: f"{error.message} {error.advice}".strip() for name, error in errors.items()}
        if len(errors) == 1 or all(isinstance(error, Denied) for error in errors.values()):
            return type(first)(first.code, first.message, advice=first.advice, fields=fields)
        return Invalid(
            "download_invalid",
            f"{len(errors)} fields are wrong, the first: {first.message}",
            advice="Correct them and send it again; nothing was added.",
            fields=fields,
        )


def check_name(name: str) -> str:
    """Return `name` when it can be the name of a file. Raises `Invalid` (`name_invalid`)."""
    if not name or safe_name(name) != name:
        raise Invalid(
            "name_invalid",
            f"{name[:80]!r} cannot be the name of a file.",
            advice="Use a plain name without '/', not hidden, and not ending in .part, .ferry or .corrupt.",
        )
    return name


def _check_login(sources: tuple[Source, ...]) -> None:
    with_login = next((source for source in sources if source.username is not None), None)
    if with_login is None:
        return
    if any((source.host, source.port) != (with_login.host, with_login.port) for source in sources):
        raise Invalid(
            "url_credentials",
            f"The user and password of '{with_login.host}' would also go to the other mirrors.",
            advice="Leave the other mirrors out, or use mirrors that need no password.",
        )


def _with_entry(shared: Secrets, entry: Entry) -> Secrets:
    login = next((source for source in entry.sources if source.username is not None), None)
    own: dict[str, object] = {}
    if entry.headers:
        own["headers"] = [*shared.headers, *entry.headers]
    if login is not None and shared.username is None:
        own |= {"username": login.username, "password": login.password or ""}
    return shared.model_copy(update=own)

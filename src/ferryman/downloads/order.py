"""From an order to checked downloads: reads every field, and says all that is wrong at once. Touches no disk."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from ferryman.core.digests import Digest
from ferryman.core.errors import Denied, FerryError, Invalid
from ferryman.core.paths import join_within
from ferryman.core.pem import check_ca, check_pair
from ferryman.core.units import parse_rate
from ferryman.downloads.cookies import cookies_for, read_cookies
from ferryman.downloads.model import MOST, DownloadOrder, DownloadSpec, Duplicates, EntryOrder, Secrets
from ferryman.jobs.windows import parse_window
from ferryman.transfer.credentials import Cookie
from ferryman.transfer.headers import check_header, parse_header
from ferryman.transfer.links import is_link
from ferryman.transfer.listing import Entry, base_of, read_list
from ferryman.transfer.model import Overwrite
from ferryman.transfer.naming import safe_name, url_name
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import Source, parse_source

T = TypeVar("T")
FIELDS: Final = ("urls", "text", "entries")
"""The fields that name downloads, in their order."""
MOST_TOLD: Final = 200
"""Wrong fields that are told one by one."""
_MOST_SEALED: Final = 64 * 1024 * 1024
PROXIES: Final = ("http://", "https://", "socks4://", "socks4a://", "socks5://", "socks5h://")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in an order a download is: `urls.0`, `text.12` (a line, from 1) or `entries.3`."""

    field: str
    index: int

    def __str__(self) -> str:
        """Render as errors name it."""
        return f"{self.field}.{self.index}"

    @property
    def order(self) -> tuple[int, int]:
        """Sorts places as the downloads are added."""
        return FIELDS.index(self.field), self.index


@dataclass(frozen=True, slots=True)
class Draft:
    """One checked download: what the ledger keeps, what has to be sealed first, and where it was asked for."""

    spec: DownloadSpec
    secrets: Secrets
    place: Place = Place("urls", 0)
    duplicates: Duplicates = Duplicates.ADD

    @property
    def title(self) -> str:
        """What the download is called until its file has a name."""
        return self.spec.name or self.guess or parse_source(self.spec.urls[0]).host

    @property
    def guess(self) -> str:
        """The name its file will likely have; empty when the address says nothing."""
        return self.spec.name or safe_name(url_name(self.spec.urls[0]))


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that cannot be downloaded, and why. `field` names a part of it, such as `name`."""

    place: Place
    url: str
    error: FerryError
    field: str = ""

    @property
    def index(self) -> int:
        """Its place in its field."""
        return self.place.index

    @property
    def key(self) -> str:
        """Render as errors name it."""
        return f"{self.place}.{self.field}" if self.field else str(self.place)


@dataclass(frozen=True, slots=True)
class Rights:
    """What the caller may do, and what holds when they do not say: `private` allows private addresses."""

    root: Path
    connections: int
    private: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """An entry with where it stands and what it says of itself."""

    place: Place
    entry: Entry
    overwrite: Overwrite | None = None
    duplicates: Duplicates | None = None


class _Wrong(Exception):
    """A part of an entry that is wrong."""

    def __init__(self, field: str, error: FerryError) -> None:
        super().__init__(error.message)
        self.field = field
        self.error = error


class OrderReader:
    """Reads one order. Not for concurrent use."""

    def __init__(self, order: DownloadOrder, rights: Rights) -> None:
        """Read `order` for somebody with `rights`."""
        self._order = order
        self._rights = rights
        self._policy = AddressPolicy(private=rights.private)
        self._wrong: dict[str, FerryError] = {}
        self.refused: list[Refused] = []

    @property
    def wrong(self) -> bool:
        """Whether something of the order as a whole is wrong."""
        return bool(self._wrong)

    def read(self, *, partial: bool = False) -> list[Draft]:
        """Return the checked downloads. Raises what is wrong; with `partial`, wrong entries are only noted."""
        order = self._order
        if order.base:
            self._try("base", lambda: base_of(order.base or ""))
        found = [] if "base" in self._wrong else list(self._entries())
        rate = self._try("rate_limit", lambda: parse_rate(order.rate_limit)) or 0
        self._try("folder", lambda: self._folder(order.folder))
        digest, digest_url = self._checksum()
        self._one_file_only(len(found))
        if order.name is not None:
            self._try("name", lambda: check_name(order.name or ""))
        if order.window:
            self._try("window", lambda: parse_window(order.window or ""))
        shared = self._secrets()
        cookies = self._try("cookies", lambda: read_cookies(order.cookies or "")) if order.cookies else None
        if not (found or self._wrong or self.refused):
            self._wrong["urls"] = _nothing()
        if self._wrong or (self.refused and not partial) or not found:
            raise self._refusal()
        common = DownloadSpec(
            urls=[],
            checksum_url=digest_url,
            connections=order.connections or self._rights.connections,
            rate_limit=rate,
            overwrite=order.overwrite,
            insecure=order.insecure,
            private=self._rights.private,
            unpack=bool(order.unpack),
        )
        drafts = [self._draft(common, digest, one, _with_entry(shared, one.entry, cookies)) for one in found]
        self._check_size(drafts)
        return drafts

    def _draft(self, common: DownloadSpec, digest: str | None, asked: _Asked, secrets: Secrets) -> Draft:
        order, entry = self._order, asked.entry
        own = {
            "urls": [source.url for source in entry.sources],
            "folder": "/".join(part for part in (order.folder, entry.folder) if part),
            "name": entry.out or order.name,
            "checksum": str(entry.checksum) if entry.checksum else digest,
            "checksum_url": None if entry.checksum else common.checksum_url,
            "overwrite": asked.overwrite or order.overwrite,
            "size": entry.size,
        }
        spec = common.model_copy(update=own)
        return Draft(spec, secrets, asked.place, asked.duplicates or order.duplicates)

    def _entries(self) -> Iterator[_Asked]:
        order, number = self._order, 0
        for asked in (*self._of_urls(), *self._of_text(), *self._of_entries()):
            number += 1
            if number > MOST:
                self._wrong["entries" if order.entries else "text" if order.text else "urls"] = Invalid(
                    "order_too_long",
                    f"The order is for more than {MOST:,} downloads.",
                    advice="Split it; patterns count with every file they stand for.",
                )
                return
            try:
                self._check(asked.entry)
            except FerryError as error:
                self.refused.append(Refused(asked.place, asked.entry.sources[0].url[:200], error))
                continue
            yield asked

    def _of_urls(self) -> Iterator[_Asked]:
        left = MOST
        for index, line in enumerate(self._order.urls):
            place = Place("urls", index)
            try:
                words = line.split()
                if len(words) < 2 and not any(mark in line for mark in "[{\\") and not is_link(line.strip()):
                    yield _Asked(place, Entry(1, (parse_source(line.strip()),)))
                    left -= 1
                    continue
                reading = read_list(line.strip(), self._order.base, max(1, left))
                if reading.problems:
                    raise reading.problems[0].error
                if not reading.entries:
                    parse_source(line.strip())  # says what is wrong with it
            except FerryError as error:
                shown = line.split()[0] if line.split() else line
                self.refused.append(Refused(place, shown[:200].rpartition("@")[2], error))
                continue
            left -= len(reading.entries)
            yield from (_Asked(place, entry) for entry in reading.entries)

    def _of_text(self) -> Iterator[_Asked]:
        if not self._order.text.strip():
            return
        reading = read_list(self._order.text, self._order.base, MOST)
        self.refused += [
            Refused(Place("text", problem.line), problem.text, problem.error) for problem in reading.problems
        ]
        yield from (_Asked(Place("text", entry.line), entry) for entry in reading.entries)

    def _of_entries(self) -> Iterator[_Asked]:
        for index, one in enumerate(self._order.entries):
            place = Place("entries", index)
            try:
                entry = _entry_of(one)
            except _Wrong as wrong:
                shown = one.urls[0][:200].rpartition("@")[2]
                self.refused.append(Refused(place, shown, wrong.error, wrong.field))
            else:
                yield _Asked(place, entry, one.overwrite, one.duplicates)

    def _check(self, entry: Entry) -> None:
        if entry.folder:
            self._folder(entry.folder)
        if entry.out:
            check_name(entry.out)
        for source in entry.sources:
            self._policy.check_host(source.host)
        _check_login(entry.sources)

    def _check_size(self, drafts: list[Draft]) -> None:
        """Keep what is sealed for all of them within what a ledger should hold."""
        large = max(len(draft.secrets.model_dump_json()) for draft in drafts[:20])
        if large * len(drafts) > _MOST_SEALED:
            raise Invalid(
                "secrets_too_large",
                f"Cookies and certificates of {large:,} characters cannot be kept for {len(drafts):,} downloads.",
                advice="Leave out cookies of other hosts, or split the order.",
                fields={"cookies" if self._order.cookies else "ca": "too large for so many downloads"},
            )

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
            if pair := self._try(f"headers.{index}", functools.partial(parse_header, line)):
                headers.append(pair)
        if order.bearer:
            self._try("bearer", lambda: check_header("Authorization", f"Bearer {order.bearer}"))
        if order.proxy:
            self._try("proxy", lambda: self._proxy(order.proxy or ""))
        ca = self._try("ca", lambda: check_ca(order.ca or "")) if order.ca else None
        certificate, key = self._certificate()
        return Secrets(
            headers=headers,
            username=order.username,
            password=order.password,
            bearer=order.bearer,
            proxy=order.proxy,
            ca=ca,
            client_cert=certificate,
            client_key=key,
        )

    def _certificate(self) -> tuple[str | None, str | None]:
        order = self._order
        if not order.client_cert:
            if order.client_key:
                self._wrong["client_key"] = Invalid(
                    "client_cert_invalid",
                    "A key without its certificate.",
                    advice="Give the certificate too.",
                )
            return None, None
        read = functools.partial(check_pair, order.client_cert, order.client_key)
        return self._try("client_cert", read) or (None, None)

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
        errors = {one.key: one.error for one in self.refused} | self._wrong
        first = next(iter(errors.values()))
        told = list(errors.items())[:MOST_TOLD]
        fields = {name: f"{error.message} {error.advice}".strip() for name, error in told}
        if len(errors) == 1 or all(isinstance(error, Denied) for error in errors.values()):
            return type(first)(first.code, first.message, advice=first.advice, fields=fields)
        return Invalid(
            "download_invalid",
            f"{len(errors):,} fields are wrong, the first: {first.message}",
            advice="Correct them and send it again; nothing was added.",
            fields=fields,
        )


def host_of(url: str) -> str | None:
    """Return the host of an address that was accepted, as lists and statistics name it: without port and credentials."""
    return (urlsplit(url).hostname or "")[:255] or None


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


def _with_entry(shared: Secrets, entry: Entry, cookies: tuple[Cookie, ...] | str | None) -> Secrets:
    login = next((source for source in entry.sources if source.username is not None), None)
    own: dict[str, object] = {}
    if entry.headers:
        own["headers"] = [*shared.headers, *entry.headers]
    if login is not None and shared.username is None:
        own |= {"username": login.username, "password": login.password or ""}
    if cookies:
        own["cookies"] = cookies_for(cookies, entry.sources)
    return shared.model_copy(update=own) if own else shared


def _entry_of(one: EntryOrder) -> Entry:
    """Read an entry in parts. Raises `_Wrong` with the part."""

    def read(field: str, parse: Callable[[str], T], text: str) -> T:
        try:
            return parse(text)
        except FerryError as error:
            raise _Wrong(field, error) from error

    return Entry(
        line=1,
        sources=tuple(read(f"urls.{number}", parse_source, url) for number, url in enumerate(one.urls)),
        checksum=read("checksum", Digest.parse, one.checksum) if one.checksum else None,
        out=read("name", check_name, one.name) if one.name is not None else None,
        folder=one.folder or None,
        headers=tuple(
            read(f"headers.{number}", parse_header, text) for number, text in enumerate(one.headers)
        ),
        size=one.size,
    )


def _nothing() -> Invalid:
    return Invalid(
        "nothing_to_fetch", "Nothing says what to fetch.", advice="Give an address, or a list of them."
    )

"""What `ferry get` is to fetch and where to: from words, lists and Metalinks to one request for each file."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ferryman.cli.get_words import Words
from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid
from ferryman.core.paths import join_within
from ferryman.transfer.ask import without_secrets
from ferryman.transfer.links import is_link, read_link
from ferryman.transfer.model import Options
from ferryman.transfer.naming import safe_name
from ferryman.transfer.patterns import read_pattern
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import Source, parse_source

ALLOWED: Final = AddressPolicy(private=True)
"""Whoever runs the command may reach what they can reach anyway; metadata services stay refused."""
_LONGEST_LIST: Final = 64 * 1024 * 1024

Fetch = Callable[[str, Options], bytes]
"""Fetches a Metalink."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One file to fetch. `name` is None while the server decides; `said` is how the source was typed."""

    said: str
    sources: tuple[Source, ...]
    folder: Path
    options: Options
    name: str | None = None
    checksum: Digest | None = None
    size: int | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of the file, the best first."""
        return tuple(source.url for source in self.sources)


@dataclass(frozen=True, slots=True)
class Place:
    """Where files go: a folder, and the name of the file when there is only one."""

    folder: Path
    name: str | None


def place_of(output: str | None) -> Place:
    """Read `-o`. Raises `Invalid` (`target_invalid`)."""
    if output is None:
        return Place(Path.cwd(), None)
    if output in {"", "-"} or "\0" in output:
        raise Invalid(
            "target_invalid",
            f"{output!r} cannot be written to.",
            advice="Give a file, or a folder that ends with /: what goes elsewhere cannot be resumed.",
        )
    path = Path(output).expanduser()
    if output.endswith("/") or path.is_dir():
        return Place(path.absolute(), None)
    return Place(path.absolute().parent, path.name)


def wishes_of(words: Words, options: Options, fetch: Fetch) -> list[Wish]:
    """Return one wish for each file. Raises `Invalid` for what cannot be meant; nothing has been fetched then.

    `fetch` is called for Metalinks that are elsewhere.
    """
    place = place_of(words.value("output"))
    wishes = [wish for text in words.sources for wish in _typed(text, place, options, fetch)]
    if (listed := words.value("input")) is not None:
        wishes += _listed(read_list(listed), place, options, words.value("base"))
    if not wishes:
        raise Invalid(
            "nothing_to_fetch", "Nothing says what to fetch.", advice="Give a URL, or a list with --input."
        )
    wishes = _with_mirrors(wishes, words.all("mirror"))
    if place.name is not None:
        if len(wishes) > 1:
            raise Invalid(
                "target_invalid",
                f"{len(wishes)} files cannot all become '{words.value('output')}'.",
                advice="End it with / to name a folder.",
            )
        wishes = [replace(wishes[0], name=place.name, folder=place.folder)]
    return _with_checksum(wishes, words.value("checksum"))


def read_list(name: str) -> str:
    """Return the text of a list; `-` is standard input. Raises `Invalid` (`list_unreadable`)."""
    try:
        if name == "-":
            return sys.stdin.read(_LONGEST_LIST)
        with Path(name).open(encoding="utf-8") as file:
            return file.read(_LONGEST_LIST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(
            "list_unreadable", f"The list '{name[:200]}' cannot be read: {reason}.", advice="Check its path."
        ) from error


def _typed(text: str, place: Place, options: Options, fetch: Fetch) -> Iterator[Wish]:
    if "://" not in text and text.lower().endswith((".meta4", ".metalink")) and Path(text).is_file():
        yield from _metalink(text, Path(text).read_bytes(), place, options)
        return
    if is_link(text):
        yield from _linked(text, place, options)
        return
    for address in read_pattern(text):
        source = parse_source(address)
        own = _with_login(options, [source])
        if source.path.lower().endswith((".meta4", ".metalink")):
            yield from _metalink(source.url, fetch(source.url, own), place, own)
        else:
            yield Wish(source.url, (source,), place.folder, own)


def _linked(text: str, place: Place, options: Options) -> Iterator[Wish]:
    """Read a `ferry:` link, which names one file."""
    link = read_link(text)
    sources = tuple(parse_source(url) for url in link.urls)
    checksum = Digest.parse(link.checksum) if link.checksum else None
    name = safe_name(link.out) or None if link.out else None
    yield Wish(sources[0].url, sources, place.folder, _with_login(options, sources), name, checksum)


def _metalink(said: str, document: bytes, place: Place, options: Options) -> Iterator[Wish]:
    from ferryman.transfer.metalink import parse_metalink  # noqa: PLC0415 - the XML parser is slow to import

    for file in parse_metalink(document):
        target = join_within(place.folder, file.path)
        # The document chose these hosts: credentials meant for the one it came from are not for them.
        own = _with_login(without_secrets(options), file.sources)
        named = f"{said} ({file.path})"
        yield Wish(named, file.sources, target.parent, own, target.name, file.checksum, file.size)


def _listed(text: str, place: Place, options: Options, base: str | None) -> Iterator[Wish]:
    from ferryman.transfer.listing import parse_list  # noqa: PLC0415 - slow to import

    for entry in parse_list(text, base):
        folder, name = place.folder, None
        if entry.folder:
            folder = join_within(folder, entry.folder)
        if entry.out:
            target = join_within(folder, entry.out)
            folder, name = target.parent, target.name
        own = replace(options, headers=(*options.headers, *entry.headers)) if entry.headers else options
        yield Wish(
            entry.sources[0].url,
            entry.sources,
            folder,
            _with_login(own, entry.sources),
            name,
            entry.checksum,
        )


def _with_login(options: Options, sources: Iterable[Source]) -> Options:
    """Take user and password out of the addresses. Raises `Invalid` when they would go to another host as well."""
    several = tuple(sources)
    with_login = next((source for source in several if source.username is not None), None)
    if with_login is None:
        return options
    if any((source.host, source.port) != (with_login.host, with_login.port) for source in several):
        raise Invalid(
            "url_credentials",
            f"The user and password of '{with_login.host}' would also go to the other mirrors.",
            advice="Put them into ~/.netrc, where each host has its own.",
        )
    if options.username is not None:
        return options
    return replace(options, username=with_login.username, password=with_login.password or "")


def _with_mirrors(wishes: list[Wish], mirrors: tuple[str, ...]) -> list[Wish]:
    if not mirrors:
        return wishes
    if len(wishes) > 1:
        raise Invalid(
            "mirror_of_many",
            f"--mirror cannot belong to {len(wishes)} files.",
            advice="Write the mirrors beside each URL in a list, and use --input.",
        )
    wish = wishes[0]
    sources = (*wish.sources, *(parse_source(text) for text in mirrors))
    return [replace(wish, sources=sources, options=_with_login(wish.options, sources))]


def _with_checksum(wishes: list[Wish], text: str | None) -> list[Wish]:
    if text is None or is_address(text):
        return wishes
    digest = Digest.parse(text)
    if len(wishes) > 1:
        raise Invalid(
            "checksum_of_many",
            f"One checksum cannot belong to {len(wishes)} files.",
            advice="Write the checksums beside the URLs in a list, or give the URL of a checksum file.",
        )
    return [replace(wishes[0], checksum=digest)]


def is_address(text: str) -> bool:
    """Tell whether a checksum is the URL of a checksum file."""
    return "://" in text

"""The words of `ferry get`: every option once, read without loading the command tree, and given to it for the help.

Named tuples and a plain class, here and in what else a quick command loads: `dataclasses` takes longer to import than the rest.
"""

from collections.abc import Sequence
from getopt import GetoptError, gnu_getopt
from typing import Final, NamedTuple

from ferryman.core.errors import Invalid


class Option(NamedTuple):
    """One option: a flag when it has no `metavar`; `many` may be given several times.

    `queued` ones are about the queue of the daemon and mean nothing without it.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    many: bool = False
    queued: bool = False


OPTIONS: Final = (
    Option(
        "output",
        ("--output", "-o"),
        "File to write, or a folder (ends with /, or is there already).",
        "FILE|DIR/",
    ),
    Option(
        "connections", ("--connections", "-c"), "Most connections for one file, 1 to 32; 8 by default.", "N"
    ),
    Option(
        "checksum",
        ("--checksum",),
        "What the file must be: sha256, sha512, sha1, md5 or blake2b; or the URL of a checksum file.",
        "ALGO:HEX|URL",
    ),
    Option(
        "mirror", ("--mirror",), "Another address of the same file; repeat for several.", "URL", many=True
    ),
    Option("limit", ("--limit",), "Speed limit of all files together, such as 2MB/s.", "RATE"),
    Option("header", ("--header", "-H"), "Header to send; repeat for several.", "'Name: value'", many=True),
    Option("proxy", ("--proxy",), "Proxy: http://, https://, socks4://, socks5:// or socks5h://.", "URL"),
    Option("cacert", ("--cacert",), "Trust the certificates in this file instead of the system's.", "FILE"),
    Option("cert", ("--cert",), "Client certificate to show, PEM.", "FILE"),
    Option("key", ("--key",), "Its private key, when it is not in the same file.", "FILE"),
    Option("insecure", ("--insecure", "-k"), "Take any certificate. The checksum is all that protects you."),
    Option(
        "user", ("--user", "-u"), "User name for the server; the password is read from --password.", "NAME"
    ),
    Option(
        "password",
        ("--password",),
        "Where the password is: env:NAME, or a file; asked for when left out.",
        "env:NAME|FILE",
    ),
    Option("bearer", ("--bearer",), "Where a bearer token is: env:NAME, or a file.", "env:NAME|FILE"),
    Option("cookies", ("--cookies",), "Send the cookies of this file, in Netscape's format.", "FILE"),
    Option(
        "overwrite",
        ("--overwrite",),
        "When the file is there already: ask, rename, overwrite or skip; ask by default.",
        "WHAT",
    ),
    Option(
        "input",
        ("--input", "-i"),
        "File with one source on each line, maybe with sha256:… and out=NAME; - reads standard input.",
        "LIST|-",
    ),
    Option("unpack", ("--unpack",), "Unpack what arrives beside it: zip, tar, 7z, gz, bz2, xz, zst."),
    Option("base", ("--base",), "Where the files of checksum lines in the list are.", "URL"),
    Option("json", ("--json",), "Print one JSON document at the end: the result, or several under items."),
    Option("quiet", ("--quiet", "-q"), "Print nothing but errors."),
    Option("detach", ("--detach", "-d"), "Hand it to the running daemon, print the job's id, do not wait."),
    Option(
        "priority",
        ("--priority",),
        "With --detach: 0 runs first, 9 last; 5 is normal.",
        "NUMBER",
        queued=True,
    ),
    Option("category", ("--category",), "With --detach: what it is filed under.", "NAME", queued=True),
    Option(
        "at",
        ("--at",),
        "With --detach: not before 22:30, 2026-12-24T18:00, or 2h from now.",
        "TIME",
        queued=True,
    ),
    Option(
        "window",
        ("--window",),
        "With --detach: only in this time of day of the daemon, such as 22:00-06:00.",
        "FROM-TO",
        queued=True,
    ),
)

HELP: Final = (
    "Fetch files: over several connections, resumed after any interruption, verified.\n\n"
    "Works without a daemon. What is interrupted, even by kill -9 or a power cut, goes on where it was when the same "
    "command runs again."
)
SOURCES_HELP: Final = (
    "URL (http, https, ftp, ftps), where [01-20], [a-f] and {one,two} stand for many, or a Metalink file (.meta4), here or "
    "at a URL. Images (docker://…, oci:…) go into the depot, with the options of 'ferry copy'."
)
EXAMPLES: Final = (
    "ferry get https://example.org/image.iso",
    "ferry get https://example.org/image.iso -o images/ --checksum https://example.org/SHA256SUMS",
    "ferry get https://example.org/a.tar.gz https://example.org/b.tar.gz -o downloads/ --limit 20MB/s",
    "ferry get https://one.example.org/x.iso --mirror https://two.example.org/x.iso -c 16",
    "ferry get --input list.txt --overwrite skip --json",
    "ferry get 'https://example.org/part-[01-20].zip' -o parts/",
    "ferry get --input SHA256SUMS --base https://example.org/release/ -o release/",
    "ferry get https://example.org/source.tar.xz --unpack",
    "ferry get https://example.org/image.iso --detach",
    "ferry get https://example.org/image.iso --detach --at 22:30 --priority 2",
    "ferry get docker://quay.io/team/app:1.2",
)


class Words:
    """What was typed. An option that was not given is None, empty or false."""

    __slots__ = ("flags", "lists", "sources", "values")

    def __init__(
        self,
        sources: tuple[str, ...] = (),
        values: dict[str, str] | None = None,
        lists: dict[str, list[str]] | None = None,
    ) -> None:
        """Begin with `sources`, the texts of options, and no flags."""
        self.sources = sources
        self.values = values if values is not None else {}
        self.lists = lists if lists is not None else {}
        self.flags: set[str] = set()

    def value(self, name: str) -> str | None:
        """Return the text of an option, None when it was not given."""
        return self.values.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every text of an option that may be repeated."""
        return tuple(self.lists.get(name, ()))

    def has(self, name: str) -> bool:
        """Tell whether a flag was given."""
        return name in self.flags


def read_words(
    arguments: Sequence[str], options: Sequence[Option] = OPTIONS, command: str = "ferry get"
) -> Words:
    """Read the arguments after `command`; options and sources may be mixed. Raises `Invalid` (`usage`)."""
    by_flag = {flag: option for option in options for flag in option.flags}
    short = "".join(flag[1] + ":" * bool(by_flag[flag].metavar) for flag in by_flag if len(flag) == 2)
    long = [flag[2:] + "=" * bool(by_flag[flag].metavar) for flag in by_flag if len(flag) > 2]
    try:
        typed, sources = gnu_getopt(list(arguments), short, long)
    except GetoptError as error:
        raise Invalid(
            "usage",
            f"{error.msg[:1].upper()}{error.msg[1:]}.",
            advice=f"See '{command} --help' for what can be typed.",
        ) from error
    words = Words(tuple(sources))
    for flag, text in typed:
        option = by_flag[flag]
        if not option.metavar:
            words.flags.add(option.name)
        elif option.many:
            words.lists.setdefault(option.name, []).append(text)
        else:
            words.values[option.name] = text
    return words

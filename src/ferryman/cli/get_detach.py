"""`ferry get --detach`: hand the downloads to the daemon and return."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from ferryman.cli.client import Client, connect
from ferryman.cli.get_options import connections_of, overwrite_of, password_of, proxy_of, secret_from
from ferryman.cli.get_plan import read_list
from ferryman.cli.get_words import Words
from ferryman.cli.moments import moment_of
from ferryman.cli.output import line, note, print_json
from ferryman.core.errors import Conflict, Invalid
from ferryman.core.units import parse_rate

_FILES = {"cacert": "ca", "cert": "client_cert", "key": "client_key", "cookies": "cookies"}
"""Options that name files, and the fields of the order that take their text."""
_LARGEST = 1024 * 1024
_CHOICES = {
    "exists": (("r", "rename", "keep both"), ("o", "overwrite", "replace"), ("s", "skip", "skip")),
    "duplicate": (("a", "add", "add again"), ("s", "skip", "skip")),
}
"""What can be answered about what is in the way: letter, value, words."""


def detach(words: Words) -> int:
    """Add the downloads and print their ids. Raises `Invalid` for what only works without a daemon."""
    order = order_of(words)
    asks = sys.stdin.isatty() and not words.has("json") and not words.has("quiet")
    if asks:
        order = {"overwrite": "ask", "duplicates": "ask", **order}
    answer = _added(connect(), order, asks=asks)
    jobs = answer["items"]
    if words.has("json"):
        print_json(jobs[0] if len(jobs) == 1 else answer)
    elif not words.has("quiet"):
        for job in jobs:
            line(f"{job['id']}  {job['state']}  {job['title']}")
        if len(answer["ids"]) > len(jobs):
            note(f"And {len(answer['ids']) - len(jobs)} more.")
        if jobs:
            note(f"See how far it is: ferry jobs {'show ' + jobs[0]['id'] if len(jobs) == 1 else 'list'}")
        for one in answer["refused"]:
            note(f"Left out: {one['url']}: {one['detail']}")
    return 0


def order_of(words: Words) -> dict[str, Any]:
    """Return the body for the API. What the daemon decides better is left to it."""
    order: dict[str, Any] = {**_sources(words), **_place(words.value("output"))}
    if (checksum := words.value("checksum")) is not None:
        order["checksum"] = checksum
    if (rate := words.value("limit")) is not None:
        parse_rate(rate)
        order["rate_limit"] = rate
    if (connections := words.value("connections")) is not None:
        order["connections"] = connections_of(connections)
    if (overwrite := words.value("overwrite")) is not None:
        order["overwrite"] = str(overwrite_of(overwrite))
    if (proxy := proxy_of(words.value("proxy"))) is not None:
        order["proxy"] = proxy
    if (category := words.value("category")) is not None:
        order["category"] = category
    if headers := words.all("header"):
        order["headers"] = list(headers)
    if words.has("insecure"):
        order["insecure"] = True
    if words.has("unpack"):
        order["unpack"] = True
    return order | _turn(words) | _secrets(words) | _files(words)


def _turn(words: Words) -> dict[str, Any]:
    """Return when its turn comes. Raises `Invalid` (`priority_invalid`, `moment_invalid`)."""
    found: dict[str, Any] = {}
    if (priority := words.value("priority")) is not None:
        if priority not in set("0123456789"):
            raise Invalid(
                "priority_invalid", f"'{priority[:40]}' is no priority.", advice="Use 0 (first) to 9 (last)."
            )
        found["priority"] = int(priority)
    if (at := words.value("at")) is not None:
        found["not_before"] = moment_of(at, datetime.now().astimezone()).isoformat()
    if (window := words.value("window")) is not None:
        found["window"] = window
    return found


def _sources(words: Words) -> dict[str, Any]:
    """Return what to fetch: addresses, the text of a list, the files of Metalinks."""
    urls, entries = [], []
    for source in words.sources:
        if (
            "://" not in source
            and source.lower().endswith((".meta4", ".metalink"))
            and Path(source).is_file()
        ):
            entries += _metalink(Path(source))
        else:
            urls.append(source)
    if mirrors := words.all("mirror"):
        if len(urls) != 1:
            raise Invalid(
                "mirror_of_many",
                f"--mirror cannot belong to {len(urls)} files.",
                advice="Write the mirrors beside each URL in a list, and use --input.",
            )
        urls = [" ".join((urls[0], *mirrors))]
    found: dict[str, Any] = {"urls": urls, "entries": entries}
    if (listed := words.value("input")) is not None:
        found["text"] = read_list(listed)
        found["base"] = words.value("base")
    found = {name: value for name, value in found.items() if value}
    if not found:
        raise Invalid(
            "nothing_to_fetch", "Nothing says what to fetch.", advice="Give a URL, or a list with --input."
        )
    return found


def _metalink(path: Path) -> list[dict[str, Any]]:
    """Return the files of a Metalink as entries of an order."""
    from ferryman.transfer.metalink import parse_metalink  # noqa: PLC0415 - the XML parser is slow to import

    entries = []
    for file in parse_metalink(path.read_bytes()):
        folder, _, name = file.path.rpartition("/")
        entry: dict[str, Any] = {"urls": [source.url for source in file.sources[:100]], "name": name}
        entry |= {"folder": folder} if folder else {}
        entry |= {"checksum": str(file.checksum)} if file.checksum else {}
        entry |= {"size": file.size} if file.size is not None else {}
        entries.append(entry)
    return entries


def _files(words: Words) -> dict[str, str]:
    """Return the texts of certificates and cookies: the daemon may be elsewhere and reads no files of ours."""
    found: dict[str, str] = {}
    for option, name in _FILES.items():
        if (path := words.value(option)) is None:
            continue
        try:
            with Path(path).expanduser().open(encoding="utf-8") as file:
                found[name] = file.read(_LARGEST)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise Invalid(
                "file_unreadable",
                f"The file '{path[:200]}' of --{option} cannot be read: {reason}.",
                advice="Check its path.",
            ) from error
    return found


def _added(client: Client, order: dict[str, Any], *, asks: bool) -> dict[str, Any]:
    """Send the order; what is in its way is asked about at the terminal, once for each kind of thing."""
    while True:
        try:
            answer: dict[str, Any] = client.post("/api/v1/downloads", order)
        except Conflict as error:
            conflicts = error.details.get("conflicts") or []
            kinds = dict.fromkeys(str(one.get("kind")) for one in conflicts if isinstance(one, dict))
            if not asks or not kinds or not set(kinds) <= set(_CHOICES):
                raise
            note(error.message)
            for kind in kinds:
                order["overwrite" if kind == "exists" else "duplicates"] = _choice(kind)
        else:
            return answer


def _choice(kind: str) -> str:
    choices = _CHOICES[kind]
    question = ", ".join(f"[{letter}] {words}" for letter, _, words in choices)
    while True:
        sys.stderr.write(f"{question}? ")
        sys.stderr.flush()
        typed = sys.stdin.readline()
        if not typed:
            raise Invalid(
                "nothing_chosen", "Nothing was chosen; nothing was added.", advice="Use --overwrite."
            )
        for letter, value, _ in choices:
            if typed.strip().lower() in {letter, value}:
                return value


def _place(output: str | None) -> dict[str, str]:
    if output is None:
        return {}
    if Path(output).is_absolute() or output.startswith("~"):
        raise Invalid(
            "detach_target",
            f"The daemon does not write to '{output}': its files go below its download folder.",
            advice="Give a relative folder that ends with /, or a name.",
        )
    folder, _, name = output.rpartition("/")
    return {key: value for key, value in (("folder", folder), ("name", name)) if value}


def _secrets(words: Words) -> dict[str, str]:
    found: dict[str, str] = {}
    if (user := words.value("user")) is not None:
        name, colon, typed = user.partition(":")
        found = {"username": name, "password": typed if colon else password_of(words, name)}
    if (bearer := words.value("bearer")) is not None:
        found["bearer"] = secret_from(bearer, "--bearer")
    return found

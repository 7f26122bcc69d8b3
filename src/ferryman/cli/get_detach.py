"""`ferry get --detach`: hand the downloads to the daemon and return."""

from pathlib import Path
from typing import Any

from ferryman.cli.client import connect
from ferryman.cli.get_options import connections_of, overwrite_of, password_of, proxy_of, secret_from
from ferryman.cli.get_plan import read_list
from ferryman.cli.get_words import Words
from ferryman.cli.output import line, note, print_json
from ferryman.core.errors import Invalid
from ferryman.core.units import parse_rate

_NOT_THERE = ("cacert", "cert", "key", "cookies")


def detach(words: Words) -> int:
    """Add the downloads and print their ids. Raises `Invalid` for what only works without a daemon."""
    order = order_of(words)
    jobs = connect().post("/api/v1/downloads", order)["items"]
    if words.has("json"):
        print_json(jobs[0] if len(jobs) == 1 else {"items": jobs})
    elif not words.has("quiet"):
        for job in jobs:
            line(f"{job['id']}  {job['state']}  {job['title']}")
        note(f"See how far it is: ferry jobs {'show ' + jobs[0]['id'] if len(jobs) == 1 else 'list'}")
    return 0


def order_of(words: Words) -> dict[str, Any]:
    """Return the body for the API. What the daemon decides better is left to it."""
    for name in _NOT_THERE:
        if words.value(name) is not None:
            raise Invalid(
                "detach_option",
                f"--{name} names a file here, which the daemon does not read.",
                advice="Leave --detach out, or let the daemon's host know the certificate.",
            )
    order: dict[str, Any] = {"urls": _urls(words), **_place(words.value("output"))}
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
    if headers := words.all("header"):
        order["headers"] = list(headers)
    if words.has("insecure"):
        order["insecure"] = True
    return order | _secrets(words)


def _urls(words: Words) -> list[str]:
    urls = list(words.sources)
    if mirrors := words.all("mirror"):
        if len(urls) != 1:
            raise Invalid(
                "mirror_of_many",
                f"--mirror cannot belong to {len(urls)} files.",
                advice="Write the mirrors beside each URL in a list, and use --input.",
            )
        urls = [" ".join((urls[0], *mirrors))]
    if (listed := words.value("input")) is not None:
        urls += lines_of(read_list(listed))
    if not urls:
        raise Invalid(
            "nothing_to_fetch", "Nothing says what to fetch.", advice="Give a URL, or a list with --input."
        )
    return urls


def lines_of(text: str) -> list[str]:
    """Return the entries of a list, each on one line: indented options join the line they belong to."""
    entries: list[str] = []
    for raw in text.lstrip("\ufeff").splitlines():
        content = raw.strip()
        if not content or content.startswith("#"):
            continue
        if raw[0].isspace() and entries:
            entries[-1] += f" {content}"
        else:
            entries.append(content)
    return entries


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

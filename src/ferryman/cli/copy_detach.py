"""`ferry copy --detach` and `--through-daemon`: hand the copy to the daemon, and maybe wait for it. Loads little."""

import os
from json import dumps
from typing import TYPE_CHECKING, Any, Final

from ferryman.cli.copy import report_result
from ferryman.cli.get_words import Words
from ferryman.cli.output import line, note, print_json
from ferryman.cli.problems import FAILED
from ferryman.cli.quick import Quick, local_client
from ferryman.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Exhausted,
    FerryError,
    Invalid,
    NotFound,
    Unavailable,
)
from ferryman.core.units import format_size

if TYPE_CHECKING:
    from ferryman.cli.client import Client

_WAIT: Final = 25
"""Seconds of one request that waits: less than the client is patient for."""
_LARGEST: Final = 1024 * 1024
_ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
_BRANCHES: Final[dict[str, type[FerryError]]] = {
    "invalid": Invalid, "denied": Denied, "not_found": NotFound, "conflict": Conflict, "network": Unavailable,
    "timeout": Unavailable, "disk_full": Exhausted, "corrupt": Corrupt,
}  # fmt: skip


def hand_over(words: Words, pairs: list[tuple[list[str], str]]) -> int:
    """Make a job for each target and return the exit code. Raises the daemon's error, and that of a job waited for."""
    for name in ("containerd-address", "containerd-namespace", "docker-host", "replace"):
        if words.has(name) or words.value(name) is not None:
            raise Invalid(
                "options_clash",
                f"--{name} is about places on this machine, which the daemon leaves alone.",
                advice="Leave it out, or copy without --detach and --through-daemon.",
            )
    waits = words.has("through-daemon")
    client = local_client() or _other()
    orders = [_order(words, sources, target) for sources, target in pairs]
    if _has_logins():
        _add_logins(orders)
    if words.has("dry-run"):
        return _plan(client, orders, json=words.has("json"))
    jobs = []
    for order in orders:
        path = f"/api/v1/images/copies?wait={_WAIT if waits else 0}"
        job = client.post(path, order)
        while waits and job["state"] not in _ENDED:
            job = client.get(f"/api/v1/images/copies/{job['id']}", {"wait": _WAIT})
        jobs.append(job)
    if not waits:
        return _told(words, jobs)
    return max(_ended(words, job) for job in jobs)


def _other() -> "Client":
    from ferryman.cli.client import connect  # noqa: PLC0415 - loads an HTTP client, which the daemon of this home needs none of

    return connect()


def _plan(client: "Client | Quick", orders: list[dict[str, Any]], *, json: bool) -> int:
    plans = [client.post("/api/v1/images/plan", order) for order in orders]
    if json:
        print_json(plans[0] if len(plans) == 1 else {"items": plans})
        return 0
    for plan in plans:
        for image in plan["images"]:
            line(f"{image['source']} -> {image['target']}  {image.get('digest', image['state'])}")
        sums = plan["plan"]
        line(
            f"{sums['images']} images: {sums['blobs']} blobs with {format_size(sums['bytes'])} to move, "
            f"{sums['mounts']} to link at the target, {sums['there']} there."
        )
    return 0


def _told(words: Words, jobs: list[dict[str, Any]]) -> int:
    if words.has("json"):
        print_json(jobs[0] if len(jobs) == 1 else {"items": jobs})
    elif not words.has("quiet"):
        for job in jobs:
            line(f"{job['id']}  {job['state']}  {job['title']}")
        note(f"See how far it is: ferry jobs show {jobs[0]['id']}")
    return 0


def _ended(words: Words, job: dict[str, Any]) -> int:
    if job["state"] == "cancelled":
        if words.has("json"):
            print_json(job)
        note(f"The job {job['id']} was cancelled.")
        return FAILED
    if job["state"] == "failed":
        branch = _BRANCHES.get(str(job.get("reason")), Corrupt)
        raise branch(
            str(job.get("error_code") or "job_failed"),
            str(job.get("error") or "The copy failed."),
            advice=str(job.get("advice") or f"See 'ferry jobs log {job['id']}'."),
        )
    document = {**(job["result"] or {}), "job": job["id"]}
    if words.has("json"):
        print_json(document)
    else:
        report_result(document, quiet=words.has("quiet"))
    return 0


def _order(words: Words, sources: list[str], target: str) -> dict[str, Any]:
    """Return the body for the API."""
    order: dict[str, Any] = {"sources": sources, "target": target}
    if platforms := words.all("platform"):
        order["platforms"] = list(platforms)
    if words.has("no-referrers"):
        order["referrers"] = False
    if words.has("no-store"):
        order["store"] = False
    if (connections := words.value("connections")) is not None:
        from ferryman.cli.get_options import connections_of  # noqa: PLC0415 - loads what files are fetched with

        order["connections"] = connections_of(connections)
    if (rate := words.value("limit")) is not None:
        order["rate_limit"] = rate
    if (priority := words.value("priority")) is not None:
        if priority not in set("0123456789"):
            raise Invalid(
                "priority_invalid", f"'{priority[:40]}' is no priority.", advice="Use 0 (first) to 9 (last)."
            )
        order["priority"] = int(priority)
    for name, short in (("source", "src"), ("destination", "dst")):
        if side := _side(words, short):
            order[name] = side
    return order


def _side(words: Words, side: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("plain-http", "insecure"):
        if words.has(name) or words.has(f"{side}-{name}"):
            found[name.replace("-", "_")] = True
    creds = words.value(f"{side}-creds")
    if creds is not None:
        from ferryman.cli.get_options import secret_from  # noqa: PLC0415 - loads what files are fetched with

        user, _, password = secret_from(creds, f"--{side}-creds").partition(":")
        found |= {"username": user, "password": password}
    for field, names in (
        ("ca", (f"{side}-cacert", "cacert")),
        ("client_cert", ("cert",)),
        ("client_key", ("key",)),
        ("authfile", (f"{side}-authfile", "authfile")),
    ):
        option = next((one for one in names if words.value(one) is not None), None)
        if option is not None:
            found[field] = _text(words.value(option) or "", option)
    return found


def _has_logins() -> bool:
    """Tell whether `docker login` or `podman login` left a file: few machines need what reading it loads."""
    home, environ = os.path.expanduser("~"), os.environ  # noqa: PTH111 - pathlib is not loaded for it
    places = (
        environ.get("REGISTRY_AUTH_FILE") or "",
        f"{environ.get('XDG_RUNTIME_DIR') or ''}/containers/auth.json",
        f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/containers/auth.json",
        f"{environ.get('DOCKER_CONFIG') or f'{home}/.docker'}/config.json",
    )
    return any(os.path.isfile(place) for place in places)  # noqa: PTH113 - quicker


def _add_logins(orders: list[dict[str, Any]]) -> None:
    """Send the logins that are kept for the registries of each order along, where no others are named."""
    from base64 import b64encode  # noqa: PLC0415 - see below
    from pathlib import Path  # noqa: PLC0415 - see below

    from ferryman.oci.authfile import AuthFiles  # noqa: PLC0415 - loads 30 modules, and few machines keep logins
    from ferryman.oci.reference import parse_reference  # noqa: PLC0415 - see above

    files = AuthFiles(os.environ, Path.home())
    for order in orders:
        for name, places in (("source", order["sources"]), ("destination", [order["target"]])):
            side = order.get(name, {})
            if "username" in side or "authfile" in side:
                continue
            auths = {}
            for place in places:
                if not place.startswith("docker://"):
                    continue
                rest = place.removeprefix("docker://")
                named = parse_reference(rest + "x" if rest.endswith("/") else rest).name
                login = files.login(named)
                if login is not None and login.username:
                    pair = f"{login.username}:{login.password}".encode()
                    auths[named] = {"auth": b64encode(pair).decode()}
            if auths:
                order[name] = {**side, "authfile": dumps({"auths": auths})}


def _text(path: str, option: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:  # noqa: PTH111, PTH123 - see `_has_logins`
            return file.read(_LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Invalid(
            "file_unreadable",
            f"The file '{path[:200]}' of --{option} cannot be read: {reason}.",
            advice="Check its path.",
        ) from error

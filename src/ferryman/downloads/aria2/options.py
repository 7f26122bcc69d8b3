"""aria2's options to ours and back. Pure. Values are text, as aria2 has them; what we do not know is left aside."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman.downloads.aria2.gids import check_chosen
from ferryman.downloads.aria2.protocol import RpcError
from ferryman.downloads.model import DownloadSpec
from ferryman.jobs.model import Job, State
from ferryman.transfer.headers import OWN
from ferryman.transfer.model import Overwrite

Options = dict[str, Any]
UNITS: Final = {"": 1, "k": 1024, "m": 1024**2}
MOST_CONNECTIONS: Final = 32
_NUMBER: Final = re.compile(r"(\d{1,15})([km]?)", re.IGNORECASE | re.ASCII)
_FETCHED: Final = re.compile(r"(https?|ftp)://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
_OVERWRITE: Final = frozenset({"allow-overwrite", "auto-file-renaming"})
_READ: Final = frozenset(
    {
        "all-proxy", "allow-overwrite", "auto-file-renaming", "check-certificate", "checksum", "dir",
        "ftp-passwd", "ftp-proxy", "ftp-user", "gid", "header", "http-passwd", "http-proxy", "http-user", "https-proxy",
        "max-connection-per-server", "max-download-limit", "out", "pause", "referer", "split", "user-agent",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to add: fields of a `DownloadOrder`, and what the order has no word for."""

    fields: dict[str, Any]
    paused: bool = False
    gid: str | None = None


def entry(uris: Iterable[str], options: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return `uris`, mirrors of one file, as an entry of an order, with its place below `root`. Raises `RpcError`."""
    folder, name = place(options, root)
    found = {"urls": addresses(uris), "folder": folder, "name": name, "checksum": _checksum(options)}
    return {key: value for key, value in found.items() if value}


def wanted(entries: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> Wanted:
    """Return the order of `entries` with what `options` say of all of them. Raises `RpcError`.

    What they do not say is left out of the order: there the rules of Ferryman may have their say.
    """
    first = str(entries[0]["urls"][0]).lower()
    scheme = first.partition("://")[0]
    login = "ftp" if scheme == "ftp" else "http"
    found: dict[str, Any] = {
        "entries": [dict(one) for one in entries],
        "rate_limit": None if (rate := size(options, "max-download-limit")) is None else str(rate),
        "connections": connections(options),
        "overwrite": _overwrite(options) if _OVERWRITE & options.keys() else None,
        "headers": _headers(options) or None,
        "username": _text(options, f"{login}-user"),
        "password": _text(options, f"{login}-passwd"),
        "proxy": _proxy(options, scheme),
        "insecure": True if _text(options, "check-certificate") == "false" else None,
    }
    chosen = _text(options, "gid")
    return Wanted(
        {key: value for key, value in found.items() if value is not None},
        paused=_text(options, "pause") == "true",
        gid=check_chosen(chosen) if chosen else None,
    )


def changed(options: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Read what `aria2.changeOption` changes, as fields of a `DownloadChange`. Raises `RpcError`."""
    found: dict[str, Any] = {}
    if (rate := size(options, "max-download-limit")) is not None:
        found["rate_limit"] = str(rate)
    if (most := connections(options)) is not None:
        found["connections"] = most
    folder, name = place(options, root)
    if _text(options, "dir") is not None or (name is not None and folder):
        found["folder"] = folder
    if name is not None:
        found["name"] = name
    if (digest := _checksum(options)) is not None:
        found["checksum"] = digest
    if _OVERWRITE & options.keys():
        found["overwrite"] = _overwrite(options)
    return found


def addresses(uris: Iterable[str]) -> list[str]:
    """Return the addresses we can fetch from. Raises `RpcError` when there is none."""
    given = [uri.strip().replace(" ", "%20") for uri in uris]
    if not given:
        raise RpcError("URI is not provided.")
    if any(uri.lower().startswith("magnet:") for uri in given):
        raise RpcError("Magnet links are not supported: Ferryman fetches over HTTP, HTTPS and FTP.")
    usable = [uri for uri in given if _FETCHED.fullmatch(uri)]
    if not usable:
        raise RpcError("No URI to download. Ferryman fetches over HTTP, HTTPS and FTP.")
    return list(dict.fromkeys(usable))


def place(options: Mapping[str, Any], root: Path) -> tuple[str, str | None]:
    """Return folder below `root` and name of the file, None when none is given. Raises `RpcError` for other folders."""
    folder = below(_text(options, "dir") or "", root)
    out = _text(options, "out") or ""
    parts = [part for part in out.split("/") if part not in {"", "."}]
    if not parts:
        return folder, None
    if ".." in parts or out.startswith("/"):
        raise RpcError(f"The option out is '{out[:200]}', which leads out of the folder. Give a plain name.")
    return "/".join([*([folder] if folder else []), *parts[:-1]]), parts[-1]


def below(folder: str, root: Path) -> str:
    """Return `folder`, absolute or not, as it is below `root`. Raises `RpcError` when it is elsewhere."""
    if not folder:
        return ""
    base = os.path.normpath(root)
    found = os.path.normpath(os.path.join(base, folder))  # noqa: PTH118 - pathlib keeps '..', and asks the disk
    if found == base:
        return ""
    if not found.startswith(f"{base}/") or "\0" in folder:
        raise RpcError(
            f"The option dir is '{folder[:200]}', which is not below the download folder '{base}'. "
            "Give a folder below it, or none."
        )
    return found[len(base) + 1 :]


def connections(options: Mapping[str, Any]) -> int | None:
    """Return the most connections: those of `split`, and no more than go to a server. Raises `RpcError`."""
    given = [
        value for name in ("split", "max-connection-per-server") if (value := size(options, name)) is not None
    ]
    return None if not given else max(1, min(MOST_CONNECTIONS, given[0]))


def size(options: Mapping[str, Any], name: str) -> int | None:
    """Return a number as aria2 reads it, `K` and `M` being powers of two; None when it is not given. Raises `RpcError`."""
    text = _text(options, name)
    if text is None:
        return None
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        raise RpcError(
            f"We encountered a problem while processing the option '--{name}': '{text[:40]}' is no number such as "
            "0, 500K or 2M."
        )
    return int(found[1]) * UNITS[found[2].lower()]


def ignored(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of options that have no effect here."""
    return tuple(sorted(name[:60] for name in options if name not in _READ))


def of_job(job: Job, spec: DownloadSpec, root: Path) -> dict[str, str]:
    """Return what `aria2.getOption` tells of a download. Headers, users and passwords are never told."""
    told = defaults(spec.connections) | {
        "dir": str(root / spec.folder) if spec.folder else str(root),
        "max-download-limit": str(spec.rate_limit),
        "allow-overwrite": _word(spec.overwrite is Overwrite.OVERWRITE),
        "auto-file-renaming": _word(spec.overwrite is Overwrite.RENAME),
        "pause": _word(job.state is State.PAUSED),
    }
    if spec.name:
        told["out"] = spec.name
    if spec.checksum:
        algorithm, _, digits = spec.checksum.partition(":")
        told["checksum"] = f"{re.sub('^sha', 'sha-', algorithm)}={digits}"
    return told


def overall(root: Path, *, connections: int, rate: int, at_once: int) -> dict[str, str]:
    """Return what `aria2.getGlobalOption` tells."""
    return defaults(connections) | {
        "dir": str(root),
        "max-concurrent-downloads": str(at_once),
        "max-overall-download-limit": str(rate),
        "max-overall-upload-limit": "0",
        "max-download-limit": "0",
        "max-download-result": "1000",
        "enable-rpc": "true",
        "allow-overwrite": "false",
        "auto-file-renaming": "true",
        "check-certificate": "true",
    }


def defaults(most: int) -> dict[str, str]:
    """Return what always holds, in aria2's words."""
    return {
        "always-resume": "true",
        "continue": "true",
        "file-allocation": "none",
        "max-connection-per-server": str(most),
        "max-tries": "0",
        "max-upload-limit": "0",
        "min-split-size": "1048576",
        "split": str(most),
    }


def _word(value: bool) -> str:
    return "true" if value else "false"


def _text(options: Mapping[str, Any], name: str) -> str | None:
    """Return an option as text. Numbers and truth values, which aria2 leaves aside, count as what they say."""
    value = options.get(name)
    if isinstance(value, bool | int):
        return str(value).lower()
    return value if isinstance(value, str) and value else None


def _checksum(options: Mapping[str, Any]) -> str | None:
    text = _text(options, "checksum")
    return None if text is None else text.replace("=", ":", 1)


def _overwrite(options: Mapping[str, Any]) -> Overwrite:
    if _text(options, "allow-overwrite") == "true":
        return Overwrite.OVERWRITE
    return Overwrite.ASK if _text(options, "auto-file-renaming") == "false" else Overwrite.RENAME


def _headers(options: Mapping[str, Any]) -> list[str]:
    """Return header lines without those the engine sets itself; extensions pass on all that a browser sends."""
    given = options.get("header")
    lines = [line for line in given if isinstance(line, str)] if isinstance(given, list) else []
    if isinstance(given, str):
        lines = [line for line in given.splitlines() if line.strip()]
    for name, option in (("User-Agent", "user-agent"), ("Referer", "referer")):
        value = _text(options, option)
        if value is not None and value != "*" and not any(_name(line) == name.lower() for line in lines):
            lines.append(f"{name}: {value}")
    return [line for line in lines if _name(line) not in OWN]


def _name(line: str) -> str:
    return line.partition(":")[0].strip().lower()


def _proxy(options: Mapping[str, Any], scheme: str) -> str | None:
    text = _text(options, f"{scheme}-proxy") or _text(options, "all-proxy")
    if text is None:
        return None
    return text if "://" in text else f"http://{text}"

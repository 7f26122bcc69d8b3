"""The errors of this room, each with the value that was wrong and what to do. Pure."""

import errno
from pathlib import Path

from ferryman.core.digests import Digest
from ferryman.core.errors import Corrupt, Denied, Exhausted, FerryError, Invalid, NotFound, Unavailable


def disk_error(error: OSError, path: Path) -> FerryError:
    """Translate what the file system said about `path`."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Exhausted(
            "disk_full",
            f"No room left for '{path}' ({error.strerror}).",
            advice="Free some space, then start the same transfer again: it goes on where it stopped.",
        )
    if error.errno == errno.EFBIG:
        return Invalid("file_too_large", f"'{path}' is larger than its file system or a limit allows.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Denied(
            "target_unwritable",
            f"'{path}' cannot be written ({error.strerror}).",
            advice="Choose another folder.",
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}:
        return Invalid(
            "target_invalid",
            f"'{path}' cannot be written ({error.strerror}).",
            advice="Choose another target.",
        )
    return Unavailable("disk_error", f"Writing '{path}' failed: {error.strerror or error}.")


def mismatch(target: Path, expected: Digest, actual: Digest, aside: Path) -> Corrupt:
    """The file is complete but not the one that was promised."""
    return Corrupt(
        "checksum_mismatch",
        f"'{target.name}' has {actual}, but {expected} was expected.",
        advice=f"The data was kept as '{aside}'. Check the checksum, or fetch from another source.",
    )


def status_error(status: int, url: str) -> FerryError:
    """The error for an answer that will not get better by asking again at once."""
    where = shown(url)
    if status == 401:
        return Denied(
            "auth_required", f"{where} wants credentials (401).", advice="Give user and password, or a token."
        )
    if status == 403:
        return Denied(
            "forbidden", f"{where} refuses access (403).", advice="Check the URL and your credentials."
        )
    if status == 407:
        return Denied("proxy_auth_required", f"The proxy wants credentials for {where} (407).")
    if status in {404, 410}:
        return NotFound("source_not_found", f"{where} does not exist ({status}).", advice="Check the URL.")
    if status in {408, 425, 429} or status >= 500:
        return Unavailable("server_error", f"{where} answered {status}.", advice="Try again later.")
    return Invalid("source_refused", f"{where} answered {status}.", advice="Check the URL.")


def shown(url: str) -> str:
    """A URL for messages: without credentials and query, which may hold secrets."""
    bare = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = bare.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"

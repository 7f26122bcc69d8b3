"""The errors of this room, each with the value that was wrong and what to do. Pure."""

import errno
from pathlib import Path
from typing import Final

from ferryman.core.digests import Digest
from ferryman.core.durable import is_full
from ferryman.core.errors import Corrupt, Denied, Exhausted, FerryError, Invalid, NotFound, Unavailable

UNREACHED: Final = frozenset({"connect_failed", "connect_timeout", "name_unresolved", "proxy_unresolved"})
"""Codes of errors that say: nobody was there. From who never answered, they are final sooner than others."""


def disk_error(error: OSError, path: Path) -> FerryError:
    """Translate what the file system said about `path`."""
    if is_full(error):
        return Exhausted(
            "disk_full",
            f"No room left for '{path}' ({error.strerror}).",
            advice="Free some space, then start the same transfer again: it goes on where it stopped.",
        )
    if error.errno == errno.EFBIG:
        return Invalid(
            "file_too_large",
            f"'{path}' is larger than its file system or a limit allows.",
            advice="Choose another folder.",
        )
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
        return Denied(
            "proxy_auth_required",
            f"The proxy wants credentials for {where} (407).",
            advice="Write them into the proxy's URL: http://user:password@host:port.",
        )
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


_CURL_CODES = {
    5: ("proxy_unresolved", "the proxy cannot be found"),
    6: ("name_unresolved", "the host cannot be found"),
    7: ("connect_failed", "no connection"),
    28: ("connect_timeout", "no answer in time"),
    31: ("range_wrong", "the server cannot start in the middle"),
    97: ("proxy_failed", "the proxy refused"),
}
_INVALID = {
    1: ("url_invalid", "Check the URL."),
    3: ("url_invalid", "Check the URL."),
    58: ("client_cert_invalid", "Give a PEM certificate and its PEM key."),
    77: ("ca_invalid", "Give a PEM file of CA certificates."),
}


def curl_error(code: int, message: str, url: str) -> FerryError:
    """Translate libcurl's result codes (`man libcurl-errors`)."""
    where = shown(url)
    if code in {9, 67}:
        return Denied(
            "auth_required", f"{where} refuses access ({message}).", advice="Give user and password."
        )
    if code == 78 or (code == 19 and "550" in message):
        return NotFound("source_not_found", f"{where} does not exist.", advice="Check the URL.")
    if code == 60:
        return Denied(
            "certificate_untrusted",
            f"{where}: the certificate is not trusted ({message}).",
            advice="Give the CA's certificate with --cacert, or check the host name.",
        )
    if code in _INVALID:
        wrong, advice = _INVALID[code]
        return Invalid(wrong, f"'{where}' cannot be fetched ({message}).", advice=advice)
    name, words = _CURL_CODES.get(code, ("connection_lost", "the transfer broke off"))
    return Unavailable(name, f"{where}: {words} ({message}).", advice="Try again later.")


def tls_error(url: str, error: Exception) -> FerryError:
    """Say why no secure connection came about."""
    import ssl  # noqa: PLC0415 - whoever has such an error has loaded it

    if isinstance(error, ssl.SSLCertVerificationError):
        return Denied(
            "certificate_untrusted",
            f"{shown(url)}: the certificate is not trusted ({error.verify_message}).",
            advice="Give the CA's certificate with --cacert, or check the host name.",
        )
    reason = getattr(error, "reason", None) or error
    return Unavailable("tls_failed", f"{shown(url)}: no secure connection ({reason}).")

"""Certificates and keys as PEM text (RFC 7468), checked before anybody relies on them. Never shows what is secret."""

import re
from typing import Final

from ferryman.core.errors import Invalid

_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"
_KEY: Final = re.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.{0,65536}?-----END (?:[A-Z]+ )?PRIVATE KEY-----", re.DOTALL
)
_TRUST: Final = "Paste the PEM text of the certificates to trust."
_PAIR: Final = "Paste the PEM certificate, and its PEM key without a passphrase."


def check_ca(text: str) -> str:
    """Return PEM certificates to trust. Raises `Invalid` (`ca_invalid`)."""
    from cryptography import x509  # noqa: PLC0415 - slow to import, and rarely needed

    if _CERTIFICATE not in text:
        raise Invalid(
            "ca_invalid", "What was given as certificate authority is no PEM certificate.", advice=_TRUST
        )
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise Invalid("ca_invalid", "The certificate cannot be read.", advice=_TRUST) from error
    return f"{text.strip()}\n"


def check_pair(certificate: str, key: str | None) -> tuple[str, str]:
    """Return a PEM certificate and its key, which may stand in one text. Raises `Invalid` (`client_cert_invalid`)."""
    from cryptography import x509  # noqa: PLC0415 - as above
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    found = _KEY.search(key or certificate)
    if _CERTIFICATE not in certificate:
        raise _no_pair("This is no PEM certificate")
    if found is None:
        raise _no_pair("The certificate has no key")
    try:
        mine = load_pem_private_key(found[0].encode(), None).public_key()
        theirs = x509.load_pem_x509_certificates(certificate.encode())[0].public_key()
        same = len(
            {one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for one in (mine, theirs)}
        )
    except TypeError as error:
        raise _no_pair("The key has a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_pair("The certificate or its key cannot be read") from error
    if same != 1:
        raise _no_pair("The key does not belong to the certificate")
    return f"{certificate.strip()}\n", f"{found[0]}\n"


def _no_pair(what: str) -> Invalid:
    return Invalid("client_cert_invalid", f"{what}.", advice=_PAIR)

"""TLS settings of requests, built once per distinct set: reading the system's certificates takes a while."""

import ssl
from pathlib import Path

from ferryman.core.errors import Invalid
from ferryman.transfer.model import Options


class Contexts:
    """Contexts by CA, client certificate and `insecure`. Loop only."""

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[tuple[Path | None, Path | None, Path | None, bool], ssl.SSLContext] = {}

    def get(self, options: Options) -> ssl.SSLContext:
        """The context for these options. Raises `Invalid` (`ca_invalid`, `client_cert_invalid`)."""
        key = (options.ca, options.client_cert, options.client_key, options.insecure)
        if key not in self._known:
            self._known[key] = _build(options)
        return self._known[key]


def _build(options: Options) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except (OSError, ValueError) as error:
        raise Invalid(
            "ca_invalid", f"'{options.ca}' holds no CA certificates ({error}).", advice="Give a PEM file."
        ) from error
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert:
        try:
            context.load_cert_chain(options.client_cert, options.client_key)
        except (OSError, ValueError) as error:
            raise Invalid(
                "client_cert_invalid",
                f"'{options.client_cert}' with its key cannot be used ({error}).",
                advice="Give a PEM certificate and its PEM key.",
            ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context

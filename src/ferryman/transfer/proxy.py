"""Which proxy a URL goes through: the one given, else the one of the environment. Pure."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from ferryman.transfer.model import Options


def proxy_for(url: str, options: Options, environ: Mapping[str, str]) -> str | None:
    """The proxy's URL, or None for a direct connection. `HTTP_PROXY` in capitals is ignored, as everywhere."""
    if options.proxy:
        return options.proxy
    if options.no_proxy_env:
        return None
    parts = urlsplit(url)
    names = [f"{parts.scheme}_proxy", f"{parts.scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    if parts.scheme == "http":
        names.remove("HTTP_PROXY")  # a CGI server sets it from a request's Proxy header
    found = next((environ[name] for name in names if environ.get(name)), None)
    if found and _excluded(parts.hostname or "", environ.get("no_proxy") or environ.get("NO_PROXY") or ""):
        return None
    return found


def _excluded(host: str, no_proxy: str) -> bool:
    for entry in no_proxy.replace(",", " ").split():
        pattern = entry.lower().removeprefix("*").removeprefix(".")
        if entry == "*" or host == pattern or host.endswith(f".{pattern}"):
            return True
    return False

"""Where Ferryman keeps what it owns."""

import os
from pathlib import Path


def default_home() -> Path:
    """Return `$FERRY_HOME`, else `$XDG_DATA_HOME/ferryman`, else `~/.local/share/ferryman`."""
    if chosen := os.environ.get("FERRY_HOME"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "ferryman"

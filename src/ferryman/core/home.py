"""Where Ferryman keeps what it owns."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def default_home() -> "Path":
    """Return `$FERRY_HOME`, else `$XDG_DATA_HOME/ferryman`, else `~/.local/share/ferryman`."""
    from pathlib import Path  # noqa: PLC0415 - 5 ms, which commands that only ask for the name do not pay

    return Path(home_folder())


def home_folder() -> str:
    """Return `default_home` as a text."""
    if chosen := os.environ.get("FERRY_HOME"):
        return os.path.abspath(os.path.expanduser(chosen))  # noqa: PTH100, PTH111 - see above
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111 - see above
    return f"{base}/ferryman"

"""What a download is asked to be, as the API takes it and as the ledger keeps it."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ferryman.transfer.model import Overwrite
from ferryman.web.shapes import PRINTABLE

KIND: Final = "download"
MOST: Final = 1000
"""Downloads one request may add."""
ATTEMPTS: Final = 20
"""Attempts of one download: with their back-off about two hours without any network."""

_LINE: Final = r"^(https?|ftps?)://[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(\.[a-z][a-z0-9]{0,20})*(:[1-9][0-9]{0,3})?(/[a-z0-9._~-]{1,40}){1,8}$"
_RATE: Final = r"^[0-9]{1,9}(\.[0-9]{1,3})?([kmgKMG]i?)?[bB]?(/s)?$"
_FOLDER: Final = r"^([a-z0-9_][a-z0-9_-]{0,60}(/[a-z0-9_][a-z0-9_-]{0,60}){0,5})?$"
_NAME: Final = r"^[a-z0-9_][a-z0-9_-]{0,60}\.[a-z0-9]{1,10}x$"
_HEADER: Final = r"^X-[A-Za-z]{1,40}: [a-zA-Z0-9 ]{1,200}$"

# The patterns in the description say what is surely taken; what is taken beyond them is checked with better words.
Line = Annotated[
    str, Field(min_length=1, max_length=20_000, pattern=PRINTABLE, json_schema_extra={"pattern": _LINE})
]
Text = Annotated[str, Field(max_length=1000, pattern=PRINTABLE)]


class DownloadOrder(BaseModel):
    """One or many downloads with the same options.

    Each of `urls` is one file: a URL, further URLs of the same file after spaces, and maybe `ALGO:HEX`, `out=NAME`,
    `dir=FOLDER` and `header=Name:value`. `checksum` and `name` are for a single file. `folder` is below the download
    folder. Credentials are kept encrypted and never shown again.
    """

    model_config = ConfigDict(extra="forbid")

    urls: Annotated[list[Line], Field(min_length=1, max_length=MOST)]
    checksum: Text | None = Field(
        None,
        description="`ALGO:HEX`, or the URL of a checksum file.",
        json_schema_extra={"pattern": "^sha256:[0-9a-f]{64}$"},
    )
    folder: Text = Field(
        "", description="Folder below the download folder.", json_schema_extra={"pattern": _FOLDER}
    )
    name: Text | None = Field(
        None, description="Name of the file, for a single one.", json_schema_extra={"pattern": _NAME}
    )
    rate_limit: Text = Field(
        "0",
        description="Speed limit, such as `2MB/s`; 0 means none.",
        json_schema_extra={"pattern": _RATE},
    )
    connections: Annotated[int, Field(ge=1, le=32)] | None = Field(
        None, description="Most connections to use."
    )
    overwrite: Overwrite = Field(
        Overwrite.RENAME, description="What to do when the file exists; `ask` fails and says so."
    )
    priority: Annotated[int, Field(ge=0, le=9)] = Field(5, description="0 runs first, 9 last.")
    headers: Annotated[
        list[Annotated[Text, Field(json_schema_extra={"pattern": _HEADER})]], Field(max_length=50)
    ] = Field([], description="Lines `Name: value`.")
    username: Text | None = Field(None, description="User name for the server.")
    password: Text | None = Field(None, description="Its password.")
    bearer: Text | None = Field(
        None,
        description="Bearer token for the server.",
        json_schema_extra={"pattern": "^[A-Za-z0-9._~+/-]{1,200}$"},
    )
    proxy: Text | None = Field(
        None,
        description="URL of an HTTP or SOCKS proxy; needs the right to reach private addresses.",
        json_schema_extra={"pattern": "^(https?|socks5h?)://[a-z0-9]{1,40}:[1-9][0-9]{1,3}$"},
    )
    insecure: bool = Field(False, description="Take any certificate: only a checksum protects you then.")


class DownloadSpec(BaseModel):
    """A download in the ledger. `sealed` holds what is secret, encrypted; rates are bytes per second.

    `private` says that whoever asked may reach private addresses.
    """

    urls: list[str]
    folder: str = ""
    name: str | None = None
    checksum: str | None = None
    checksum_url: str | None = None
    connections: int = 8
    rate_limit: int = 0
    overwrite: Overwrite = Overwrite.RENAME
    insecure: bool = False
    private: bool = False
    sealed: str | None = None


class Secrets(BaseModel):
    """The secret part of a download, before it is sealed. Headers and proxies may carry credentials."""

    headers: list[tuple[str, str]] = []
    username: str | None = None
    password: str | None = None
    bearer: str | None = None
    proxy: str | None = None

    def any(self) -> bool:
        """Tell whether there is anything to keep."""
        return self != Secrets()

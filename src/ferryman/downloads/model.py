"""What a download is asked to be, as the API takes it and as the ledger keeps it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ferryman.transfer.model import Overwrite
from ferryman.web.shapes import PRINTABLE

KIND = "download"
MOST = 1000
"""Downloads one request may add."""

Line = Annotated[str, Field(min_length=1, max_length=20_000, pattern=PRINTABLE)]
Text = Annotated[str, Field(max_length=1000, pattern=PRINTABLE)]


class DownloadOrder(BaseModel):
    """One or many downloads with the same options.

    Each of `urls` is one file: a URL, further URLs of the same file after spaces, and maybe `ALGO:HEX` and `out=NAME`.
    `checksum` is for a single file. `folder` is below the download folder. Secrets are kept encrypted.
    """

    model_config = ConfigDict(extra="forbid")

    urls: Annotated[list[Line], Field(min_length=1, max_length=MOST)]
    checksum: Text | None = Field(None, description="`ALGO:HEX`, or the URL of a checksum file.")
    folder: Text = Field("", description="Folder below the download folder.")
    name: Text | None = Field(None, description="Name of the file, for a single one.")
    rate_limit: Text = Field("0", description="Speed limit, such as `2MB/s`; 0 means none.")
    connections: Annotated[int, Field(ge=1, le=32)] | None = Field(
        None, description="Most connections to use."
    )
    overwrite: Overwrite = Field(Overwrite.RENAME, description="What to do when the file exists.")
    priority: Annotated[int, Field(ge=0, le=9)] = Field(5, description="0 runs first, 9 last.")
    headers: Annotated[list[Line], Field(max_length=50)] = Field([], description="Lines `Name: value`.")
    username: Text | None = None
    password: Text | None = None
    bearer: Text | None = None
    proxy: Text | None = Field(None, description="URL of an HTTP or SOCKS proxy.")
    insecure: bool = Field(False, description="Take any certificate.")


class DownloadSpec(BaseModel):
    """A download in the ledger. `sealed` holds what is secret, encrypted; sizes bytes, rates bytes per second."""

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
    """The secret part of a download, before it is sealed."""

    headers: list[tuple[str, str]] = []
    username: str | None = None
    password: str | None = None
    bearer: str | None = None
    proxy: str | None = None

    def any(self) -> bool:
        """Tell whether there is anything to keep."""
        return self != Secrets()

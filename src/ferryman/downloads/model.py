"""What a download is asked to be, as the API takes it and as the ledger keeps it."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ferryman.transfer.model import Overwrite
from ferryman.web.shapes import PRINTABLE, When, Whole

KIND: Final = "download"
MOST: Final = 10_000
"""Downloads one request may add."""
LONGEST_TEXT: Final = 4 * 1024 * 1024
"""Characters of a list in one request."""
BODY: Final = 16 * 1024 * 1024
"""Bytes of a request that adds, previews or reads a list: a Metalink may be as large."""
ATTEMPTS: Final = 20
"""Attempts of one download: with their back-off about two hours without any network."""


def _flag(value: object) -> object:
    """Let only true and false through, where pydantic would also take "yes" and 1."""
    if value is not None and not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


Flag = Annotated[bool, BeforeValidator(_flag)]
Line = Annotated[str, Field(min_length=1, max_length=20_000, pattern=PRINTABLE)]
Text = Annotated[str, Field(max_length=1000, pattern=PRINTABLE)]


Pem = Annotated[str, Field(max_length=256 * 1024)]


class Duplicates(StrEnum):
    """What becomes of a download that is there already, or was asked for before."""

    ADD = "add"
    ASK = "ask"
    SKIP = "skip"


class EntryOrder(BaseModel):
    """One file of an order in parts, as `POST /downloads/read` answers; what it leaves out is as the order has it."""

    model_config = ConfigDict(extra="forbid")

    urls: Annotated[list[Line], Field(min_length=1, max_length=100)] = Field(
        description="Addresses of the same file, the best first."
    )
    name: Text | None = Field(None, description="Name of the file.")
    folder: Text = Field("", description="Folder below that of the order.")
    checksum: Text | None = Field(None, description="`ALGO:HEX`.")
    size: Annotated[int, Field(ge=0, le=2**50), Whole] | None = Field(
        None, description="Bytes the file must have, where they are known."
    )
    headers: Annotated[list[Text], Field(max_length=50)] = Field(
        [], description="Lines `Name: value`, beside those of the order."
    )
    overwrite: Overwrite | None = Field(None, description="What to do when this file exists.")
    duplicates: Duplicates | None = Field(None, description="What to do when it was asked for before.")


class DownloadOrder(BaseModel):
    """One or many downloads with the same options: `urls`, then `text`, then `entries`; one of them at least.

    Each of `urls` and each line of `text` is one file: a URL, further URLs of the same file after spaces, and maybe
    `ALGO:HEX`, `out=NAME`, `dir=FOLDER` and `header=Name:value`. `[001-100]`, `[a-f]` and `{one,two}` in a URL stand for
    many files. `text` may have comments, and lines of a checksum file when `base` says where the files are. `checksum`
    and `name` are for a single file. `folder` is below the download folder. Credentials are kept encrypted and never shown
    again.
    """

    model_config = ConfigDict(extra="forbid")

    urls: Annotated[list[Line], Field(max_length=MOST)] = Field([], description="One file each.")
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] = Field("", description="A list, one file a line.")
    entries: Annotated[list[EntryOrder], Field(max_length=MOST)] = Field(
        [], description="One file each, in parts."
    )
    base: Text | None = Field(None, description="Where the files of checksum lines are.")
    checksum: Text | None = Field(
        None,
        description="`ALGO:HEX`, or the URL of a checksum file.",
    )
    folder: Text = Field("", description="Folder below the download folder.")
    name: Text | None = Field(None, description="Name of the file, for a single one.")
    rate_limit: Text = Field(
        "0",
        description="Speed limit, such as `2MB/s`; 0 means none.",
    )
    connections: Annotated[int, Field(ge=1, le=32), Whole] | None = Field(
        None, description="Most connections to use."
    )
    overwrite: Overwrite = Field(
        Overwrite.RENAME,
        description="What to do when the file exists. `ask` refuses the order, or where the name is known only later "
        "the job fails with the reason `conflict` until somebody decides (`POST /downloads/{id}/conflict`).",
    )
    duplicates: Duplicates = Field(
        Duplicates.ADD,
        description="What to do with a file that an earlier download fetches or has fetched; `ask` refuses the order.",
    )
    priority: Annotated[int, Field(ge=0, le=9), Whole] = Field(5, description="0 runs first, 9 last.")
    headers: Annotated[list[Text], Field(max_length=50)] = Field([], description="Lines `Name: value`.")
    username: Text | None = Field(None, description="User name for the server.")
    password: Text | None = Field(None, description="Its password.")
    bearer: Text | None = Field(
        None,
        description="Bearer token for the server.",
    )
    cookies: Annotated[str, Field(max_length=1024 * 1024)] | None = Field(
        None,
        description="Text of a cookies.txt, or a Cookie header, which only the host of the first address gets.",
    )
    ca: Pem | None = Field(None, description="PEM certificates to trust instead of those of the system.")
    client_cert: Pem | None = Field(None, description="PEM client certificate to show, maybe with its key.")
    client_key: Pem | None = Field(None, description="PEM key of the certificate, without a passphrase.")
    proxy: Text | None = Field(
        None,
        description="URL of an HTTP or SOCKS proxy; needs the right to reach private addresses.",
    )
    not_before: When | None = Field(None, description="Do not begin before this moment.")
    window: Text | None = Field(
        None, description="Run only in this time of day, on the clock of the server: `22:00-06:00`."
    )
    insecure: bool = Field(
        False, strict=True, description="Take any certificate: only a checksum protects you then."
    )
    category: Annotated[str, Field(max_length=80, pattern=PRINTABLE)] | None = Field(
        None, description="What it is filed under; without, a rule decides."
    )
    unpack: Flag | None = Field(
        None, description="Whether the file is unpacked when it is there; without, a rule decides."
    )
    hooks: Annotated[list[Text], Field(max_length=10)] | None = Field(
        None, description="Hooks to call, by id or name; without, a rule decides. `[]` calls none."
    )


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
    size: int | None = None
    unpack: bool = False
    hooks: list[str] = []


class Secrets(BaseModel):
    """The secret part of a download, before it is sealed. Headers and proxies may carry credentials."""

    headers: list[tuple[str, str]] = []
    username: str | None = None
    password: str | None = None
    bearer: str | None = None
    proxy: str | None = None
    cookies: str | None = None
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def any(self) -> bool:
        """Tell whether there is anything to keep."""
        return self != Secrets()

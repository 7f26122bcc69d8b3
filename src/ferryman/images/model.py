"""What a copy is asked to be, as the API takes it and as the ledger keeps it."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from ferryman.web.shapes import PRINTABLE

KIND: Final = "copy"
MOST: Final = 5_000
"""References one order may name."""
ATTEMPTS: Final = 20
BODY: Final = 4 * 1024 * 1024
"""Bytes of a request that orders a copy."""

Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=PRINTABLE)]
Pem = Annotated[str, Field(max_length=256 * 1024)]


class SideOrder(BaseModel):
    """How to talk to the registries of one side. Credentials are kept encrypted and never shown again."""

    model_config = ConfigDict(extra="forbid")

    username: Text | None = Field(None, description="User name.")
    password: Text | None = Field(None, description="Its password, or a token that stands for one.")
    authfile: Annotated[str, Field(max_length=1024 * 1024)] | None = Field(
        None, description="Text of a Docker or Podman auth file."
    )
    ca: Pem | None = Field(None, description="PEM certificates to trust instead of those of the system.")
    client_cert: Pem | None = Field(None, description="PEM client certificate to show, maybe with its key.")
    client_key: Pem | None = Field(None, description="PEM key of the certificate, without a passphrase.")
    plain_http: bool = Field(False, strict=True, description="Talk HTTP without TLS.")
    insecure: bool = Field(False, strict=True, description="Take any certificate.")


class CopyOrder(BaseModel):
    """Images to copy: `sources` to `target`.

    A source is `docker://HOST/REPOSITORY[:TAG|@DIGEST]` or `depot:…`; so is the target. A target that ends with `/` takes
    several sources below it, each with the last part of its name.
    """

    model_config = ConfigDict(extra="forbid")

    sources: Annotated[list[Text], Field(min_length=1, max_length=MOST)] = Field(description="What to copy.")
    target: Text = Field("depot:", description="Where to; `depot:` keeps each under its own name.")
    platforms: Annotated[list[Text], Field(max_length=50)] = Field(
        [], description="`os/architecture[/variant]` to take of an index; none takes all."
    )
    referrers: bool = Field(True, strict=True, description="Take signatures and attestations along.")
    store: bool = Field(
        True, strict=True, description="Between registries, keep the blobs in the depot as well."
    )
    connections: Annotated[int, Field(ge=1, le=32)] | None = Field(
        None, description="Most connections for one blob."
    )
    rate_limit: Annotated[str, Field(max_length=40, pattern=PRINTABLE)] = Field(
        "0", description="Speed limit, such as `2MB/s`; 0 means none."
    )
    priority: Annotated[int, Field(ge=0, le=9)] = Field(5, description="0 runs first, 9 last.")
    source: SideOrder = Field(SideOrder(), description="How to talk to where it comes from.")
    destination: SideOrder = Field(SideOrder(), description="How to talk to where it goes.")


class CopySpec(BaseModel):
    """A copy in the ledger. `sealed` holds what is secret of both sides, encrypted; the rate is bytes per second."""

    sources: list[str]
    target: str
    platforms: list[str] = []
    referrers: bool = True
    store: bool = True
    connections: int = 8
    rate_limit: int = 0
    private: bool = False
    source_http: bool = False
    source_insecure: bool = False
    target_http: bool = False
    target_insecure: bool = False
    sealed: str | None = None


class Secrets(BaseModel):
    """The sides of a copy, before they are sealed."""

    source: SideOrder = SideOrder()
    destination: SideOrder = SideOrder()

    def any(self) -> bool:
        """Tell whether there is anything to keep."""
        return self != Secrets()

"""Every setting, its default and its meaning; read from `ferry.toml` and the environment.

A setting is `FERRY_NAME` in the environment and `name` in `$FERRY_HOME/ferry.toml`; the environment wins.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from ferryman.core.errors import Invalid
from ferryman.core.home import default_home


class Settings(BaseSettings):
    """The effective settings of one process. Immutable."""

    model_config = SettingsConfigDict(env_prefix="FERRY_", frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home, description="Folder of everything Ferryman keeps.")
    host: str = Field("127.0.0.1", description="Address the daemon listens on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8470, description="Port the daemon listens on; 0 takes a free one."
    )
    database_url: str = Field("", description="PostgreSQL address; empty means SQLite in the home folder.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )
    download_folder: Path | None = Field(
        None, description="Where finished files go; default `downloads` in the home folder."
    )
    worker_concurrency: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="Jobs that run at once, of all kinds."
    )
    download_concurrency: Annotated[int, Field(ge=1, le=32)] = Field(
        8, description="Downloads that run at once."
    )
    connections: Annotated[int, Field(ge=1, le=32)] = Field(
        8, description="Most connections one download opens."
    )
    rate_limit: str = Field(
        "0", description="Speed limit of all downloads together, such as `20MB/s`; 0 means none."
    )
    rate_schedule: str = Field(
        "", description="Speed limits by time of day, such as `08:00-18:00=2MB/s`; comma between several."
    )
    private_addresses: Literal["allow", "operators", "deny"] = Field(
        "operators",
        description="Who may fetch from private and loopback addresses: everyone, operators and admins, or nobody.",
    )
    session_hours: Annotated[int, Field(ge=1, le=24 * 90)] = Field(
        12, description="Hours until a console session ends."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then `ferry.toml`."""
        toml = TomlConfigSettingsSource(settings_cls, default_home() / "ferry.toml")
        return init_settings, env_settings, toml

    @property
    def downloads(self) -> Path:
        """Folder of finished files."""
        return self.download_folder or self.home / "downloads"


def load_settings() -> Settings:
    """Read and check the settings. Raises `Invalid` that names each wrong value and where it came from."""
    try:
        return Settings()
    except ValidationError as error:
        fields = {
            str(item["loc"][0]): f"{item['msg']} (got {item.get('input')!r})" for item in error.errors()
        }
        named = "; ".join(f"{name}: {what}" for name, what in fields.items())
        raise Invalid(
            "settings_invalid",
            f"Wrong settings: {named}.",
            advice="Correct the FERRY_… variable or the line in ferry.toml.",
            fields=fields,
        ) from error
    except (OSError, ValueError) as error:
        raise Invalid(
            "settings_invalid",
            f"The file {default_home() / 'ferry.toml'} cannot be read: {error}.",
            advice="Write lines such as: port = 8470",
        ) from error

"""Settings of the depot; part of `core.settings.Settings`."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from ferryman.core.setting import Folder, Retention, Section, Size, setting
from ferryman.core.units import parse_size


class DepotSettings(BaseModel):
    """Where content is kept, how much of it, and what stays."""

    if TYPE_CHECKING:
        home: Path

    depot_folder: Folder | None = setting(
        None,
        "Where images, models and other content are kept; default `depot` in the home folder. Move the folder yourself before changing it.",
        section=Section.DEPOT,
        live=False,
        machine=True,
        label="Folder",
    )
    depot_quota: Size = setting(
        "0",
        "Most bytes the depot holds, such as `500GB`; 0 means as much as the disk takes.",
        section=Section.DEPOT,
        live=True,
        label="Room",
    )
    bundle_quota: Size = setting(
        "0",
        "Most bytes the folder `bundles` of the home holds, such as `200GB`; 0 means as much as the disk takes.",
        section=Section.DEPOT,
        live=True,
        label="Room for bundles",
    )
    depot_retention: Retention = setting(
        "",
        "Which tags stay, such as `quay.io/team/*:v* keep=10 days=30, * untagged=7`; what no rule names stays. Applied by each clean-up.",
        section=Section.DEPOT,
        live=True,
        label="Rules for tags",
    )
    depot_gc_hour: int = setting(
        3,
        "Hour of the day, on the clock of this machine, at which the depot is cleaned up; 24 means never by itself.",
        section=Section.DEPOT,
        live=True,
        label="Clean up at",
        unit="h",
        ge=0,
        le=24,
    )
    depot_grace_hours: int = setting(
        24,
        "Hours that content nobody refers to is kept by the nightly clean-up.",
        section=Section.DEPOT,
        live=True,
        label="Keep what nobody refers to for",
        unit="hours",
        ge=1,
        le=24 * 365,
    )

    @property
    def depot(self) -> Path:
        """Folder of the depot."""
        return self.depot_folder or self.home / "depot"

    @property
    def depot_bytes(self) -> int:
        """Most bytes of the depot, 0 when there is no limit."""
        return parse_size(self.depot_quota)

    @property
    def bundle_bytes(self) -> int:
        """Most bytes of the folder of bundles, 0 when there is no limit."""
        return parse_size(self.bundle_quota)

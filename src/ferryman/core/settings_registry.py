"""Settings of the registry; part of `core.settings.Settings`."""

from pydantic import BaseModel

from ferryman.core.setting import Section, Size, setting


class RegistrySettings(BaseModel):
    """What the registry at /v2/ permits."""

    registry_read_only: bool = setting(
        False,
        "Whether the registry refuses every push and every deletion.",
        section=Section.REGISTRY,
        live=True,
        label="Read only",
    )
    registry_delete: bool = setting(
        True,
        "Whether clients may delete tags, manifests and blobs through the registry.",
        section=Section.REGISTRY,
        live=True,
        label="Deletion",
    )
    registry_immutable: str = setting(
        "",
        "Tags that may be set only once: patterns REPOSITORY:TAG with * and ?, separated by commas, such as `prod/*:*, *:v*`.",
        section=Section.REGISTRY,
        live=True,
        label="Immutable tags",
    )
    registry_sparse: bool = setting(
        True,
        "Whether manifests are taken whose layers or images are not all here.",
        section=Section.REGISTRY,
        live=True,
        label="Incomplete manifests",
    )
    registry_largest: Size = setting(
        "0",
        "Largest blob that may be pushed, such as `20GB`; 0 means no limit.",
        section=Section.REGISTRY,
        live=True,
        label="Largest blob",
    )
    registry_upload_hours: int = setting(
        24,
        "Hours after which an upload that nobody continues is thrown away.",
        section=Section.REGISTRY,
        live=True,
        label="Keep unfinished uploads for",
        unit="hours",
        ge=1,
        le=24 * 90,
    )

"""Settings of the registry; part of `core.settings.Settings`."""

from pydantic import BaseModel

from ferryman.core.setting import AccessLines, Section, Size, UpstreamLines, UpstreamLogins, setting


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
    registry_anonymous: bool = setting(
        False,
        "Whether everybody may pull without signing in.",
        section=Section.REGISTRY,
        live=True,
        label="Pull without signing in",
    )
    registry_access: AccessLines = setting(
        "",
        "Who may do what in which repository: lines PATTERN ROLE ACTIONS, separated by semicolons, such as `team/* member pull,push; secret/* admin pull`. Repositories that no line names follow the rights of roles.",
        section=Section.REGISTRY,
        live=True,
        label="Access by repository",
    )
    registry_upstreams: UpstreamLines = setting(
        "",
        "Registries that are asked for what is not here: NAME = URL, separated by semicolons, such as `docker.io = https://registry-1.docker.io`.",
        section=Section.REGISTRY,
        live=True,
        label="Upstreams",
    )
    registry_logins: UpstreamLogins = setting(
        "",
        "Who Ferryman is at upstreams: NAME = USER:PASSWORD, separated by semicolons, with the names upstreams have above. Passwords are kept encrypted and never shown again; `***` leaves one as it is.",
        section=Section.REGISTRY,
        live=True,
        label="Logins at upstreams",
        secret=True,
    )
    registry_fresh_seconds: int = setting(
        300,
        "Seconds for which tags, lists of tags and referrers from upstream are served without asking upstream again.",
        section=Section.REGISTRY,
        live=True,
        label="Ask upstream again after",
        unit="s",
        ge=0,
        le=30 * 86_400,
    )

"""Rules to begin with, for people who have none yet."""

from typing import Final

from ferryman.downloads.rules.model import RuleBody

STARTERS: Final = (
    RuleBody(
        name="Archives",
        extensions=["zip", "7z", "tar", "tar.gz", "tgz", "tar.xz", "txz", "tar.bz2", "tar.zst", "rar"],
        category="Archives",
        folder="archives",
    ),
    RuleBody(
        name="Disk images",
        extensions=["iso", "img", "qcow2", "vmdk", "ova", "raw.xz", "wic"],
        category="Disk images",
        folder="images",
        priority=6,
    ),
    RuleBody(
        name="Packages",
        extensions=["deb", "rpm", "apk", "whl", "jar", "msi", "exe", "dmg", "pkg", "appimage"],
        category="Packages",
        folder="packages",
    ),
    RuleBody(
        name="Documents",
        extensions=["pdf", "epub", "odt", "ods", "odp", "docx", "xlsx", "pptx", "txt", "md", "csv"],
        category="Documents",
        folder="documents",
        priority=4,
    ),
    RuleBody(
        name="Media",
        extensions=["mp4", "mkv", "webm", "mov", "mp3", "flac", "ogg", "wav", "jpg", "jpeg", "png", "svg"],
        category="Media",
        folder="media",
    ),
)

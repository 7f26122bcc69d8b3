"""The errors of bundles. Pure."""

from collections.abc import Sequence

from ferryman.core.errors import Conflict, Corrupt, Denied, Invalid, NotFound


def invalid(place: str, why: str) -> Invalid:
    """The error of a file that is no bundle, or one that contradicts itself."""
    return Invalid(
        "bundle_invalid",
        f"{place[:300]} is no bundle that can be read: it {why}.",
        advice="Check that it is a file that 'ferry bundle create' wrote; nothing of it was kept.",
    )


def member(place: str, name: str, wanted: str) -> Invalid:
    """The error of a tar with something in it that does not belong there."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in name[:120])
    return Invalid(
        "bundle_member",
        f"{place[:300]} has '{shown}' where the signed list has '{wanted}'.",
        advice="Somebody changed this file: do not trust it, and bring it again from its source.",
    )


def tampered(place: str) -> Corrupt:
    """The error of a signature that does not match."""
    return Corrupt(
        "signature_invalid",
        f"The signature of {place[:300]} does not match its content.",
        advice="It was changed after it was signed: do not trust it, and bring it again from its source.",
    )


def unknown_key(place: str, key_id: str, public: str) -> Denied:
    """The error of a signature by somebody who is not trusted."""
    return Denied(
        "key_untrusted",
        f"{place[:300]} is signed with the key {key_id}, which is not trusted here.",
        advice=f"When that is the key of the other site (ask there: 'ferry bundle key'): ferry bundle trust NAME '{public}'",
    )


def damaged(volumes: Sequence[tuple[str, str]]) -> Corrupt:
    """The error of volumes (place, why) that are not what was signed."""
    told = "; ".join(f"{place[:300]} {why}" for place, why in volumes[:20])
    problem = Corrupt(
        "volume_damaged",
        f"Damaged: {told}.",
        advice="Bring this volume again and load it alone; what was good in the others is kept.",
    )
    problem.details = {"volumes": [place for place, _ in volumes]}
    return problem


def missing(numbers: Sequence[int], whole: int) -> NotFound:
    """The error of volumes that nobody brought."""
    said = ", ".join(str(number) for number in numbers[:50])
    problem = NotFound(
        "volume_missing",
        f"Of {whole} volumes, {'this one is' if len(numbers) == 1 else 'these are'} missing: {said}.",
        advice="Load the rest when it is there (FILE.001 is volume 1); what was brought is kept until then.",
    )
    problem.details = {"missing": list(numbers), "volumes": whole}
    return problem


def mixed(place: str) -> Conflict:
    """The error of a volume that belongs to another bundle."""
    return Conflict(
        "volume_foreign",
        f"{place[:300]} belongs to another bundle than the volumes before it.",
        advice="Give the volumes of one bundle at a time; 'ferry bundle ls FILE' shows the id of each.",
    )


def base_missing(digests: Sequence[str]) -> NotFound:
    """The error of a bundle made for a depot that had more."""
    problem = NotFound(
        "bundle_base_missing",
        f"The bundle builds on {len(digests)} blobs that this depot does not have, such as {digests[0]}.",
        advice="Make a new inventory here ('ferry depot inventory'), and a bundle against it.",
    )
    problem.details = {"missing": list(digests[:100])}
    return problem


def content(bundle: str, digest: object, signer: str) -> Corrupt:
    """The error of a blob that is not what the signed list says, though every segment is."""
    return Corrupt(
        "bundle_content",
        f"The bundle {bundle} signed by '{signer}' says it has {digest}, and has other bytes there.",
        advice="Whoever signed it made it wrong or wants to deceive: ask there, and do not load it.",
    )


def unfinished(bundle: str, manifest: object, lacking: object, signer: str) -> Invalid:
    """The error of a list that names a manifest without all it consists of."""
    return Invalid(
        "bundle_unfinished",
        f"The bundle {bundle} signed by '{signer}' names {manifest} without {lacking}.",
        advice="Whoever signed it made it wrong: ask for another one; none of its images was named.",
    )

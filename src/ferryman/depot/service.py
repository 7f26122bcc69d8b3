"""The depot: what callers use. Every method blocks and is thread-safe; several processes may use one folder at once.

All raise `Unavailable` when the database does not answer, and `Exhausted` (`disk_full`) when the disk has no room.
A repository, tag or digest that is not there is `NotFound` (`repository_unknown`, `manifest_unknown`, `blob_unknown`).
"""

from collections.abc import Callable, Iterable, Iterator

from ferryman.core.digests import Digest
from ferryman.core.errors import Invalid, NotFound
from ferryman.core.retention import parse_rules
from ferryman.depot import reading, references
from ferryman.depot.check import Check, Repair
from ferryman.depot.holds import Hold
from ferryman.depot.model import CheckTotals, Finding, GcReport, Origin, Pin, Usage
from ferryman.depot.names import Names
from ferryman.depot.source import DepotSource
from ferryman.depot.sweep import Order, Sweep, nothing
from ferryman.depot.target import DepotTarget
from ferryman.depot.usage import needs, usage
from ferryman.depot.writer import BlobWriter
from ferryman.oci.reference import parse_digest, parse_local

__all__ = ["BlobWriter", "Depot", "Hold", "Repair"]

DAY = 86_400.0


class Depot(Names):
    """Content by digest, the names for it, and keeping it: see `Content` and `Names` for what is inherited."""

    def source(self, repository: str) -> DepotSource:
        """Return a repository as a source to copy from."""
        return DepotSource(self, repository)

    def target(self, repository: str, origin: Origin, hold: Hold) -> DepotTarget:
        """Return a repository as a target to copy to; what it takes is held by `hold`."""
        return DepotTarget(self, repository, origin, hold)

    def pin(self, target: str, by: str) -> Pin:
        """Let a reference (`REPOSITORY:TAG`) or a digest stay, with all it names. Idempotent. Raises `NotFound`, `Invalid`."""
        repository, tag = _target(target)
        pin = Pin(target, self.clock.now(), by)
        self._change(lambda c: references.put_pin(c, pin, repository, tag))
        return pin

    def unpin(self, target: str) -> None:
        """Take a pin away. Raises `NotFound` (`pin_unknown`)."""
        if not self._change(lambda c: references.drop_pin(c, target)):
            raise NotFound(
                "pin_unknown",
                f"'{target[:400]}' is not pinned.",
                advice="See 'ferry depot pin' without a reference for what is.",
            )

    def pins(self) -> list[Pin]:
        """Return all pins by target."""
        return self._read(reading.pins)

    def du(self, prefix: str = "") -> Usage:
        """Return what is used, and by which references below `prefix`."""
        return self._read(lambda c: usage(c, prefix, self.quota()))

    def needs(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        """Return the bytes that are there of each and of all that it names; for at most some hundreds, in one transaction."""
        asked = {str(digest): digest for digest in digests}
        found = self._read(lambda c: needs(c, list(asked)))
        return {asked[text]: size for text, size in found.items()}

    def gc(
        self,
        now: float | None = None,
        grace: float = DAY,
        dry_run: bool = False,
        *,
        tell: Callable[[str, int, int], None] = nothing,
        stop: Callable[[], bool] = bool,
    ) -> GcReport:
        """Apply the rules, then remove what nothing needs and is older than `grace` seconds. May run beside everything else.

        `tell(phase, done, total)` hears how far it is; it ends early, consistent, when `stop()` is true.
        """
        if grace < 0:
            raise Invalid(
                "grace_invalid", f"A grace of {grace:g} seconds is none.", advice="Give 0 or more seconds."
            )
        at = self.clock.now() if now is None else now
        order = Order(at, grace, dry_run, parse_rules(self.rules()), tell, stop)
        return Sweep(self._files, self.database, self._lock, self._generation).run(order)

    def fsck(
        self,
        deep: bool = True,
        repair: Repair | None = None,
        *,
        totals: CheckTotals | None = None,
        stop: Callable[[], bool] = bool,
        after: str = "",
    ) -> Iterator[Finding]:
        """Compare records, files and, with `deep`, every byte; yield what is wrong. Damaged content is set aside at once.

        `repair(digest, origin)` may bring content again (through `fetching` or `adopt`) and tell whether it did;
        what it brought is verified before it counts. `totals` is kept up to date while it runs; with its `last` as
        `after`, an interrupted check goes on.
        """
        checking = Check(
            self._files, self.database, self._lock, self._generation, self.clock, tuple(self.lazy())
        )
        return checking.run(deep=deep, repair=repair, totals=totals or CheckTotals(), stop=stop, after=after)


def _target(text: str) -> tuple[str | None, str | None]:
    """Read what is to be pinned: repository and tag, or (None, None) for a digest. Raises `Invalid`."""
    if text.startswith(("sha256:", "sha512:")):
        parse_digest(text)
        return None, None
    found = parse_local(text)
    if found.tag is None or found.digest is not None or str(found) != text:
        raise Invalid(
            "pin_invalid",
            f"'{text[:300]}' cannot be pinned.",
            advice="Write REPOSITORY:TAG, or a digest such as sha256:HEX.",
        )
    return found.repository, found.tag

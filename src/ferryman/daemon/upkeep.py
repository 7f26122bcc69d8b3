"""Builds what keeps the depot well: the handlers of clean-ups and checks, their API, and the nightly clean-up."""

import functools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ferryman.core.access_lines import parse_upstreams
from ferryman.core.clock import Clock
from ferryman.core.live import Live
from ferryman.daemon.registry import options_of as upstream_options
from ferryman.depot.bundles.again import pieces_again
from ferryman.depot.bundles.keys import Keys
from ferryman.depot.reaching import Reaching, Through, local_options, logins_of
from ferryman.depot.repair import Repair
from ferryman.depot.service import Depot
from ferryman.images import api_depot
from ferryman.images.fsck_handler import PHASES as FSCK_PHASES
from ferryman.images.fsck_handler import FsckHandler
from ferryman.images.gc_handler import PHASES as GC_PHASES
from ferryman.images.gc_handler import GcHandler
from ferryman.images.upkeep import FSCK, GC, Nightly, Upkeep
from ferryman.jobs.ports import Handler
from ferryman.jobs.service import Ledger
from ferryman.oci.options import RegistryOptions
from ferryman.transfer.policy import AddressPolicy
from ferryman.web.part import Part

UPKEEP_PHASES = {GC: GC_PHASES, FSCK: FSCK_PHASES}


@dataclass(frozen=True, slots=True)
class UpkeepRooms:
    """What keeps a depot well."""

    depot: Depot
    upkeep: Upkeep
    gc: GcHandler
    fsck: FsckHandler
    nightly: Nightly
    clock: Clock

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by kind."""
        return {GC: self.gc, FSCK: self.fsck}

    def part(self) -> Part:
        """Return what it brings to the web."""
        return Part("depot", api=api_depot.router(self.depot, self.upkeep, self.clock))


def through_of(home: Path, live: Live) -> list[Through]:
    """Return the registries that images are pulled through now."""
    return [
        Through(one.name, one.host, upstream_options(one, home, live))
        for one in parse_upstreams(live.now().registry_upstreams)
    ]


def upkeep_rooms(depot: Depot, ledger: Ledger, clock: Clock, live: Live, home: Path) -> UpkeepRooms:
    """Build them for `depot`; clean-ups and checks are jobs of `ledger`."""

    @contextmanager
    def repairing(plain_http: bool) -> Iterator[Repair]:
        rule = AddressPolicy(private=live.now().private_addresses != "deny")
        options = RegistryOptions(plain_http=plain_http, logins=logins_of(home), allow=rule)
        with closing(Reaching(options, through_of(home, live), local_options(options))) as reach:
            yield Repair(depot, reach, functools.partial(pieces_again, Keys(home / "keys")))

    upkeep = Upkeep(ledger)
    return UpkeepRooms(
        depot, upkeep, GcHandler(depot), FsckHandler(depot, repairing), Nightly(upkeep, live), clock
    )

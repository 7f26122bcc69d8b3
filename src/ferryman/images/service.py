"""Accepting copies: checks what is asked for, and makes jobs of it."""

import asyncio
import functools

from pydantic import ValidationError

from ferryman.accounts.model import Principal, Role
from ferryman.core.errors import Corrupt, Invalid
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.core.units import parse_rate
from ferryman.depot.copying.places import Places
from ferryman.images.model import ATTEMPTS, KIND, CopyOrder, CopySpec, Secrets, SideOrder
from ferryman.jobs.model import TERMINAL, Document, Job, NewJob
from ferryman.jobs.service import Ledger
from ferryman.oci.location import Transport
from ferryman.oci.manifest import Platform

ALLOWED = frozenset({Transport.DOCKER, Transport.DEPOT})
"""Where the daemon copies from and to: files and engines of its machine are for commands on that machine."""


class Copies:
    """Makes copy jobs. Safe to use from many tasks at once."""

    def __init__(self, ledger: Ledger, live: Live, box: SecretBox) -> None:
        """Put jobs into `ledger`; seal secrets with `box`."""
        self._ledger, self._live, self._box = ledger, live, box

    async def add(self, order: CopyOrder, caller: Principal, key: str | None = None) -> Job:
        """Accept a copy. `key` makes a repeated request harmless. Raises `Invalid`, `Conflict`, `Denied`."""
        spec, secrets = self.read(order, caller)
        who = f"{caller.user_id or caller.name}/copy/{key}" if key else None
        places = Places()
        places.add(spec.sources, spec.target)
        first = places.wishes[0]
        return await self._ledger.submit(
            NewJob(
                kind=KIND,
                title=title_of(spec),
                spec=self.sealed(spec, secrets).model_dump(mode="json"),
                priority=order.priority,
                owner=caller.user_id,
                idempotency_key=who,
                same=functools.partial(self._asks_for, spec, secrets),
                max_attempts=ATTEMPTS,
                host=first.source.registry.removeprefix("docker://"),
            )
        )

    async def wait(self, job: Job, seconds: float) -> Job:
        """Return the job when it ended, or as it is after `seconds`."""
        if seconds <= 0:
            return job
        try:
            async with asyncio.timeout(seconds):
                with self._ledger.hub.subscribe() as told:
                    job = await self._ledger.get(job.id)
                    while job.state not in TERMINAL:
                        message = await anext(told)
                        if message.data.get("id") == job.id or message.name == "reset":
                            job = await self._ledger.get(job.id)
        except TimeoutError:
            return await self._ledger.get(job.id)
        return job

    def read(self, order: CopyOrder, caller: Principal) -> tuple[CopySpec, Secrets]:
        """Check an order and return what is to be done. Raises `Invalid` with the field that is wrong."""
        places = Places()
        try:
            places.add(order.sources, order.target)
        except Invalid as error:
            error.fields = error.fields or {"sources": error.message}
            raise
        for location in places.locations.values():
            if location.transport not in ALLOWED:
                raise Invalid(
                    "location_refused",
                    f"The daemon does not copy from or to '{location}'.",
                    advice="Use docker:// and depot: here; files and engines are for 'ferry copy' without the daemon.",
                    fields={"sources": f"{location} is neither docker:// nor depot:"},
                )
        platforms = [str(Platform.parse(text)) for text in order.platforms]
        spec = CopySpec(
            sources=order.sources,
            target=order.target,
            platforms=platforms,
            referrers=order.referrers,
            store=order.store,
            connections=order.connections or 4,
            rate_limit=parse_rate(order.rate_limit),
            private=self.private(caller),
            source_http=order.source.plain_http,
            source_insecure=order.source.insecure,
            target_http=order.destination.plain_http,
            target_insecure=order.destination.insecure,
        )
        return spec, Secrets(source=_secret(order.source), destination=_secret(order.destination))

    def sealed(self, spec: CopySpec, secrets: Secrets) -> CopySpec:
        """Return the spec with its secrets encrypted."""
        if not secrets.any():
            return spec
        return spec.model_copy(update={"sealed": self._box.seal(secrets.model_dump_json(), KIND)})

    def _asks_for(self, spec: CopySpec, secrets: Secrets, earlier: Document) -> bool:
        """Tell whether an earlier spec asks for the same: the same secrets are sealed differently each time."""
        try:
            found = CopySpec.model_validate(earlier)
            kept = (
                Secrets.model_validate_json(self._box.open(found.sealed, KIND)) if found.sealed else Secrets()
            )
        except (ValidationError, Corrupt):
            return False
        return found.model_copy(update={"sealed": None}) == spec and kept == secrets

    def private(self, caller: Principal) -> bool:
        """Tell whether `caller` may reach private addresses, by role and settings."""
        match self._live.now().private_addresses:
            case "allow":
                return True
            case "operators":
                return caller.role.rank >= Role.OPERATOR.rank
            case _:
                return False


def title_of(spec: CopySpec) -> str:
    """Return what a copy is called in lists."""
    first = spec.sources[0].removeprefix("docker://")
    more = f" and {len(spec.sources) - 1} more" if len(spec.sources) > 1 else ""
    where = "the depot" if spec.target == "depot:" else spec.target.removeprefix("docker://")
    return f"{first}{more} → {where}"[:300]


def _secret(side: SideOrder) -> SideOrder:
    """Return the part of a side that is secret; the rest stands in the spec."""
    return side.model_copy(update={"plain_http": False, "insecure": False})

"""Builds what decides about downloads and what follows them: rules, unpacking, hooks."""

from dataclasses import dataclass
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.live import Live
from ferryman.core.secrets import SecretBox
from ferryman.db import Database
from ferryman.downloads.claims import Claims
from ferryman.downloads.hooks import api as hooks_api
from ferryman.downloads.hooks.failures import Failures
from ferryman.downloads.hooks.handler import PHASES, HookHandler
from ferryman.downloads.hooks.model import KIND
from ferryman.downloads.hooks.service import Hooks
from ferryman.downloads.hooks.sql import HookStore
from ferryman.downloads.hooks.step import Announcing
from ferryman.downloads.rules import api as rules_api
from ferryman.downloads.rules import pages as rules_pages
from ferryman.downloads.rules.service import Rules
from ferryman.downloads.rules.sql import RuleStore
from ferryman.downloads.steps import Step
from ferryman.downloads.unpacking import Unpacking
from ferryman.jobs.service import Ledger
from ferryman.web.pages import Renderer
from ferryman.web.part import Part

HOOK: Final = KIND
"""The kind of jobs that deliver to hooks."""
HOOK_PHASES: Final = PHASES


@dataclass(frozen=True, slots=True)
class RuleRooms:
    """Rules and hooks, and what they bring to the daemon. `claims` are those of the downloads."""

    rules: Rules
    hooks: Hooks
    handler: HookHandler
    failures: Failures
    steps: tuple[Step, ...]
    claims: Claims

    def parts(self, live: Live, renderer: Renderer) -> tuple[Part, ...]:
        """Return what they bring to the web; before the downloads, whose paths are more general."""
        pages = rules_pages.router(self.rules, self.hooks, live, renderer)
        return (
            Part("rules", api=rules_api.router(self.rules), pages=pages),
            Part("hooks", api=hooks_api.router(self.hooks)),
        )


def rule_rooms(database: Database, ledger: Ledger, clock: Clock, live: Live, box: SecretBox) -> RuleRooms:
    """Build rules and hooks on `database`; deliveries are jobs of `ledger`."""
    store, claims = HookStore(database), Claims()
    hooks = Hooks(store, ledger, clock, box)
    return RuleRooms(
        rules=Rules(RuleStore(database), clock, live.now, hooks.resolve),
        hooks=hooks,
        handler=HookHandler(hooks, live.now, clock.now),
        failures=Failures(ledger, store, hooks),
        steps=(Unpacking(claims, live.now), Announcing(hooks)),
        claims=claims,
    )

"""Keeps rules, and says what follows from them for a download."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ferryman.core.clock import Clock
from ferryman.core.errors import Conflict, FerryError, Invalid, NotFound
from ferryman.core.ids import new_id
from ferryman.core.paths import join_within
from ferryman.core.settings import Settings
from ferryman.downloads.model import DownloadSpec
from ferryman.downloads.order import Draft, Refused
from ferryman.downloads.rules.match import check_rule, effects_of, first
from ferryman.downloads.rules.model import MOST_RULES, Effects, Facts, Rule, RuleBody
from ferryman.downloads.rules.sql import RuleStore
from ferryman.transfer.naming import safe_name, url_name
from ferryman.transfer.policy import AddressPolicy
from ferryman.transfer.source import parse_source

MOST_SEEN: Final = 2000
"""Previewed addresses that are remembered."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A draft with what its rule adds; `rule` is None when none matched."""

    draft: Draft
    rule: Rule | None = None
    category: str | None = None
    priority: int | None = None

    def calling(self, hooks: Sequence[str]) -> "Applied":
        """Return it with further hooks, by id."""
        if not hooks:
            return self
        called = list(dict.fromkeys([*self.draft.spec.hooks, *hooks]))
        spec = self.draft.spec.model_copy(update={"hooks": called})
        return replace(self, draft=replace(self.draft, spec=spec))


class Rules:
    """The rules of this home. Safe to use from many tasks at once."""

    def __init__(
        self,
        store: RuleStore,
        clock: Clock,
        settings: Callable[[], Settings],
        hooks: Callable[[Sequence[str]], Awaitable[list[str]]] | None = None,
    ) -> None:
        """Keep rules in `store`; folders are below `settings().downloads`; `hooks` turns names of hooks into ids."""
        self._hooks = hooks
        self._store = store
        self._clock = clock
        self._settings = settings
        self._seen: OrderedDict[str, tuple[str, int | None]] = OrderedDict()

    def saw(self, url: str, name: str, size: int | None) -> None:
        """Remember what a preview found at `url`, so that the same rule counts when it is then added."""
        self._seen[url] = (name, size)
        self._seen.move_to_end(url)
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def facts(self, spec: DownloadSpec) -> Facts:
        """Return what is known of a download before it starts."""
        name, size = self._seen.get(spec.urls[0], (None, None))
        return facts_of(spec.urls[0], spec.name or name, size)

    async def all(self) -> list[Rule]:
        """Return all rules in order."""
        return await self._store.all()

    async def get(self, rule_id: str) -> Rule:
        """Return one rule. Raises `NotFound` (`rule_not_found`)."""
        for rule in await self._store.all():
            if rule_id in {rule.id, rule.body.name}:
                return rule
        raise _unknown(rule_id)

    async def check(self, body: RuleBody) -> RuleBody:
        """Return `body` as it is kept. Raises `Invalid` (`rule_invalid`, `hook_unknown`) with messages for fields."""
        checked = check_rule(body)
        if self._hooks is None or not checked.hooks:
            return checked
        return checked.model_copy(update={"hooks": await self._hooks(checked.hooks)})

    async def _made(self, bodies: Sequence[RuleBody]) -> list[Rule]:
        now = self._clock.now()
        return [Rule(new_id(now), await self.check(body), now, now) for body in bodies]

    async def add(self, bodies: Sequence[RuleBody]) -> list[Rule]:
        """Append rules, all or none. Raises `Invalid` (`rule_invalid`), `Conflict` (`rules_full`)."""
        rules = await self._made(bodies)
        if not await self._store.add(rules, MOST_RULES):
            raise Conflict(
                "rules_full",
                f"There may be {MOST_RULES} rules.",
                advice="Remove some, or put more conditions into one.",
            )
        return rules

    async def replace_all(self, bodies: Sequence[RuleBody]) -> list[Rule]:
        """Put rules in place of all others. Raises `Invalid` (`rule_invalid`)."""
        rules = await self._made(bodies)
        await self._store.replace_all(rules)
        return rules

    async def change(self, rule_id: str, body: RuleBody) -> Rule:
        """Replace the content of a rule. Raises `Invalid` (`rule_invalid`), `NotFound` (`rule_not_found`)."""
        known = await self.get(rule_id)
        checked, now = await self.check(body), self._clock.now()
        if not await self._store.change(known.id, checked, now):
            raise _unknown(rule_id)
        return Rule(known.id, checked, known.created_at, now)

    async def remove(self, rule_id: str) -> None:
        """Delete a rule. Raises `NotFound` (`rule_not_found`)."""
        known = await self.get(rule_id)
        await self._store.remove(known.id)

    async def order(self, ids: Sequence[str]) -> list[Rule]:
        """Put all rules in this order. Raises `Invalid` (`rules_changed`) unless `ids` are all there are."""
        if not await self._store.order(ids):
            raise Invalid(
                "rules_changed",
                "These are not the rules that are there now.",
                advice="Load the list again and send every id once.",
                fields={"ids": "must be all rules, each once"},
            )
        return await self._store.all()

    def consequences(self, rules: Sequence[Rule], facts: Facts) -> tuple[Rule | None, Effects]:
        """Return the rule that counts for `facts`, and what follows."""
        rule = first(rules, facts)
        return rule, effects_of(rule.body, facts, self._clock.now()) if rule else Effects()

    def apply_all(
        self, rules: Sequence[Rule], drafts: Sequence[Draft], given: Collection[str]
    ) -> tuple[list[Applied], list[Refused]]:
        """Apply the rules to each of `drafts`, and tell which they refuse."""
        applied, refused = [], []
        for draft in drafts:
            try:
                applied.append(self.apply(rules, draft, given))
            except FerryError as error:
                refused.append(Refused(draft.place, draft.spec.urls[0], error))
        return applied, refused

    def apply(self, rules: Sequence[Rule], draft: Draft, given: Collection[str]) -> Applied:
        """Return `draft` with what its rule adds; fields of the order that are `given` stay as they are.

        Raises `Invalid` (`checksum_required`, `path_escapes`) and `Denied` (`address_refused`).
        """
        spec = draft.spec
        rule, effects = self.consequences(rules, self.facts(spec))
        if rule is None:
            return Applied(draft)
        own: dict[str, object] = {}
        if effects.folder and not spec.folder:
            join_within(self._settings().downloads, effects.folder)
            own["folder"] = effects.folder
        for name in ("rate_limit", "connections", "unpack"):
            if (value := getattr(effects, name)) is not None and name not in given:
                own[name] = value
        if effects.hooks and "hooks" not in given:
            own["hooks"] = list(effects.hooks)
        if not spec.checksum and not spec.checksum_url:
            if effects.checksum_needed:
                raise _checksum_needed(rule, spec.urls[0])
            if effects.checksum_url:
                AddressPolicy(private=spec.private).check_host(parse_source(effects.checksum_url).host)
                own["checksum_url"] = effects.checksum_url
        return Applied(
            replace(draft, spec=spec.model_copy(update=own)),
            rule,
            effects.category,
            None if "priority" in given else effects.priority,
        )


def facts_of(url: str, name: str | None = None, size: int | None = None) -> Facts:
    """Return what is known of a download. Raises `Invalid` for an address that is none."""
    source = parse_source(url)
    return Facts(source.url, name or safe_name(url_name(source.url)) or source.host, source.host, size)


def _unknown(rule_id: str) -> NotFound:
    return NotFound(
        "rule_not_found",
        f"There is no rule '{rule_id[:100]}'.",
        advice="See 'ferry downloads rules list' for the ids.",
    )


def _checksum_needed(rule: Rule, url: str) -> FerryError:
    return Invalid(
        "checksum_required",
        f"The rule '{rule.body.name}' wants a checksum for '{url[:200]}'.",
        advice="Write ALGO:HEX after the address, or give the address of a checksum file.",
        fields={"checksum": f"The rule '{rule.body.name}' wants one."},
    )
